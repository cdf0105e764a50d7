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

struct watchers {
	struct control *ctl;
	struct cclient *list[CLIENTS_MAX + CLIENTS_ROOT];
	unsigned n;
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

void
watchers_free(struct watchers *w)
{
	free(w);
}

static void
put_event(struct cclient *cc, const char *body, size_t n)
{
	char head[EVENT_TEXT_MAX];

	buf_put(&cc->out, head, event_head(head, ++cc->seq, time_wall()));
	buf_put(&cc->out, body, n);
	buf_puts(&cc->out, "}\n");
}

static void
full_body(const struct netmap_info *nm, struct buf *b)
{
	char text[EVENT_TEXT_MAX];

	buf_put(b, text, event_netmap(text, nm->seq, nm->peers));
}

void
watchers_add(struct watchers *w, struct cclient *cc)
{
	struct buf body;

	buf_init(&body, 1u << 20);
	status_first_body(w->ctl, &body);
	w->list[w->n++] = cc; /* there are no more clients than places */
	put_event(cc, (const char *)buf_ptr(&body), buf_len(&body));
	buf_free(&body);
	cclient_flush(cc);
}

void
watchers_remove(struct watchers *w, struct cclient *cc)
{
	unsigned i;

	for (i = 0; i < w->n; i++)
		if (w->list[i] == cc) {
			w->list[i] = w->list[--w->n];
			return;
		}
}

/* mapd continues where the parent stopped, so no event may still be queued here. */
static void
to_mapd(struct watchers *w, struct cclient *cc)
{
	const struct control_ops *o = &w->ctl->ops;

	if (!cc->wants_netmap || w->emitting || buf_len(&cc->out) > 0 || o->mapd(o->arg) == NULL)
		return;
	watchers_remove(w, cc);
	command_watch_netmap(cc);
}

void
watchers_to_mapd(struct control *c)
{
	struct watchers *w = c->watchers;
	unsigned i;

	for (i = w->n; i > 0; i--) /* backwards: see emit() */
		to_mapd(w, w->list[i - 1]);
}

/* A watcher that lagged has read everything: send what it missed, then the present netmap. */
void
watchers_drained(struct watchers *w, struct cclient *cc)
{
	char text[EVENT_TEXT_MAX];
	struct buf body;

	if (cc->wants_netmap) {
		to_mapd(w, cc);
		return;
	}
	if (cc->dropped == 0)
		return;
	buf_init(&body, 4096);
	buf_put(&body, text, event_lagged(text, cc->dropped));
	put_event(cc, (const char *)buf_ptr(&body), buf_len(&body));
	cc->dropped = 0;
	if (w->ctl->ops.netmap->source != IPC_SRC_NONE) {
		buf_reset(&body);
		full_body(w->ctl->ops.netmap, &body);
		put_event(cc, (const char *)buf_ptr(&body), buf_len(&body));
	}
	buf_free(&body);
	cclient_flush(cc);
}

static int
lags(const struct cclient *cc)
{
	return cc->dropped > 0 || buf_len(&cc->out) > LAG_BYTES;
}

/* All watchers lag: an event that may be dropped need not be made. */
static int
all_lag(struct watchers *w)
{
	unsigned i;

	for (i = 0; i < w->n; i++)
		if (!lags(w->list[i]))
			return 0;
	for (i = 0; i < w->n; i++)
		w->list[i]->dropped++;
	return 1;
}

static void
emit(struct watchers *w, const char *body, size_t n, int may_drop)
{
	unsigned i;

	for (i = w->n; i > 0; i--) { /* backwards: a client that is closed removes itself */
		struct cclient *cc = w->list[i - 1];

		if (may_drop && cc->wants_netmap)
			continue;
		if (may_drop && lags(cc)) {
			cc->dropped++;
			continue;
		}
		if (buf_len(&cc->out) + n > GONE_BYTES) {
			cclient_close(cc);
			continue;
		}
		put_event(cc, body, n);
		if (!may_drop)
			cclient_flush(cc);
	}
}

void
watch_flush(struct control *c)
{
	struct watchers *w = c->watchers;
	unsigned i;

	for (i = w->n; i > 0; i--) /* backwards: see emit() */
		cclient_flush(w->list[i - 1]);
}

void
watch_event(struct control *c, const char *body, size_t n)
{
	struct ipc *mapd;

	c->watchers->emitting = 1;
	emit(c->watchers, body, n, 0);
	c->watchers->emitting = 0;
	if ((mapd = c->ops.mapd(c->ops.arg)) != NULL) {
		ipc_send_chunks(mapd, IPC_EVENT, IPC_ID_NONE, body, n);
		watchers_to_mapd(c);
	}
}

static void
send_body(struct control *c, struct buf *b)
{
	if (!b->failed)
		watch_event(c, (const char *)buf_ptr(b), buf_len(b));
	buf_free(b);
}

void
watch_browse(struct control *c, const char *url)
{
	struct buf b;

	buf_init(&b, 16384);
	buf_puts(&b, "\"event\":\"browse\",\"url\":");
	json_quote(&b, url, strlen(url));
	send_body(c, &b);
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
	send_body(c, &b);
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
	char text[EVENT_FIELDS_MAX];
	struct buf b;

	if (all_lag(c->watchers))
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
	emit(c->watchers, (const char *)buf_ptr(&b), buf_len(&b), 1);
	buf_free(&b);
}
