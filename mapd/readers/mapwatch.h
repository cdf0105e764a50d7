/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MAPWATCH_H
#define MAPWATCH_H

#include "reader.h"

/*
 * `watch netmap` (interface.md 6).  A watcher that falls behind loses netmap and delta events, is sent their number
 * and the whole map, also when another event asked for the map; events of the parent (status, browse, child) are
 * never lost.
 */

/* An event as all watchers get it: the text between the time and the closing brace.  Shared between queues. */
struct notice {
	unsigned	 refs;
	int		 keep;		/* an event of the parent: must not be lost */
	struct wtime	 when;
	size_t		 n;
	char		 text[];
};
struct queued { TAILQ_ENTRY(queued) link; struct notice *what; };

struct notice *notice_new(const char *text, size_t n, int keep);
void	 notice_unref(struct notice *t);			/* NULL is fine */

/* events: number of events that the parent sent it already. */
void	 watch_begin(struct reader *r, uint64_t events);
/* These two may close r.  A queue takes a reference of its own. */
void	 watch_notice(struct reader *r, struct notice *t);
/* delta NULL: send the whole map */
void	 watch_change(struct reader *r, const struct netmap_change *ch, struct notice *delta);
struct notice *watch_delta(struct netmap *nm, const struct netmap_change *ch);	/* NULL: larger than a queue */
void	 watch_dropped(struct reader *r);
/* Put the next event into r->out.  1 = something was put, 0 = there is none. */
int	 watch_next(struct reader *r);
void	 watch_full_done(struct reader *r);
void	 watch_free(struct reader *r);

#endif
