/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "h2_int.h"
#include "h2stream.h"
#include "mem.h"

/* --- streams --- */

void
h2_body_drop(struct h2_stream *st)
{
	if (st->body != NULL)
		sodium_memzero(st->body, st->body_len);
	free(st->body);
	st->body = NULL;
}

void
h2_stream_free(struct h2_stream *st)
{
	struct h2 *h = st->h;

	TAILQ_REMOVE(&h->streams, st, link);
	h->nstreams--;
	if (!st->detached)
		h->active--;
	h2_body_drop(st);
	buf_free(&st->headers);
	buf_free(&st->held);
	free(st);
}

/* From now on the stream means nothing to its owner. */
void
h2_stream_detach(struct h2_stream *st)
{
	if (st->detached)
		return;
	st->detached = 1;
	st->h->active--;
	h2_body_drop(st);
	buf_free(&st->held);
}

void
h2_stream_finish(struct h2_stream *st, enum request_err err, const char *why)
{
	struct request_ops ops = st->ops;
	void *arg = st->arg;

	if (st->detached)
		return;
	h2_stream_detach(st);
	ops.done(arg, err, why);
}

void
h2_stream_reset(struct h2_stream *st, uint32_t code)
{
	if (!st->h->dead)
		nghttp2_submit_rst_stream(st->h->ng, NGHTTP2_FLAG_NONE, st->id, code);
}

/* Gives bytes to the consumer and opens the window again. */
void
h2_stream_give(struct h2_stream *st, const uint8_t *p, size_t n)
{
	struct h2 *h = st->h;
	int32_t id = st->id;

	if (!st->detached && st->ops.data(st->arg, p, n) != 0 && !h->freed && !st->detached) {
		h2_stream_detach(st);
		h2_stream_reset(st, NGHTTP2_CANCEL);
	}
	if (!h->freed)
		nghttp2_session_consume_stream(h->ng, id, n);
}

void
h2_stream_give_held(struct h2_stream *st)
{
	struct buf b = st->held;

	buf_init(&st->held, H2_STREAM_WINDOW);
	if (buf_len(&b) > 0)
		h2_stream_give(st, buf_ptr(&b), buf_len(&b));
	buf_free(&b);
}

void
h2_give_resumed(struct h2 *h)
{
	struct h2_stream *st;

	if (!h->resumed)
		return;
	h->resumed = 0;
	/* No stream is freed while its consumer runs: nghttp2 defers that. */
	TAILQ_FOREACH(st, &h->streams, link) {
		if (h->freed)
			return;
		if (!st->paused && buf_len(&st->held) > 0)
			h2_stream_give_held(st);
	}
}

/* --- requests --- */

static nghttp2_nv
field(const char *name, const char *value)
{
	/* nghttp2 copies both: it only wants pointers that are not const. */
	union {
		const char *c;
		uint8_t *u;
	} n = { name }, v = { value };

	return (nghttp2_nv){ n.u, v.u, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE };
}

static ssize_t
body_read(nghttp2_session *ng, int32_t id, uint8_t *to, size_t len, uint32_t *flags, nghttp2_data_source *src,
    void *arg)
{
	struct h2_stream *st = src->ptr;
	size_t left = st->body_len - st->body_off;

	(void)ng;
	(void)id;
	(void)to;
	(void)arg;
	*flags = NGHTTP2_DATA_FLAG_NO_COPY;
	if (len >= left)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)(len < left ? len : left);
}

static int32_t
submit(struct h2_stream *st, const struct request_spec *spec)
{
	nghttp2_data_provider body = { .source = { .ptr = st }, .read_callback = body_read };
	char lb[2][KEY_TEXT_MAX], length[24];
	nghttp2_nv nv[8];
	size_t n = 0;

	nv[n++] = field(":method", spec->method);
	nv[n++] = field(":scheme", "https");
	nv[n++] = field(":authority", spec->authority);
	nv[n++] = field(":path", spec->path);
	if (st->body_len > 0) {
		snprintf(length, sizeof(length), "%zu", st->body_len);
		nv[n++] = field("content-length", length);
	}
	for (int i = 0; i < 2; i++)
		if (spec->lb[i] != NULL && !key_is_zero(spec->lb[i]))
			nv[n++] = field("ts-lb", key_format(KEY_NODE, spec->lb[i], lb[i]));
	return nghttp2_submit_request(st->h->ng, NULL, nv, n, st->body_len > 0 ? &body : NULL, st);
}

struct h2_stream *
h2_open(struct h2 *h, const struct request_spec *spec, uint8_t *body, const struct request_ops *ops, void *arg)
{
	struct h2_stream *st;

	if (!h2_can_open(h)) {
		if (body != NULL)
			sodium_memzero(body, spec->body_len);
		free(body);
		return NULL;
	}
	st = xcalloc(1, sizeof(*st));
	st->h = h;
	st->ops = *ops;
	st->arg = arg;
	st->body = body;
	st->body_len = body != NULL ? spec->body_len : 0;
	st->max = spec->max_answer;
	buf_init(&st->headers, H2_HEADER_LIST_MAX);
	buf_init(&st->held, H2_STREAM_WINDOW);
	TAILQ_INSERT_TAIL(&h->streams, st, link);
	h->nstreams++;
	h->active++;
	if ((st->id = submit(st, spec)) < 0) {
		h2_stream_free(st);
		return NULL;
	}
	return st;
}

void
h2_cancel(struct h2_stream *st)
{
	if (st->detached)
		return;
	h2_stream_detach(st);
	h2_stream_reset(st, NGHTTP2_CANCEL);
}

void
h2_pause(struct h2_stream *st, int paused)
{
	struct h2 *h = st->h;

	if (st->paused == paused || st->detached)
		return;
	st->paused = paused;
	if (!paused && buf_len(&st->held) > 0)
		h->resumed = 1;
}

const char *
h2_header(const struct h2_stream *st, const char *name)
{
	const char *p, *end;
	size_t len = buf_len(&st->headers);

	if (len == 0)
		return NULL;
	p = (const char *)buf_ptr(&st->headers);
	for (end = p + len; p < end; p += strlen(p) + 1) {
		const char *value = p + strlen(p) + 1;
		if (strcmp(p, name) == 0)
			return value;
		p = value;
	}
	return NULL;
}

void
h2_fail_all(struct h2 *h, enum request_err err, const char *why)
{
	struct h2_stream *st;

	h2_enter(h);
	h->dead = h->goaway = 1;
restart:
	TAILQ_FOREACH(st, &h->streams, link) {
		if (st->detached)
			continue;
		h2_stream_finish(st, err, why);
		if (h->freed)
			break;
		goto restart;
	}
	h2_leave(h);
}
