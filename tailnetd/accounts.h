/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef ACCOUNTS_H
#define ACCOUNTS_H

/* What makes usermod(8) add a group to those that a user has. */
#ifdef __OpenBSD__
#define USERMOD_APPEND "-G"
#else
#define USERMOD_APPEND "-aG"
#endif

#include <sys/types.h>

#include <stddef.h>

#include "config.h"
#include "ids.h"

/*
 * Looks up the accounts that the children run as, and those that may use the control socket (interface.md 2, last
 * paragraph).
 */

/* All of them; the children's only for root.  0, or -1 with the reason logged. */
int	 accounts_find(const struct config *cfg, int root, struct ids *ids);
/* The operator that cfg names.  0, or -1 with a reason and nothing changed. */
int	 accounts_operator(const struct config *cfg, int root, struct ids *ids, char *err, size_t errsize);

#endif
