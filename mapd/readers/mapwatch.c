/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "clients.h"
#include "mapwatch.h"
#include "mem.h"
#include "nodeview.h"
#include "packprint.h"

struct notice *
notice_new(const char *text, size_t n, int keep)
{
	struct notice *t = xmalloc(sizeof(*t) + n);

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

static void
remove_queued(struct reader *r, struct queued *e)
{
	TAILQ_REMOVE(&r->queue, e, link);
	r->queued_bytes -= e->what->n;
	if (e->what->keep)
		r->kept_bytes -= e->what->n;
	notice_unref(e->what);
	free(e);
}

/* Remove all events that may be lost; returns their number. */
static uint64_t
forget_deltas(struct reader *r)
{
	struct queued *e, *next;
	uint64_t n = 0;

	TAILQ_FOREACH_SAFE(e, &r->queue, link, next) {
		if (!e->what->keep) {
			remove_queued(r, e);
			n++;
		}
	}
	return n;
}

static void
lag(struct reader *r, uint64_t more)
{
	r->dropped += forget_deltas(r) + more;
	r->is_lagged = 1;
	r->want_full = 1;
}

static void
enqueue(struct reader *r, struct notice *t)
{
	struct queued *e = xmalloc(sizeof(*e));

	e->what = t;
	t->refs++;
	r->queued_bytes += t->n;
	if (t->keep)
		r->kept_bytes += t->n;
	TAILQ_INSERT_TAIL(&r->queue, e, link);
}

static size_t
pending(const struct reader *r)
{
	return r->out.n - r->off + r->queued_bytes;
}

void
watch_begin(struct reader *r, uint64_t events)
{
	TAILQ_INIT(&r->queue);
	r->watch = 1;
	r->seq = events;
	r->begun = r->want_full = events > 0; /* else with the first status */
}

void
watch_notice(struct reader *r, struct notice *t)
{
	if (!r->begun) {
		r->begun = 1;
		r->want_full = 1; /* the map follows the first status */
	}
	if (pending(r) + t->n > QUERY_QUEUE_MAX)
		lag(r, 0);
	if (r->kept_bytes + t->n > QUERY_QUEUE_MAX) {
		reader_close(r); /* it reads nothing at all: what must not be lost cannot be kept without a limit */
		return;
	}
	enqueue(r, t);
	(void)reader_push(r);
}

void
watch_change(struct reader *r, const struct netmap_change *ch, struct notice *delta)
{
	if (!r->begun)
		return;
	if (r->want_full) {
		/* the map that will be sent contains the change; if it is not the first map, an event was dropped */
		r->dropped += (uint64_t)r->was_full;
		r->is_lagged |= r->was_full;
	} else if (delta == NULL) {
		if (!ch->full)
			lag(r, 1);
		r->want_full = 1;
	} else if (pending(r) + delta->n > QUERY_QUEUE_MAX)
		lag(r, 1);
	else
		enqueue(r, delta);
	(void)reader_push(r);
}

void
watch_dropped(struct reader *r)
{
	r->dropped += forget_deltas(r);
	r->is_lagged = r->dropped > 0;
	r->want_full = r->begun;
	r->was_full = 0;
}

/* --- the texts --- */

static void
ids(struct pb *b, const char *name, const int64_t *id, size_t n)
{
	size_t i;

	pb_puts(b, name);
	for (i = 0; i < n; i++) {
		if (i > 0)
			pb_byte(b, ',');
		pb_byte(b, '"');
		pb_i64(b, id[i]);
		pb_byte(b, '"');
	}
	pb_byte(b, ']');
}

struct notice *
watch_delta(struct netmap *nm, const struct netmap_change *ch)
{
	struct peers *p = nm->cur->peers;
	struct pb b = { 0 };
	const struct node *n;
	char text[EVENT_FIELDS_MAX];
	struct notice *t;
	size_t i;
	int any = 0;

	pb_put(&b, text, event_delta(text, ch->seq));
	ids(&b, ",\"changed\":[", ch->changed, ch->nchanged);
	ids(&b, ",\"removed\":[", ch->removed, ch->nremoved);
	pb_byte(&b, ',');
	pb_put(&b, text, event_fields(text, ch->fields));
	pb_puts(&b, ",\"nodes\":[");
	for (i = 0; i < ch->nchanged && b.n <= QUERY_QUEUE_MAX; i++) {
		if ((n = peers_find(p, ch->changed[i])) == NULL)
			continue;
		if (any)
			pb_byte(&b, ',');
		any = 1;
		node_print(&b, n, p->dict);
	}
	pb_byte(&b, ']');
	t = b.n > QUERY_QUEUE_MAX ? NULL : notice_new((const char *)b.p, b.n, 0);
	pb_free(&b);
	return t;
}

static void
head(struct reader *r, struct wtime when)
{
	char text[EVENT_TEXT_MAX];

	when.nsec = when.nsec / 1000000 * 1000000;
	pb_put(&r->out, text, event_head(text, ++r->seq, when));
}

static void
put_lagged(struct reader *r)
{
	char text[EVENT_TEXT_MAX];

	head(r, time_wall());
	pb_put(&r->out, text, event_lagged(text, r->dropped));
	pb_puts(&r->out, "}\n");
	r->dropped = 0;
	r->is_lagged = 0;
}

static void
put_full(struct reader *r)
{
	char text[EVENT_TEXT_MAX];

	r->want_full = 0;
	r->was_full = 1;
	r->work = WORK_DUMP;
	r->generation = r->q->generation;
	head(r, time_wall());
	pb_put(&r->out, text, event_netmap(text, r->dump.walk.snap.view->seq, netmap_peers(r->q->nm)));
	pb_puts(&r->out, ",\"netmap\":");
}

void
watch_full_done(struct reader *r)
{
	pb_puts(&r->out, "}\n");
}

int
watch_next(struct reader *r)
{
	struct queued *e = TAILQ_FIRST(&r->queue);

	if (e != NULL) {
		head(r, e->what->when);
		pb_put(&r->out, e->what->text, e->what->n);
		pb_puts(&r->out, "}\n");
		remove_queued(r, e);
	} else if (r->want_full && dump_netmap(&r->dump, r->q->nm) == 0) {
		if (r->is_lagged)
			put_lagged(r);
		put_full(r);
	} else {
		if (r->want_full)
			dump_end(&r->dump);
		return 0;
	}
	return 1;
}

void
watch_free(struct reader *r)
{
	while (!TAILQ_EMPTY(&r->queue))
		remove_queued(r, TAILQ_FIRST(&r->queue));
}
