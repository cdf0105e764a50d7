/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cclient.h"
#include "clients.h"
#include "command_query.h"
#include "control.h"
#include "control_int.h"
#include "eventwatch.h"
#include "status.h"
#include "text.h"

#define LAG_BYTES  (256u * 1024)  /* a queue this long drops netmap and delta events */
#define GONE_BYTES (1024u * 1024) /* ... and at this length the client is considered not to read at all */
#define HELD_MAX   32             /* events for a mapd that is busy: the oldest one gives way */
#define BATCH      (8u * 1024)    /* bytes of events written at once */

struct watchers {
	struct control *ctl;
	struct cclient *list[CLIENTS_MAX + CLIENTS_ROOT];
	unsigned n;
	uint32_t at_mapd; /* the last one handed over, while there may be one there; 0: mapd needs no events */
	struct notice *held[HELD_MAX]; /* for mapd, whose channel is full: a status is only the newest one */
	int held_status;               /* its place + 1; 0: none */
	unsigned nheld;
	int emitting; /* this event was not sent to mapd yet: a watcher moved there now would receive it twice */
};

struct watchers *
watchers_new(struct control *c)
{
	struct watchers *w = calloc(1, sizeof(*w));

	if (w != NULL)
		w->ctl = c;
	return w;
}

static void
drop_held(struct watchers *w)
{
	unsigned i;

	for (i = 0; i < w->nheld; i++)
		notice_unref(w->held[i]);
	w->nheld = 0;
	w->held_status = 0;
}

void
watchers_free(struct watchers *w)
{
	if (w != NULL)
		drop_held(w);
	free(w);
}

static void
full_body(const struct netmap_info *nm, struct buf *b)
{
	char text[EVENT_TEXT_MAX];

	buf_put(b, text, event_netmap(text, nm->seq, nm->peers));
}

static struct notice *
notice_of(const struct buf *b, int keep)
{
	return b->failed ? NULL : notice_new((const char *)buf_ptr(b), buf_len(b), keep);
}

/* An event that must not be lost; NULL: no memory for it.  May close cc. */
static void
send_kept(struct cclient *cc, struct notice *t)
{
	if (t == NULL || eventqueue_keep(&cc->events, t, buf_len(&cc->out)) == -1)
		cclient_close(cc);
	else
		cclient_flush(cc);
}

void
watchers_add(struct watchers *w, struct cclient *cc)
{
	struct notice *t;
	struct buf body;

	buf_init(&body, 1u << 20);
	status_first_body(w->ctl, &body);
	w->list[w->n++] = cc; /* there are no more clients than places */
	eventqueue_init(&cc->events, LAG_BYTES, GONE_BYTES, 0);
	cc->events.was_full = 1;
	send_kept(cc, t = notice_of(&body, 1));
	buf_free(&body);
	notice_unref(t);
}

void
watchers_remove(struct watchers *w, struct cclient *cc)
{
	unsigned i;

	for (i = 0; i < w->n; i++)
		if (w->list[i] == cc) {
			w->list[i] = w->list[--w->n];
			eventqueue_free(&cc->events);
			return;
		}
}

/* mapd continues where the parent stopped, so no event may still be queued here. */
void
watchers_drained(struct cclient *cc)
{
	struct watchers *w = cc->ctl->watchers;
	const struct control_ops *o = &w->ctl->ops;

	if (!cc->wants_netmap || w->emitting || buf_len(&cc->out) > 0 || !eventqueue_empty(&cc->events) ||
	    o->mapd(o->arg) == NULL || command_mapd_full(cc))
		return;
	watchers_remove(w, cc);
	command_watch_netmap(cc);
}

/* --- those that mapd serves --- */

/* All that was held, in its order, whether or not there is room: what follows must come after it. */
static void
send_held(struct watchers *w, struct ipc *mapd)
{
	unsigned i;

	for (i = 0; i < w->nheld; i++)
		ipc_send_chunks(mapd, IPC_EVENT, IPC_ID_NONE, w->held[i]->text, w->held[i]->n);
	drop_held(w);
}

/* A slow mapd gets the newest status for all that it has missed. */
static void
hold(struct watchers *w, struct notice *t, int status)
{
	unsigned at = status && w->held_status > 0 ? (unsigned)w->held_status - 1 : w->nheld == HELD_MAX ? 0 : HELD_MAX;

	if (at < HELD_MAX) {
		notice_unref(w->held[at]);
		memmove(&w->held[at], &w->held[at + 1], (w->nheld - at - 1) * sizeof(w->held[0]));
		w->nheld--;
		w->held_status = status ? 0 : w->held_status > 0 ? w->held_status - 1 : 0;
	}
	t->refs++;
	w->held[w->nheld++] = t;
	if (status)
		w->held_status = (int)w->nheld;
}

static void
send_mapd(struct watchers *w, struct ipc *mapd, struct notice *t, int status)
{
	if (w->at_mapd == 0)
		return;
	if (w->nheld > 0 || ipc_full(mapd))
		hold(w, t, status);
	else
		ipc_send_chunks(mapd, IPC_EVENT, IPC_ID_NONE, t->text, t->n);
}

void
watchers_room(struct control *c)
{
	struct ipc *mapd = c->ops.mapd(c->ops.arg);

	if (mapd == NULL)
		return;
	send_held(c->watchers, mapd);
	watchers_to_mapd(c);
}

void
watchers_mapd_gone(struct control *c)
{
	if (c == NULL)
		return;
	c->watchers->at_mapd = 0;
	drop_held(c->watchers);
}

void
watchers_at_mapd(struct control *c, struct ipc *mapd, uint32_t id)
{
	send_held(c->watchers, mapd);
	c->watchers->at_mapd = id;
}

void
watchers_left_mapd(struct control *c, uint32_t id)
{
	if (c->watchers->at_mapd != id)
		return; /* another one has been sent meanwhile */
	c->watchers->at_mapd = 0;
	drop_held(c->watchers);
}

void
watchers_to_mapd(struct control *c)
{
	struct watchers *w = c->watchers;
	unsigned i;

	for (i = w->n; i > 0; i--) /* backwards: one that is handed over removes itself */
		watchers_drained(w->list[i - 1]);
}

/* A watcher that lagged has read everything: it is sent what it missed, then the present netmap. */
static void
put_full(struct cclient *cc)
{
	const struct netmap_info *nm = cc->ctl->ops.netmap;
	char text[2 * EVENT_TEXT_MAX];

	buf_put(&cc->out, text, eventqueue_lagged(&cc->events, text));
	cc->events.want_full = 0;
	if (nm->source == IPC_SRC_NONE)
		return;
	buf_put(&cc->out, text, eventqueue_head(&cc->events, text));
	full_body(nm, &cc->out);
	buf_puts(&cc->out, "}\n");
}

int
watchers_more(struct cclient *cc)
{
	char head[EVENT_TEXT_MAX];
	struct notice *t;

	while (buf_len(&cc->out) < BATCH && (t = eventqueue_next(&cc->events, head)) != NULL) {
		buf_puts(&cc->out, head);
		buf_put(&cc->out, t->text, t->n);
		buf_puts(&cc->out, "}\n");
		notice_unref(t);
	}
	if (buf_len(&cc->out) == 0 && cc->events.want_full)
		put_full(cc);
	return buf_len(&cc->out) > 0 && !cc->out.failed;
}

/* All watchers lag: an event that may be lost need not be made. */
static int
all_lag(struct watchers *w)
{
	unsigned i;

	for (i = 0; i < w->n; i++)
		if (!w->list[i]->events.want_full)
			return 0;
	for (i = 0; i < w->n; i++)
		eventqueue_change(&w->list[i]->events, NULL, 0);
	return 1;
}

void
watch_flush(struct control *c)
{
	struct watchers *w = c->watchers;
	unsigned i;

	for (i = w->n; i > 0; i--) /* backwards: see watch_event() */
		cclient_flush(w->list[i - 1]);
}

static void
emit(struct control *c, struct buf *body, int status)
{
	struct watchers *w = c->watchers;
	struct notice *t = notice_of(body, 1);
	struct ipc *mapd;
	unsigned i;

	w->emitting = 1;
	for (i = w->n; i > 0; i--) /* backwards: a client that is closed removes itself */
		send_kept(w->list[i - 1], t);
	w->emitting = 0;
	if ((mapd = c->ops.mapd(c->ops.arg)) != NULL) {
		if (t != NULL)
			send_mapd(w, mapd, t, status);
		watchers_to_mapd(c);
	}
	notice_unref(t);
	buf_free(body);
}

void
watch_event(struct control *c, struct buf *body)
{
	emit(c, body, 0);
}

void
watch_status(struct control *c, struct buf *body)
{
	emit(c, body, 1);
}

void
watch_browse(struct control *c, const char *url)
{
	struct buf b;

	buf_init(&b, 16384);
	buf_puts(&b, "\"event\":\"browse\",\"url\":");
	json_quote(&b, url, strlen(url));
	watch_event(c, &b);
}

void
watch_child(struct control *c, const char *name, int signal, int status)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, "\"event\":\"child\",\"name\":\"%s\",\"what\":\"exited\",", name);
	if (signal != 0)
		buf_printf(&b, "\"signal\":%d,\"status\":null", signal);
	else
		buf_printf(&b, "\"signal\":null,\"status\":%d", status);
	watch_event(c, &b);
}

static void
put_ids(struct buf *b, const uint8_t *ids, uint32_t n)
{
	uint32_t i;

	buf_putc(b, '[');
	for (i = 0; i < n; i++) {
		int64_t id;

		memcpy(&id, ids + (size_t)i * sizeof(id), sizeof(id));
		buf_printf(b, "%s\"%" PRId64 "\"", i > 0 ? "," : "", id);
	}
	buf_putc(b, ']');
}

void
watch_delta(struct control *c, const struct ipc_delta_rec *r, const uint8_t *changed, const uint8_t *removed)
{
	struct watchers *w = c->watchers;
	char text[EVENT_FIELDS_MAX];
	struct notice *t;
	struct buf b;
	unsigned i;

	if (all_lag(w))
		return;
	buf_init(&b, 1u << 20);
	if (r->full)
		full_body(c->ops.netmap, &b);
	else {
		buf_put(&b, text, event_delta(text, r->seq));
		buf_puts(&b, ",\"changed\":");
		put_ids(&b, changed, r->nchanged);
		buf_puts(&b, ",\"removed\":");
		put_ids(&b, removed, r->nremoved);
		buf_putc(&b, ',');
		buf_put(&b, text, event_fields(text, r->fields));
	}
	t = notice_of(&b, 0);
	buf_free(&b);
	for (i = 0; i < w->n; i++)
		if (!w->list[i]->wants_netmap)
			eventqueue_change(&w->list[i]->events, t, buf_len(&w->list[i]->out));
	notice_unref(t);
}
