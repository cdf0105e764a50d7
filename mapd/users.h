/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef USERS_H
#define USERS_H

#include "delta.h"

/*
 * Whether the profiles that the netmap shows (FLD-07: those that self and peers refer to) become others by a delta that is ready and
 * by our own node's change from old to new, of profiles that are known already.  1 / 0, -1: out of memory.
 */
int	 users_change(const struct view *old, const struct view *new, const struct delta *d, const struct dict *names);

#endif
