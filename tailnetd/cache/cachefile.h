/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CACHEFILE_H
#define CACHEFILE_H

#include "state.h"

/*
 * The file of the netmap cache in the state directory: `netmap.cache`, mode 0600, of the directory's owner.  Opened
 * here, read and written by mapd; its contents are nothing to the parent.  A new one is made beside it, fsynced,
 * renamed over it and the directory fsynced, so that there is the old one or the new one at any time.
 */
#define CACHEFILE_NAME "netmap.cache"
#define CACHEFILE_TEMP "netmap.cache.tmp"

struct cachefile {
	int		 dirfd;		/* the state store's */
	uid_t		 owner;
	const char	*dir;		/* for messages */
	int		 temp;		/* our descriptor of the one being written, -1 = none */
	const struct state_io *io;	/* the state store's */
};

/* Also removes what an earlier run left unfinished. */
void	 cachefile_init(struct cachefile *cf, const struct state_store *store);
/* For reading.  -1 with errno ENOENT: there is none; -1 with a reason in err otherwise. */
int	 cachefile_open(const struct cachefile *cf, uint64_t *size, char *err, size_t errsize);
/* A new one: its descriptor for mapd (ours stays in temp).  -1 with a reason. */
int	 cachefile_create(struct cachefile *cf, char *err, size_t errsize);
/* mapd says that it has written size bytes: make it the cache.  0, or -1 with a reason: the old one stays. */
int	 cachefile_commit(struct cachefile *cf, uint64_t size, char *err, size_t errsize);
uint64_t cachefile_written(const struct cachefile *cf);	/* bytes of the new one as it is */
void	 cachefile_abort(struct cachefile *cf);		/* the new one is not wanted */
/* Neither old nor new, durably.  1 = there was one, 0 = there was none, -1 with a reason. */
int	 cachefile_remove(struct cachefile *cf, char *err, size_t errsize);

#endif
