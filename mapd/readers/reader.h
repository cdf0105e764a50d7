/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef READER_H
#define READER_H

#include <sys/queue.h>

#include "dump.h"
#include "export.h"
#include "nodeview.h"
#include "query.h"

/* The inside of query.h: query.c has the clients and their descriptors, mapwatch.c what a watcher is told. */
struct event;
struct event_base;

/* An event as all watchers get it: what stands between the time and the closing brace.  Shared between queues. */
struct notice {
	unsigned	 refs;
	int		 keep;		/* must not be lost (status and what else the parent says) */
	struct wtime	 when;
	size_t		 n;
	char		 text[];
};
struct notice *notice_new(const char *text, size_t n, int keep);	/* NULL: out of memory */
void	 notice_unref(struct notice *t);

struct queued { TAILQ_ENTRY(queued) link; struct notice *what; };
TAILQ_HEAD(queue, queued);

enum client_work { WORK_NONE, WORK_DUMP, WORK_EXPORT };

struct client {
	TAILQ_ENTRY(client) link;
	struct query	*q;
	int		 fd;
	uint32_t	 id, uid;
	int		 watch;			/* else: close when all is written */
	struct event	*readable, *writable;
	struct pb	 out;			/* from off on still to be written */
	size_t		 off;
	uint8_t		 last;			/* byte written, 0 = none yet */
	enum client_work work;
	struct dump	 dump;
	struct exporter	 exp;
	uint64_t	 generation;		/* of query.generation when the work began */
	uint64_t	 progress_ms;		/* when the client last took a byte, or had nothing to take */
	int		 half_closed;
	/* watchers */
	struct queue	 queue;
	size_t		 queued_bytes, kept_bytes;
	int		 begun;			/* the first status is in the queue or out */
	int		 want_full;		/* the whole map is to be sent next */
	int		 was_full;		/* one was sent before: from then on each change is owed an event */
	int		 is_lagged;
	uint64_t	 seq, dropped;
};
TAILQ_HEAD(clients, client);

struct early { TAILQ_ENTRY(early) link; uint32_t id; struct notice *what; };
TAILQ_HEAD(earlies, early);

struct query {
	struct event_base *base;
	struct netmap	*nm;
	struct clients	 clients;
	unsigned	 n;
	struct event	*tick;
	uint64_t	 generation;		/* whole maps seen */
	size_t		 old_maps;		/* QUERY_OLD_MAPS */
	struct earlies	 early;			/* events for clients that have yet to come */
	unsigned	 nearly;
};

/* Write what can be written; may free c.  0 = c is still there. */
int	 client_push(struct client *c);
void	 client_close(struct client *c);

/* oldmaps.c: generations from this one on are kept for their readers: the last one, and older ones that fit into old_maps. */
uint64_t query_oldest_kept(const struct query *q);

/* mapwatch.c */
void	 watch_begin(struct client *c, uint64_t events);	/* that it has heard from the parent */
void	 watch_notice(struct client *c, struct notice *t);		/* takes a reference of its own */
void	 watch_change(struct client *c, const struct netmap_change *ch, struct notice *delta);	/* delta NULL: the whole map is new */
struct notice *watch_delta(struct netmap *nm, const struct netmap_change *ch);	/* NULL: out of memory */
void	 watch_dropped(struct client *c);
/* Put the next thing to say into c->out.  1 = something was put, 0 = nothing to say, -1 = out of memory. */
int	 watch_next(struct client *c);
void	 watch_full_done(struct client *c);
void	 watch_free(struct client *c);

#endif
