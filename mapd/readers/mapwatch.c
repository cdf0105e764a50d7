/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "mapwatch.h"
#include "nodeview.h"
#include "packprint.h"

void
watch_begin(struct reader *r, uint64_t events)
{
	eventqueue_init(&r->events, QUERY_QUEUE_MAX, QUERY_QUEUE_MAX, events);
	r->watch = 1;
	r->begun = r->events.want_full = events > 0; /* else with the first status */
}

void
watch_notice(struct reader *r, struct notice *t)
{
	if (!r->begun) {
		r->begun = 1;
		r->events.want_full = 1; /* the map follows the first status */
	}
	if (eventqueue_keep(&r->events, t, r->out.n - r->off) == -1)
		reader_close(r);
	else
		(void)reader_push(r);
}

void
watch_change(struct reader *r, const struct netmap_change *ch, struct notice *delta)
{
	if (!r->begun)
		return;
	if (ch->full && !r->events.want_full)
		r->events.want_full = 1;
	else
		eventqueue_change(&r->events, delta, r->out.n - r->off);
	(void)reader_push(r);
}

void
watch_dropped(struct reader *r)
{
	eventqueue_drop_changes(&r->events);
	r->events.want_full = r->begun;
	r->events.was_full = 0;
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
put_full(struct reader *r)
{
	char text[2 * EVENT_TEXT_MAX];

	pb_put(&r->out, text, eventqueue_lagged(&r->events, text));
	r->events.want_full = 0;
	r->events.was_full = 1;
	r->work = WORK_DUMP;
	r->generation = r->q->generation;
	pb_put(&r->out, text, eventqueue_head(&r->events, text));
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
	char head[EVENT_TEXT_MAX];
	struct notice *t;

	if ((t = eventqueue_next(&r->events, head)) != NULL) {
		pb_puts(&r->out, head);
		pb_put(&r->out, t->text, t->n);
		pb_puts(&r->out, "}\n");
		notice_unref(t);
		return 1;
	}
	if (!r->events.want_full)
		return 0;
	if (dump_netmap(&r->dump, r->q->nm) == -1) {
		dump_end(&r->dump);
		return 0;
	}
	put_full(r);
	return 1;
}
