/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connup.h"
#include "h2stream.h"
#include "mem.h"
#include "session_int.h"

static void
body_drop(struct request *r)
{
	if (r->body != NULL)
		sodium_memzero(r->body, r->spec.body_len);
	free(r->body);
	r->body = NULL;
}

static void
release(struct request *r)
{
	body_drop(r);
	free(r->texts);
	free(r);
}

/* Out of all lists and timers; memory stays while its data() is on the stack. */
void
request_drop(struct request *r)
{
	if (r->gone)
		return;
	r->gone = 1;
	if (r->c != NULL)
		TAILQ_REMOVE(&r->s->running, r, link);
	else
		TAILQ_REMOVE(&r->s->waiting, r, link);
	timer_free(&r->timer);
	if (r->busy == 0)
		release(r);
}

void
request_fail(struct request *r, enum request_err err, const char *why)
{
	struct request_ops ops = r->ops;
	void *arg = r->arg;

	request_drop(r);
	ops.done(arg, err, why);
}

/* --- callbacks of the stream --- */

static void
on_head(void *arg, int status)
{
	struct request *r = arg;

	r->ops.head(r->arg, status);
}

static int
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct request *r = arg;
	int rc;

	r->busy++;
	rc = r->ops.data(r->arg, p, n);
	r->busy--;
	if (rc != 0 && !r->gone) {
		r->busy++; /* request_drop() leaves the memory to us */
		session_kick(r->s);
		request_drop(r);
		r->busy--;
	}
	if (!r->gone)
		return 0;
	release(r);
	return -1;
}

static void
on_done(void *arg, enum request_err err, const char *why)
{
	struct request *r = arg;

	session_kick(r->s); /* there may be room for another */
	request_fail(r, err, why);
}

static const struct request_ops stream_ops = { on_head, on_data, on_done };

static void
on_timeout(void *arg)
{
	struct request *r = arg;
	char why[64];

	if (r->st != NULL) {
		h2_cancel(r->st);
		conn_kick(r->c);
	}
	snprintf(why, sizeof(why), "no answer within %u s", r->spec.timeout_ms / 1000);
	request_fail(r, REQ_TIMEOUT, why);
}

int
request_open(struct request *r, struct conn *c)
{
	uint8_t *body = r->body;

	r->body = NULL;
	if ((r->st = h2_open(conn_h2(c), &r->spec, body, &stream_ops, r)) == NULL) {
		request_fail(r, REQ_TRANSPORT, "the connection accepts no further requests");
		return -1;
	}
	TAILQ_REMOVE(&r->s->waiting, r, link);
	TAILQ_INSERT_TAIL(&r->s->running, r, link);
	r->c = c;
	h2_pause(r->st, r->paused);
	conn_kick(c);
	return 0;
}

/* --- calls of the user --- */

/* The path may be chosen by a server: only visible ASCII is put into a header. */
static int
visible(const char *s)
{
	if (*s == '\0')
		return 0;
	for (; *s != '\0'; s++)
		if ((uint8_t)*s <= 0x20 || (uint8_t)*s >= 0x7f)
			return 0;
	return 1;
}

/* One block for the three texts. */
static void
copy_texts(struct request *r, const struct request_spec *spec, const char *authority)
{
	size_t m = strlen(spec->method) + 1, p = strlen(spec->path) + 1, a = strlen(authority) + 1;

	r->texts = xmalloc(m + p + a);
	memcpy(r->texts, spec->method, m);
	memcpy(r->texts + m, spec->path, p);
	memcpy(r->texts + m + p, authority, a);
	r->spec.method = r->texts;
	r->spec.path = r->texts + m;
	r->spec.authority = r->texts + m + p;
}

static void
copy_spec(struct request *r, const struct request_spec *spec)
{
	r->spec = *spec;
	r->spec.body = NULL;
	for (int i = 0; i < 2; i++) {
		if (spec->lb[i] == NULL)
			continue;
		r->lb[i] = *spec->lb[i];
		r->spec.lb[i] = &r->lb[i];
	}
	copy_texts(r, spec, spec->authority != NULL ? spec->authority : r->s->cfg.authority);
	if (spec->body_len > 0) {
		r->body = xmalloc(spec->body_len);
		memcpy(r->body, spec->body, spec->body_len);
	}
	if (spec->timeout_ms == 0)
		return;
	timer_init(&r->timer, r->s->base, on_timeout, r);
	timer_set_ms(&r->timer, spec->timeout_ms);
}

struct request *
session_request(struct session *s, const struct request_spec *spec, const struct request_ops *ops, void *arg)
{
	struct request *r;

	if (!visible(spec->method) || !visible(spec->path) || (spec->authority != NULL && !visible(spec->authority))) {
		errno = EINVAL;
		return NULL;
	}
	r = xcalloc(1, sizeof(*r));
	r->s = s;
	r->epoch = s->epoch;
	r->ops = *ops;
	r->arg = arg;
	TAILQ_INSERT_TAIL(&s->waiting, r, link);
	copy_spec(r, spec);
	session_kick(s);
	return r;
}

void
request_cancel(struct request *r)
{
	if (r->gone)
		return;
	if (r->st != NULL) {
		h2_cancel(r->st);
		conn_kick(r->c);
		session_kick(r->s);
	}
	request_drop(r);
}

const char *
request_header(const struct request *r, const char *name)
{
	return r->st != NULL ? h2_header(r->st, name) : NULL;
}

void
request_pause(struct request *r, int paused)
{
	r->paused = paused;
	if (r->st == NULL)
		return;
	h2_pause(r->st, paused);
	conn_kick(r->c);
}
