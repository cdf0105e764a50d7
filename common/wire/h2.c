/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "h2_int.h"
#include "h2stream.h"
#include "mem.h"
#include "text.h"

/*
 * nghttp2 does framing, HPACK, flow control and the stream states; h2guard keeps the budgets in front of it.  Windows
 * are refilled by hand: the connection's as bytes arrive, a stream's as its consumer takes them.
 */

/* The first one counts. */
static void
set_error(struct h2 *h, const char *why)
{
	if (h->error[0] == '\0')
		snprintf(h->error, sizeof(h->error), "%s", why);
	h->goaway = 1;
}

static void
release(struct h2 *h)
{
	struct h2_stream *st;

	nghttp2_session_del(h->ng);
	while ((st = TAILQ_FIRST(&h->streams)) != NULL)
		h2_stream_free(st);
	h2guard_free(&h->guard);
	free(h);
}

void
h2_enter(struct h2 *h)
{
	h->in_call++;
}

void
h2_leave(struct h2 *h)
{
	if (--h->in_call == 0 && h->freed)
		release(h);
}

static struct h2_stream *
find(nghttp2_session *ng, int32_t id)
{
	return nghttp2_session_get_stream_user_data(ng, id);
}

/* --- callbacks of nghttp2 --- */

static int
on_begin_headers(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct h2_stream *st = find(ng, f->hd.stream_id);

	(void)arg;
	if (st == NULL)
		return 0;
	st->head_bytes = 0;
	if (!st->final)
		buf_reset(&st->headers);
	return 0;
}

static int
on_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name, size_t nlen, const uint8_t *value,
    size_t vlen, uint8_t flags, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *st = find(ng, f->hd.stream_id);
	int64_t v;

	(void)flags;
	if (h->freed)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (st == NULL)
		return 0;
	st->head_bytes += nlen + vlen + 32; /* RFC 9113 6.5.2 */
	if (st->head_bytes > H2_HEADER_LIST_MAX) {
		h->limit = 1;
		set_error(h, "the server sends too large HTTP/2 headers");
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	if (st->final || memchr(value, '\0', vlen) != NULL)
		return 0;
	if (nlen == 7 && memcmp(name, ":status", 7) == 0)
		st->status = text_to_i64((const char *)value, vlen, 100, 999, &v) == 0 ? (int)v : 0;
	if (nlen == 16 && memcmp(name, "content-encoding", 16) == 0 && (vlen != 8 || memcmp(value, "identity", 8) != 0))
		st->encoded = 1;
	buf_put(&st->headers, name, nlen);
	buf_put(&st->headers, "", 1);
	buf_put(&st->headers, value, vlen);
	buf_put(&st->headers, "", 1);
	return st->headers.failed ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static void
head_done(struct h2 *h, struct h2_stream *st)
{
	const char *why;

	if (st->final)
		return; /* trailers */
	if (st->status < 200) {
		if ((why = h2guard_count(&h->guard, h->now)) != NULL)
			set_error(h, why);
		return;
	}
	st->final = 1;
	if (st->encoded)
		h2_stream_reset(st, NGHTTP2_CANCEL); /* no compression was requested (protocol.md C.7) */
	else if (!st->detached)
		st->ops.head(st->arg, st->status);
}

static int
on_frame_recv(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *st = f->hd.stream_id > 0 ? find(ng, f->hd.stream_id) : NULL;
	const char *why = NULL;

	if (f->hd.type == NGHTTP2_GOAWAY)
		h->goaway = 1;
	if (f->hd.type == NGHTTP2_SETTINGS)
		h->settings = 1;
	/* A frame of padding only costs as much as an empty one. */
	if (f->hd.type == NGHTTP2_DATA && f->hd.length > 0 && f->hd.length <= f->data.padlen)
		why = h2guard_count(&h->guard, h->now);
	if (why != NULL)
		set_error(h, why);
	if (st != NULL && (f->hd.type == NGHTTP2_HEADERS || f->hd.type == NGHTTP2_DATA)) {
		if (f->hd.flags & NGHTTP2_FLAG_END_STREAM)
			st->ended = 1;
		if (f->hd.type == NGHTTP2_HEADERS)
			head_done(h, st);
	}
	return h->freed || h->error[0] != '\0' ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int
on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *st = find(ng, id);

	(void)flags;
	nghttp2_session_consume_connection(ng, n);
	if (st == NULL || st->detached || st->encoded) {
		nghttp2_session_consume_stream(ng, id, n);
		return 0;
	}
	st->got += n;
	if (st->max != 0 && st->got > st->max) {
		st->too_large = 1;
		h2_stream_reset(st, NGHTTP2_CANCEL);
		h2_stream_finish(st, REQ_TOO_LARGE, "the answer is too large");
	} else if (st->paused || buf_len(&st->held) > 0) {
		if (buf_put(&st->held, p, n) == -1)
			set_error(h, "the server ignores the flow control window");
	} else
		h2_stream_give(st, p, n);
	return h->freed || h->error[0] != '\0' ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int
on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *st = find(ng, id);
	char why[96];

	if (st == NULL)
		return 0;
	nghttp2_session_set_stream_user_data(ng, id, NULL);
	if (!st->detached && buf_len(&st->held) > 0)
		h2_stream_give_held(st); /* paused, but the stream is over: nothing is lost */
	snprintf(why, sizeof(why), "the server reset the stream (%s)", nghttp2_http2_strerror(code));
	if (h->freed)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (st->encoded)
		h2_stream_finish(st, REQ_RESET, "the answer is compressed, which was not asked for");
	else if (code == NGHTTP2_REFUSED_STREAM)
		h2_stream_finish(st, REQ_GOAWAY, "the server did not take the request");
	else if (code != NGHTTP2_NO_ERROR || !st->ended || !st->final)
		h2_stream_finish(st, REQ_RESET, why);
	else
		h2_stream_finish(st, REQ_OK, NULL);
	if (h->freed)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	h2_stream_free(st);
	return 0;
}

/* A request nghttp2 could not begin to send never becomes a stream of its own. */
static int
on_not_sent(nghttp2_session *ng, const nghttp2_frame *f, int code, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *st, *tmp;

	(void)code;
	if (f->hd.type != NGHTTP2_HEADERS)
		return 0;
	nghttp2_session_set_stream_user_data(ng, f->hd.stream_id, NULL);
	TAILQ_FOREACH_SAFE(st, &h->streams, link, tmp) {
		if (st->id != f->hd.stream_id)
			continue;
		h2_stream_finish(st, REQ_GOAWAY, "the connection accepts no further requests");
		if (h->freed)
			return NGHTTP2_ERR_CALLBACK_FAILURE;
		h2_stream_free(st);
		break;
	}
	return 0;
}

static int
on_frame_sent(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct h2 *h = arg;
	char text[96], why[200];

	(void)ng;
	if (f->hd.type != NGHTTP2_GOAWAY || f->goaway.error_code == NGHTTP2_NO_ERROR)
		return 0;
	/* The reason is nghttp2's own text. */
	text_sanitize((const char *)f->goaway.opaque_data, f->goaway.opaque_data_len, text, sizeof(text));
	snprintf(why, sizeof(why), "HTTP/2 error: %s%s%s", nghttp2_http2_strerror(f->goaway.error_code),
	    text[0] ? ": " : "", text);
	set_error(h, why);
	return 0;
}

/* The body is sent without a copy inside nghttp2: it may hold an auth key. */
static int
body_send(nghttp2_session *ng, nghttp2_frame *f, const uint8_t *hd, size_t len, nghttp2_data_source *src, void *arg)
{
	struct h2 *h = arg;
	struct h2_stream *st = src->ptr;
	int rc;

	(void)ng;
	(void)f;
	if (st->body == NULL || len > st->body_len - st->body_off)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (h->out(h->arg, hd, 9) == -1)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if ((rc = h->out(h->arg, st->body + st->body_off, len)) == -1)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	h->full = rc == 1;
	h2guard_sent(&h->guard);
	st->body_off += len;
	if (st->body_off == st->body_len)
		h2_body_drop(st);
	return 0;
}

/* --- the connection --- */

static void *
ng_malloc(size_t n, void *arg)
{
	(void)arg;
	return xmalloc(n);
}

static void
ng_free(void *p, void *arg)
{
	(void)arg;
	free(p);
}

static void *
ng_calloc(size_t n, size_t size, void *arg)
{
	(void)arg;
	return xcalloc(n, size);
}

static void *
ng_realloc(void *p, size_t n, void *arg)
{
	(void)arg;
	return xrealloc(p, n);
}

static void
make_session(struct h2 *h)
{
	nghttp2_mem mem = { NULL, ng_malloc, ng_free, ng_calloc, ng_realloc };
	nghttp2_session_callbacks *cb = NULL;
	nghttp2_option *opt = NULL;

	if (nghttp2_session_callbacks_new(&cb) != 0 || nghttp2_option_new(&opt) != 0)
		mem_exhausted();
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(cb, on_not_sent);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
	nghttp2_session_callbacks_set_send_data_callback(cb, body_send);
	nghttp2_option_set_no_auto_window_update(opt, 1);
	nghttp2_option_set_max_settings(opt, H2_MAX_SETTINGS);
	nghttp2_option_set_max_reserved_remote_streams(opt, 0);
	nghttp2_option_set_no_closed_streams(opt, 1);
	if (nghttp2_session_client_new3(&h->ng, cb, h, opt, &mem) != 0)
		mem_exhausted();
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(opt);
}

struct h2 *
h2_new(h2_out out, void *arg)
{
	nghttp2_settings_entry iv[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_HEADER_LIST_MAX },
	};
	struct h2 *h = xcalloc(1, sizeof(*h));

	h->out = out;
	h->arg = arg;
	TAILQ_INIT(&h->streams);
	h2guard_init(&h->guard);
	make_session(h);
	/* Without memory they do not return; these settings and this window are valid. */
	if (nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, iv, sizeof(iv) / sizeof(iv[0])) != 0 ||
	    nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, 0, H2_CONN_WINDOW) != 0)
		abort();
	return h;
}

void
h2_free(struct h2 *h)
{
	struct h2_stream *st;

	if (h == NULL || h->freed)
		return;
	h->freed = 1;
	TAILQ_FOREACH(st, &h->streams, link)
		h2_stream_detach(st);
	if (h->in_call == 0)
		release(h);
}

int
h2_recv(struct h2 *h, const uint8_t *p, size_t n, uint64_t now_ms)
{
	const uint8_t *part;
	const char *why;
	size_t len;
	ssize_t rc;
	int more = 0, failed;

	if (h->dead || h->error[0] != '\0')
		return -1; /* never feed a terminated session again (CVE-2026-27135) */
	h2_enter(h);
	h->now = now_ms;
	while (!h->freed && !h->broken && (more = h2guard_next(&h->guard, &p, &n, &part, &len, now_ms, &why)) == 1) {
		if ((rc = nghttp2_session_mem_recv(h->ng, part, len)) < 0 && !h->freed) {
			set_error(h, nghttp2_strerror((int)rc));
			h->broken = 1;
		}
	}
	if (more == -1) {
		set_error(h, why);
		nghttp2_session_terminate_session(h->ng, NGHTTP2_ENHANCE_YOUR_CALM);
	}
	if (!h->freed && !h->broken && !nghttp2_session_want_read(h->ng))
		h->goaway = h->dead = 1;
	failed = h->freed || h->error[0] != '\0';
	if (failed)
		h->dead = 1;
	h2_leave(h);
	return failed ? -1 : 0;
}

int
h2_send(struct h2 *h)
{
	const uint8_t *p;
	ssize_t n;
	int rc = 0;

	h2_enter(h);
	h->full = 0;
	h2_give_resumed(h);
	while (!h->freed && !h->broken && !h->full && (n = nghttp2_session_mem_send(h->ng, &p)) != 0) {
		if (n < 0 || h->freed || (rc = h->out(h->arg, p, (size_t)n)) == -1) {
			h->broken = h->dead = h->goaway = 1;
			rc = -1;
			break;
		}
		if (rc == 1)
			break;
	}
	h2_leave(h);
	return rc == -1 ? -1 : 0;
}

int
h2_wants_send(const struct h2 *h)
{
	return !h->broken && (h->resumed || nghttp2_session_want_write(h->ng));
}

void
h2_goaway(struct h2 *h)
{
	h->goaway = 1;
	if (!h->dead)
		nghttp2_session_terminate_session(h->ng, NGHTTP2_NO_ERROR);
	h->dead = 1;
}

int
h2_greeted(const struct h2 *h)
{
	return h->settings;
}

int
h2_server_full(const struct h2 *h)
{
	return h->settings &&
	    h->nstreams >= nghttp2_session_get_remote_settings(h->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

int
h2_can_open(const struct h2 *h)
{
	/* Until the server's limit is known one stream is safe, more might be refused. */
	return !h->goaway && !h->dead && h->nstreams < (h->settings ? H2_MAX_STREAMS : 1) && !h2_server_full(h) &&
	    nghttp2_session_check_request_allowed(h->ng);
}

int
h2_draining(const struct h2 *h)
{
	return h->goaway;
}

int
h2_over(const struct h2 *h)
{
	return h->dead || h->error[0] != '\0' || (h->goaway && h->active == 0);
}

unsigned
h2_active(const struct h2 *h)
{
	return h->active;
}

int
h2_over_limit(const struct h2 *h)
{
	return h->limit || h->guard.limit;
}

const char *
h2_error(const struct h2 *h)
{
	return h->error;
}
