/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MAPWATCH_H
#define MAPWATCH_H

#include "reader.h"

/*
 * `watch netmap` (interface.md 6): eventqueue.h, with events of the parent that must not be lost and with deltas.
 */

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

#endif
