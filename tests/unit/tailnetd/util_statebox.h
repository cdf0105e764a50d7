/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_STATEBOX_H
#define UTIL_STATEBOX_H

#include "keys.h"
#include "state.h"
#include "util_dir.h"

/* A state file that is open, with its keys. */
struct box {
	struct state_store *ss;
	struct state	 st;
	struct keyring	*k;
	char		 err[400];	/* of the last call that failed */
};

/*
 * Opens the state in d and loads the identity for url, through io (NULL: the system's own calls); state_load()'s
 * result.
 */
enum state_result box_load(struct box *b, const struct dir *d, const char *url, const struct state_io *io);
void	 box_close(struct box *b);

#endif
