/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "reader.h"

/*
 * `watch netmap` (interface.md 6).  A watcher that falls behind loses netmap and delta events, hears how many, and
 * gets the whole map, also when it was to get one for another reason; what the parent says (status, browse, child) it never loses.
 */

struct notice *
notice_new(const char *text, size_t n, int keep)
{
	struct notice *t = malloc(sizeof(*t) + n);

	if (t == NULL)
		return NULL;
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
remove_queued(struct client *c, struct queued *e)
{
	TAILQ_REMOVE(&c->queue, e, link);
	c->queued_bytes -= e->what->n;
	if (e->what->keep)
		c->kept_bytes -= e->what->n;
	notice_unref(e->what);
	free(e);
}

/* Everything that may be lost goes. */
static uint64_t
forget_deltas(struct client *c)
{
	struct queued *e, *next;
	uint64_t n = 0;

	TAILQ_FOREACH_SAFE(e, &c->queue, link, next) {
		if (!e->what->keep) {
			remove_queued(c, e);
			n++;
		}
	}
	return n;
}

static void
lag(struct client *c, uint64_t more)
{
	c->dropped += forget_deltas(c) + more;
	c->is_lagged = 1;
	c->want_full = 1;
}

static int
enqueue(struct client *c, struct notice *t)
{
	struct queued *e = malloc(sizeof(*e));

	if (e == NULL)
		return -1;
	e->what = t;
	t->refs++;
	c->queued_bytes += t->n;
	if (t->keep)
		c->kept_bytes += t->n;
	TAILQ_INSERT_TAIL(&c->queue, e, link);
	return 0;
}

static size_t
pending(const struct client *c)
{
	return c->out.n - c->off + c->queued_bytes;
}

void
watch_begin(struct client *c, uint64_t events)
{
	TAILQ_INIT(&c->queue);
	c->watch = 1;
	c->seq = events;
	c->begun = c->want_full = events > 0; /* else with the first status */
}

void
watch_notice(struct client *c, struct notice *t)
{
	if (!c->begun) {
		c->begun = 1;
		c->want_full = 1; /* the map comes behind the first status */
	}
	if (pending(c) + t->n > QUERY_QUEUE_MAX)
		lag(c, 0);
	if (c->kept_bytes + t->n > QUERY_QUEUE_MAX || enqueue(c, t) == -1)
		client_close(c); /* it reads nothing at all: what must not be lost can't be kept for ever */
	else
		(void)client_push(c);
}

void
watch_change(struct client *c, const struct netmap_change *ch, struct notice *delta)
{
	if (!c->begun)
		return;
	if (c->want_full) {
		/* the map still to be sent has it, in the place of an event of its own if it is not the first */
		c->dropped += (uint64_t)c->was_full;
		c->is_lagged |= c->was_full;
	} else if (delta == NULL) {
		if (!ch->full)
			lag(c, 1);
		c->want_full = 1;
	} else if (pending(c) + delta->n > QUERY_QUEUE_MAX || enqueue(c, delta) == -1)
		lag(c, 1);
	(void)client_push(c);
}

void
watch_dropped(struct client *c)
{
	c->dropped += forget_deltas(c);
	c->is_lagged = c->dropped > 0;
	c->want_full = c->begun;
	c->was_full = 0;
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

static void
field_names(struct pb *b, uint32_t fields)
{
	static const char *const names[NF_COUNT] = {
#define F(member, shown, type, none, kind) shown,
		NETMAP_FIELDS(F)
#undef F
	};
	unsigned f;
	int any = 0;

	pb_puts(b, ",\"fields\":[");
	for (f = 0; f < NF_COUNT; f++) {
		if (!(fields & 1u << f))
			continue;
		if (any)
			pb_byte(b, ',');
		any = 1;
		pb_byte(b, '"');
		pb_puts(b, names[f]);
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
	struct notice *t;
	size_t i;
	int any = 0;

	pb_printf(&b, "\"event\":\"delta\",\"netmapSeq\":%llu", (unsigned long long)ch->seq);
	ids(&b, ",\"changed\":[", ch->changed, ch->nchanged);
	ids(&b, ",\"removed\":[", ch->removed, ch->nremoved);
	field_names(&b, ch->fields);
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

/* {"v":1,"seq":N,"time":"..", */
static void
head(struct client *c, struct wtime when)
{
	pb_printf(&c->out, "{\"v\":1,\"seq\":%llu,\"time\":\"", (unsigned long long)++c->seq);
	when.nsec = when.nsec / 1000000 * 1000000;
	pb_need(&c->out, TIME_TEXT_MAX);
	c->out.n += pack_time_text((char *)c->out.p + c->out.n, when);
	pb_puts(&c->out, "\",");
}

static void
say_lagged(struct client *c)
{
	head(c, time_wall());
	pb_printf(&c->out, "\"event\":\"lagged\",\"dropped\":%llu}\n", (unsigned long long)c->dropped);
	c->dropped = 0;
	c->is_lagged = 0;
}

static void
say_full(struct client *c)
{
	c->want_full = 0;
	c->was_full = 1;
	c->work = WORK_DUMP;
	c->generation = c->q->generation;
	head(c, time_wall());
	pb_printf(&c->out, "\"event\":\"netmap\",\"netmapSeq\":%llu,\"full\":true,\"peers\":%zu,\"netmap\":",
	    (unsigned long long)c->dump.walk.snap.view->seq, netmap_peers(c->q->nm));
}

void
watch_full_done(struct client *c)
{
	pb_puts(&c->out, "}\n");
}

int
watch_next(struct client *c)
{
	struct queued *e = TAILQ_FIRST(&c->queue);

	if (e != NULL) {
		head(c, e->what->when);
		pb_put(&c->out, e->what->text, e->what->n);
		pb_puts(&c->out, "}\n");
		remove_queued(c, e);
	} else if (c->want_full && dump_netmap(&c->dump, c->q->nm) == 0) {
		if (c->is_lagged)
			say_lagged(c);
		say_full(c);
	} else {
		if (c->want_full)
			dump_end(&c->dump);
		return 0;
	}
	return 1;
}

void
watch_free(struct client *c)
{
	while (!TAILQ_EMPTY(&c->queue))
		remove_queued(c, TAILQ_FIRST(&c->queue));
}
