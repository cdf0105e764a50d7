/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "eventqueue.h"
#include "mem.h"

struct queued {
	TAILQ_ENTRY(queued) link;
	struct notice *what;
};

struct notice *
notice_new(const char *text, size_t n, int keep)
{
	struct notice *t = malloc(sizeof(*t) + n);

	if (t == NULL) {
		(void)mem_failed();
		return NULL;
	}
	t->refs = 1;
	t->keep = keep;
	t->when = time_wall();
	t->n = n;
	memcpy(t->text, text, n);
	return t;
}

void
notice_unref(struct notice *t)
{
	if (t != NULL && --t->refs == 0)
		free(t);
}

void
eventqueue_init(struct eventqueue *q, size_t max, size_t kept_max, uint64_t seq)
{
	memset(q, 0, sizeof(*q));
	TAILQ_INIT(&q->list);
	q->max = max;
	q->kept_max = kept_max;
	q->seq = seq;
}

/* The caller has the queue's reference now. */
static struct notice *
take(struct eventqueue *q, struct queued *e)
{
	struct notice *t = e->what;

	TAILQ_REMOVE(&q->list, e, link);
	q->bytes -= t->n;
	if (t->keep)
		q->kept -= t->n;
	free(e);
	return t;
}

void
eventqueue_free(struct eventqueue *q)
{
	while (!TAILQ_EMPTY(&q->list))
		notice_unref(take(q, TAILQ_FIRST(&q->list)));
}

static int
add(struct eventqueue *q, struct notice *t)
{
	struct queued *e = malloc(sizeof(*e));

	if (e == NULL)
		return mem_failed();
	e->what = t;
	t->refs++;
	q->bytes += t->n;
	if (t->keep)
		q->kept += t->n;
	TAILQ_INSERT_TAIL(&q->list, e, link);
	return 0;
}

void
eventqueue_drop_changes(struct eventqueue *q)
{
	struct queued *e, *next;

	for (e = TAILQ_FIRST(&q->list); e != NULL; e = next) {
		next = TAILQ_NEXT(e, link);
		if (e->what->keep)
			continue;
		notice_unref(take(q, e));
		q->dropped++;
		q->want_full = 1;
	}
}

int
eventqueue_keep(struct eventqueue *q, struct notice *t, size_t unsent)
{
	if (unsent + q->bytes + t->n > q->max)
		eventqueue_drop_changes(q);
	return q->kept + t->n > q->kept_max ? -1 : add(q, t);
}

void
eventqueue_change(struct eventqueue *q, struct notice *t, size_t unsent)
{
	if (q->want_full)
		q->dropped += (uint64_t)q->was_full; /* the map that will be sent contains it */
	else if (t == NULL || unsent + q->bytes + t->n > q->max || add(q, t) == -1) {
		eventqueue_drop_changes(q);
		q->dropped++;
		q->want_full = 1;
	}
}

size_t
eventqueue_head(struct eventqueue *q, char head[EVENT_TEXT_MAX])
{
	return event_head(head, ++q->seq, time_wall());
}

struct notice *
eventqueue_next(struct eventqueue *q, char head[EVENT_TEXT_MAX])
{
	struct notice *t;

	if (TAILQ_EMPTY(&q->list))
		return NULL;
	t = take(q, TAILQ_FIRST(&q->list));
	(void)event_head(head, ++q->seq, t->when);
	return t;
}

size_t
eventqueue_lagged(struct eventqueue *q, char line[2 * EVENT_TEXT_MAX])
{
	size_t n;

	if (q->dropped == 0)
		return 0;
	n = eventqueue_head(q, line);
	n += event_lagged(line + n, q->dropped);
	q->dropped = 0;
	return n + strlcpy(line + n, "}\n", 2 * EVENT_TEXT_MAX - n);
}
