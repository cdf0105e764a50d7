/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef STATE_H
#define STATE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "keys.h"
#include "profile.h"

/*
 * The state file (security.md D10, interface.md 1): text lines, at most 64 KiB, `tailnetd-state 1` first, `sum
 * <blake2b-256>` last; unknown keys of this major version are kept, a newer major is refused and never rewritten.
 * Keys as `privkey:<hex>`.
 */
struct state {				/* what is persisted besides the keyring */
	char		 control_url[512];	/* whose profile this is; another URL = new profile, new keys (D9) */
	struct profile	 profile;
	uint16_t	 listen_port;		/* chosen once for `listen-port 0`; 0 = none */
	char		 backend_log_id[65];	/* stable BackendLogID */
	struct state_extra *extra;		/* unknown lines, kept */
};

enum state_result {
	STATE_OK,		/* loaded */
	STATE_FRESH,		/* no state and no marker, or a new control URL: a new machine key was made and saved */
	STATE_RECOVERED,	/* state was bad, state.prev was used: warn, health `state-recovered` */
	STATE_UNUSABLE		/* touch nothing, exit 78; err says what is wrong and what to do */
};

/*
 * The system calls a save is made of, so that a test can make each of them fail (PERS-03).  NULL members: the real
 * ones.
 */
struct state_io {
	long	(*write)(int fd, const void *p, size_t n);
	int	(*fsync)(int fd);
	int	(*linkat)(int ofd, const char *o, int nfd, const char *n, int flag);
	int	(*renameat)(int ofd, const char *o, int nfd, const char *n);
	int	(*create)(int dirfd, const char *name, int flags);	/* openat(2), mode 0600 */
	int	(*unlinkat)(int dirfd, const char *name, int flag);
};

struct state_store;		/* directory descriptor, instance lock, last bytes written */

/* Opens (making it, durably, if missing) and locks the directory, owned by root with need_root, else by the caller.
 * NULL with a reason in err. */
struct state_store *state_open(const char *dir, int need_root, char *err, size_t errsize);
void	 state_close(struct state_store *ss);
void	 state_set_io(struct state_store *ss, const struct state_io *io);	/* tests */
/* For the other file in the directory (cachefile.h): its descriptor, owner and name, and the calls to use. */
int	 state_dir(const struct state_store *ss, uid_t *owner, const char **name, const struct state_io **io);
enum state_result state_load(struct state_store *ss, const char *control_url, struct state *st,
	    struct keyring *k, char *err, size_t errsize);
/*
 * Write-ahead save: returns 0 only when the new version is durable (fsync of file and directory).  Unchanged contents
 * are not rewritten (PERS-05).  On failure -1 with a reason in err: the old file stays; only when the very last step
 * failed (fsync of the directory) the file may have either version.  The next save writes in any case.
 */
int	 state_save(struct state_store *ss, const struct state *st, const struct keyring *k, char *err, size_t errsize);
/*
 * After state_clear_profile(): the previous version loses the keys as well (OUT-01).  If it fails, the next save
 * completes it.
 */
int	 state_save_erased(struct state_store *ss, const struct state *st, const struct keyring *k, char *err,
	    size_t errsize);
void	 state_clear_profile(struct state *st, struct keyring *k);	/* logout: all but the machine key */
void	 state_free(struct state *st);

#endif
