/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef READER_H
#define READER_H

#include <sys/queue.h>

#include "dump.h"
#include "errcode.h"
#include "eventqueue.h"
#include "export.h"
#include "query.h"
#include "timer.h"

/*
 * One control client that the parent handed over: its descriptor, the answer that it is sent and, for a watcher, the
 * queue of events (mapwatch.h).  The inside of query.h.
 */
struct early;
struct event;

enum reader_work { WORK_NONE, WORK_DUMP, WORK_EXPORT, WORK_SEARCH };

struct reader {
	TAILQ_ENTRY(reader) link;
	struct query	*q;
	int		 fd;
	uint32_t	 id, uid;
	int		 watch;			/* else: close when all is written */
	struct event	*readable, *writable;
	struct pb	 out;			/* from off on still to be written */
	size_t		 off;
	uint8_t		 last;			/* byte written, 0 = none yet */
	enum reader_work work;
	struct dump	 dump;
	struct exporter	 exp;
	struct peers_search search;		/* of a peer, in the present map of each moment */
	uint64_t	 generation;		/* of query.generation when the work began */
	uint64_t	 progress_ms;		/* when a byte was last written, or the socket was not full */
	int		 half_closed;
	/* watchers */
	struct eventqueue events;
	int		 begun;			/* the first status is in the queue or written */
};
TAILQ_HEAD(readers, reader);
TAILQ_HEAD(earlies, early);

struct query {
	struct event_base *base;
	struct netmap	*nm;
	const struct ipc_config *cfg;
	const struct ipc_map_params *host;	/* NULL: unknown */
	struct readers	 readers;
	unsigned	 n;
	struct timer	 tick;
	uint64_t	 generation;		/* whole maps seen */
	size_t		 old_maps;		/* QUERY_OLD_MAPS */
	struct earlies	 early;			/* events for watchers that were not handed over yet */
	unsigned	 nearly;
};

/* Into q's list.  NULL: fd cannot be used; it is the caller's still.  Else it is closed by reader_close(). */
struct reader *reader_new(struct query *q, uint32_t id, uint32_t uid, int fd);
void	 reader_close(struct reader *r);
/* Write what can be written; may free r.  0 = r still exists. */
int	 reader_push(struct reader *r);
/* Append the whole answer of `peer`; n: NULL = there is none. */
void	 reader_peer(struct reader *r, const struct node *n);
/* Append an error object (interface.md 4). */
void	 reader_error(struct reader *r, enum errcode code, const char *text);
/*
 * The answer cannot be finished.  What was sent may end at a line end: the last line says that it is incomplete (for
 * `wg setconf` it is a line that is refused).  May free r.
 */
void	 reader_abort(struct reader *r, enum errcode code, const char *text);
/* This process ends: abort an answer that is under way; the rest must still be written.  May free r. */
void	 reader_stop(struct reader *r);
/* Close r if it has kept us waiting for too long, or hung up.  May free r. */
void	 reader_check(struct reader *r, uint64_t now_ms);
/* The map that is being read; NULL: none. */
const struct view *reader_view(const struct reader *r);
/* Unread input would turn the end of our answer into a reset: discard it, but not endlessly. */
void	 reader_drain(int fd);

#endif
