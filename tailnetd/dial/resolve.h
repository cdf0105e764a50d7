/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <sys/types.h>

#include "msgs.h"
#include "spawn.h"

/*
 * One look-up by the resolver program (security.md D3): it is started for this name, prints at most RESOLVE_MAX lines
 * "4 ADDR" / "6 ADDR" or one line "error TEXT", and exits.  What it prints is not trusted: at most 4 KiB are read and
 * every line is checked.
 */
#define RESOLVE_MAX	16

struct event_base;
struct resolve;
struct resolve_ids { int drop; unsigned uid, gid; int required; };

/* n addresses (0: failed, err says why).  The last call; the look-up is freed after it. */
typedef void (*resolve_done)(void *arg, const struct ipc_addr *addrs, unsigned n, const char *err);

/* NULL with errno when no process or pipe can be had. */
struct resolve *resolve_start(struct event_base *base, const struct spawn_image *img, const struct resolve_ids *ids,
	    const char *name, resolve_done done, void *arg);
void	 resolve_cancel(struct resolve *r);	/* ends the process, no callback */
/*
 * pid was waited for, with status.  If it is ours: 1, it is never signalled again, and if it closed its pipe without a
 * word (it could not run) done() is called with what the status means.
 */
int	 resolve_reaped(struct resolve *r, pid_t pid, int status);

/* The answer's text by itself.  Number of addresses, or 0 with a reason in err. */
unsigned resolve_parse(const char *text, size_t n, struct ipc_addr addrs[RESOLVE_MAX], char *err, size_t errsize);

#endif
