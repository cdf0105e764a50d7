/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef STATEDISK_H
#define STATEDISK_H

#include <stddef.h>

#include "state.h"

/*
 * How the files of the state directory are replaced (security.md D10).  Each function returns 0 or -1 with errno, and
 * then says in *step what failed, a constant text as "write of state.tmp".
 */
#define F_STATE  "state"
#define F_PREV   "state.prev"
#define F_TEMP   "state.tmp"
#define F_SPARE  "state.spare.tmp"	/* what becomes state.prev or state.<profile> */

struct state_io	state_io_complete(const struct state_io *io);	/* NULL members: the system's calls */

/*
 * Gives the file `state` the second name `name`, which keeps its old file until the new one is complete: a link, or a
 * durable copy where the file system has no links.  Without a file `state` nothing is done.
 */
int	 statedisk_spare(const struct state_io *io, int dirfd, const char *name, const char **step);
/*
 * The text becomes the file `state`, durably, and the file before it state.prev, unless keep_prev.  On failure
 * the old file stays; only when the fsync of the directory failed (*renamed is 1) the file may have either version.
 */
int	 statedisk_replace(const struct state_io *io, int dirfd, const char *text, size_t len, int keep_prev,
	    int *renamed, const char **step);
/*
 * fsync(2) of a directory.  File systems that cannot do that (EINVAL: some network and FUSE ones) are accepted
 * with one line in the log.
 */
int	 statedisk_sync(const struct state_io *io, int dirfd);
/* 1: the name exists, or that cannot be examined (EIO, EACCES); 0: it does not exist.  Links are not followed. */
int	 statedisk_has(int dirfd, const char *name);
/*
 * The first name in the directory that only an identity leaves behind: state.prev, state.<profile>, netmap.cache.
 * Returns 1 with the name, else 0; a directory that cannot be read counts as one that has it (name is ".").
 */
int	 statedisk_trace(int dirfd, char *name, size_t size);

#endif
