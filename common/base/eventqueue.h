/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EVENTQUEUE_H
#define EVENTQUEUE_H

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "clients.h"

/*
 * The events that wait for one watcher (interface.md 6); the parent has one for each `watch`, mapd for each `watch
 * netmap`.  One that reads slowly loses the events of the netmap and is sent their number and the whole map, which its
 * owner writes when want_full is set and the queue is empty.  Other events (status, browse, child) are never lost.
 */

/* An event as all watchers get it: the text between the time and the closing brace.  Shared between queues. */
struct notice {
	unsigned	 refs;
	int		 keep;		/* must not be lost */
	struct wtime	 when;
	size_t		 n;
	char		 text[];
};
struct queued;

struct eventqueue {
	TAILQ_HEAD(, queued) list;
	size_t		 bytes, kept;	/* of the texts in the list; of those that must not be lost */
	size_t		 max, kept_max;
	uint64_t	 seq;		/* of the last event that was written */
	uint64_t	 dropped;	/* events that were lost and not reported yet */
	int		 want_full;	/* the whole map must be sent next: it contains what was lost */
	int		 was_full;	/* the watcher has a map: each later change must be sent or counted */
};

/* One reference, for the caller.  NULL: out of memory. */
struct notice *notice_new(const char *text, size_t n, int keep);
void	 notice_unref(struct notice *t);			/* NULL is fine */

/*
 * max: bytes that may wait before events of the netmap are lost; kept_max: of the others, before the watcher is
 * disconnected.  seq: events that it was sent before.
 */
void	 eventqueue_init(struct eventqueue *q, size_t max, size_t kept_max, uint64_t seq);
void	 eventqueue_free(struct eventqueue *q);			/* drops what waits; may be used again */
/*
 * The queue takes a reference of its own; unsent is the number of bytes that left the queue but not the process.
 * eventqueue_keep: -1 = disconnect the watcher: it reads nothing, or there is no memory.
 * eventqueue_change: an event of the netmap; NULL = it is too large for a queue.
 */
int	 eventqueue_keep(struct eventqueue *q, struct notice *t, size_t unsent);
void	 eventqueue_change(struct eventqueue *q, struct notice *t, size_t unsent);
void	 eventqueue_drop_changes(struct eventqueue *q);		/* those that wait are lost */
/* Removes the first event, writes how its line begins to head; the caller unrefs it.  NULL: none waits. */
struct notice *eventqueue_next(struct eventqueue *q, char head[EVENT_TEXT_MAX]);
/* How the line of an event that is written now begins.  Returns the length. */
size_t	 eventqueue_head(struct eventqueue *q, char head[EVENT_TEXT_MAX]);
/* The line `lagged`, then nothing is unreported.  Returns the length; 0: nothing was lost. */
size_t	 eventqueue_lagged(struct eventqueue *q, char line[2 * EVENT_TEXT_MAX]);
static inline int eventqueue_empty(const struct eventqueue *q) { return TAILQ_EMPTY(&q->list); }

#endif
