/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http1.h"
#include "mem.h"
#include "stream.h"
#include "timer.h"
#include "tls.h"

#define READ_CHUNK  32768
#define READ_ROUNDS 8 /* chunks per wake-up, so that other events are served */

enum phase { PH_CONNECT, PH_TLS, PH_OPEN, PH_BROKEN };

struct stream {
	int fd;
	struct event *rd, *wr;
	struct timer later, limit;
	struct stream_ops ops;
	void *arg;
	enum phase phase;
	int want_tls;
	unsigned tls_ms;
	struct tls *tls;
	struct buf out;  /* for the descriptor */
	struct buf head; /* answer to CONNECT */
	char where[300]; /* "host:port" */
	char step[340];
	char why[480]; /* PH_BROKEN: what closed() will say */
	enum cause cause;
	int whole;
	int paused, full;
	int busy, dead; /* in a callback; closed by the owner meanwhile */
};

static void on_readable(int fd, short what, void *arg);
static void on_writable(int fd, short what, void *arg);
static void on_later(void *arg);
static void on_limit(void *arg);

static void
release(struct stream *s)
{
	tls_free(s->tls);
	buf_free(&s->out);
	buf_free(&s->head);
	free(s);
}

static void
enter(struct stream *s)
{
	s->busy++;
}

static void
leave(struct stream *s)
{
	if (--s->busy == 0 && s->dead)
		release(s);
}

/* The owner is informed from the event loop, never by its own call. */
static void
over(struct stream *s)
{
	s->phase = PH_BROKEN;
	event_del(s->rd);
	event_del(s->wr);
	timer_stop(&s->limit);
	timer_soon(&s->later);
}

/* The peer has ended it. */
static void
finished(struct stream *s, int whole)
{
	if (s->dead || s->phase == PH_BROKEN)
		return;
	s->whole = whole;
	over(s);
}

/* It can no longer be used. */
static void __attribute__((format(printf, 3, 4))) broken(struct stream *s, enum cause cause, const char *fmt, ...)
{
	va_list ap;

	if (s->dead || s->phase == PH_BROKEN)
		return;
	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	s->cause = cause;
	over(s);
}

/* --- sending --- */

/* Writes what the descriptor takes. */
static void
flush(struct stream *s)
{
	ssize_t n;

	while (buf_len(&s->out) > 0) {
		n = write(s->fd, buf_ptr(&s->out), buf_len(&s->out));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			event_add(s->wr, NULL);
			return;
		}
		if (n == -1) {
			broken(s, CAUSE_OTHER, "connection to %s lost: %s", s->where, strerror(errno));
			return;
		}
		buf_consume(&s->out, (size_t)n);
	}
	buf_shrink(&s->out);
}

int
stream_write(struct stream *s, const uint8_t *p, size_t n)
{
	int rc;

	if (s->dead || s->phase != PH_OPEN)
		return -1;
	rc = s->tls != NULL ? tls_write(s->tls, p, n, &s->out) : buf_put(&s->out, p, n);
	if (rc == -1) {
		broken(s, CAUSE_OTHER, "connection to %s: the server does not read its data", s->where);
		return -1;
	}
	flush(s);
	if (stream_full(s))
		s->full = 1;
	return s->phase == PH_OPEN ? 0 : -1;
}

int
stream_full(const struct stream *s)
{
	return buf_len(&s->out) >= STREAM_OUT_FULL;
}

static void
on_writable(int fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	enter(s);
	flush(s);
	if (!s->dead && s->phase == PH_OPEN && s->full && !stream_full(s)) {
		s->full = 0;
		s->ops.drained(s->arg);
	}
	leave(s);
}

/* --- opening --- */

static void
set_step(struct stream *s, const char *what)
{
	snprintf(s->step, sizeof(s->step), "%s %s", what, s->where);
}

static void
open_up(struct stream *s)
{
	s->phase = PH_OPEN;
	s->step[0] = '\0';
	timer_stop(&s->limit);
	s->ops.ready(s->arg);
}

/* Plaintext that TLS has ready. */
static void
tls_drain(struct stream *s)
{
	uint8_t plain[16384];
	long n;

	while (!s->dead && s->phase == PH_OPEN && (n = tls_read(s->tls, plain, sizeof(plain), &s->out)) != 0) {
		if (n == -1) {
			broken(s, tls_cause(s->tls), "TLS with %s failed: %s", s->where, tls_error(s->tls));
			return;
		}
		s->ops.data(s->arg, plain, (size_t)n);
	}
	if (s->dead || s->phase != PH_OPEN)
		return;
	flush(s);
	if (tls_finished(s->tls))
		finished(s, 1);
}

static void
tls_step(struct stream *s, const uint8_t *p, size_t n)
{
	int rc = tls_handshake(s->tls, p, n, &s->out);

	flush(s);
	if (s->phase != PH_TLS || rc == 0)
		return;
	if (rc == -1) {
		broken(s, tls_cause(s->tls), "TLS handshake with %s failed: %s", s->where, tls_error(s->tls));
		return;
	}
	open_up(s);
	if (!s->dead && s->phase == PH_OPEN)
		tls_drain(s);
}

static void
on_limit(void *arg)
{
	struct stream *s = arg;

	enter(s);
	broken(s, CAUSE_OTHER, "%s failed: not finished within %u s", s->step, s->tls_ms / 1000);
	leave(s);
}

static void
begin_tls(struct stream *s)
{
	s->phase = PH_TLS;
	set_step(s, "TLS handshake with");
	timer_set_ms(&s->limit, s->tls_ms);
	tls_step(s, NULL, 0);
}

static void feed_bytes(struct stream *s, const uint8_t *p, size_t n);

/* The tunnel is open: bytes after the proxy's head are from the server. */
static void
connect_done(struct stream *s, size_t used)
{
	struct buf rest = s->head;

	buf_init(&s->head, HTTP1_HEAD_MAX + READ_CHUNK);
	buf_consume(&rest, used);
	if (s->want_tls)
		begin_tls(s);
	else
		open_up(s);
	if (buf_len(&rest) > 0 && !s->dead)
		feed_bytes(s, buf_ptr(&rest), buf_len(&rest));
	buf_free(&rest);
}

static void
connect_step(struct stream *s, const uint8_t *p, size_t n)
{
	struct http1_head h;
	char err[128];
	size_t used;
	int rc;

	if (buf_put(&s->head, p, n) == -1) {
		broken(s, CAUSE_PROXY, "proxy CONNECT to %s failed: answer too large", s->where);
		return;
	}
	rc = http1_parse(&h, buf_ptr(&s->head), buf_len(&s->head), &used, err, sizeof(err));
	if (rc == -1)
		broken(s, CAUSE_PROXY, "proxy CONNECT to %s failed: %s", s->where, err);
	else if (rc == 1 && (h.status < 200 || h.status > 299))
		broken(s, CAUSE_PROXY, "proxy refused CONNECT to %s: %d %s", s->where, h.status, h.reason);
	else if (rc == 1)
		connect_done(s, used);
}

static void
feed_bytes(struct stream *s, const uint8_t *p, size_t n)
{
	switch (s->phase) {
	case PH_CONNECT: connect_step(s, p, n); break;
	case PH_TLS: tls_step(s, p, n); break;
	case PH_OPEN:
		if (s->tls == NULL) {
			s->ops.data(s->arg, p, n);
			break;
		}
		tls_feed(s->tls, p, n);
		tls_drain(s);
		break;
	case PH_BROKEN: break;
	}
}

/* While CONNECT is not answered it is the proxy that fails. */
static enum cause
blame(const struct stream *s)
{
	return s->phase == PH_CONNECT ? CAUSE_PROXY : CAUSE_OTHER;
}

static void
ended(struct stream *s, int err)
{
	if (err != 0)
		broken(s, blame(s), "%s%s%s: %s", s->step[0] ? s->step : "connection to ",
		    s->step[0] ? " failed" : s->where, s->step[0] ? "" : " lost", strerror(err));
	else if (s->phase != PH_OPEN)
		broken(s, blame(s), "%s failed: connection closed by the other side", s->step);
	else
		finished(s, s->tls == NULL);
}

static void
on_readable(int fd, short what, void *arg)
{
	struct stream *s = arg;
	uint8_t chunk[READ_CHUNK];
	ssize_t n;

	(void)what;
	enter(s);
	for (int i = 0; i < READ_ROUNDS && !s->dead && !s->paused && s->phase != PH_BROKEN; i++) {
		n = read(fd, chunk, sizeof(chunk));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n <= 0) {
			ended(s, n == 0 ? 0 : errno);
			break;
		}
		feed_bytes(s, chunk, (size_t)n);
		if ((size_t)n < sizeof(chunk))
			break;
	}
	leave(s);
}

/* First call: begin; last call: report the end. */
static void
on_later(void *arg)
{
	struct stream *s = arg;

	enter(s);
	if (s->phase == PH_BROKEN)
		s->ops.closed(s->arg, s->why[0] != '\0' ? s->why : NULL, s->whole);
	else if (s->phase == PH_CONNECT) {
		event_add(s->rd, NULL);
		flush(s);
	} else {
		event_add(s->rd, NULL);
		if (s->want_tls)
			begin_tls(s);
		else
			open_up(s);
	}
	leave(s);
}

static int
prepare(struct stream *s, const struct stream_spec *spec)
{
	struct buf where;

	buf_init(&where, sizeof(s->where) - 1);
	if (http1_hostport(&where, spec->host, spec->port) == -1) {
		buf_free(&where);
		return -1;
	}
	memcpy(s->where, buf_ptr(&where), buf_len(&where));
	buf_free(&where);
	s->want_tls = spec->tls;
	s->tls_ms = spec->tls_ms != 0 ? spec->tls_ms : STREAM_TLS_MS;
	if (spec->tls && (s->tls = tls_new(spec->trust, spec->host)) == NULL)
		return -1;
	s->phase = spec->via_proxy ? PH_CONNECT : PH_TLS;
	set_step(s, spec->via_proxy ? "proxy CONNECT to" : "connection to");
	if (spec->via_proxy && http1_build_connect(&s->out, spec->host, spec->port, spec->proxy_auth) == -1)
		return -1;
	return 0;
}

struct stream *
stream_new(struct event_base *base, const struct stream_spec *spec, const struct stream_ops *ops, void *arg)
{
	struct stream *s = xcalloc(1, sizeof(*s));

	s->fd = spec->fd;
	s->ops = *ops;
	s->arg = arg;
	buf_init(&s->out, STREAM_OUT_MAX);
	buf_init(&s->head, HTTP1_HEAD_MAX + READ_CHUNK);
	s->rd = event_new(base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	s->wr = event_new(base, s->fd, EV_WRITE, on_writable, s);
	timer_init(&s->later, base, on_later, s);
	timer_init(&s->limit, base, on_limit, s);
	if (prepare(s, spec) == -1) {
		stream_close(s);
		return NULL;
	}
	timer_soon(&s->later);
	return s;
}

void
stream_close(struct stream *s)
{
	ssize_t ignored;

	if (s == NULL || s->dead)
		return;
	s->dead = 1;
	if (s->phase == PH_OPEN) {
		if (s->tls != NULL)
			tls_close(s->tls, &s->out);
		if (buf_len(&s->out) > 0) {
			ignored = write(s->fd, buf_ptr(&s->out), buf_len(&s->out));
			(void)ignored;
		}
	}
	event_free(s->rd);
	event_free(s->wr);
	timer_free(&s->later);
	timer_free(&s->limit);
	/* shutdown: the peer sees the end even if another process still has a copy of the descriptor. */
	shutdown(s->fd, SHUT_RDWR);
	close(s->fd);
	s->fd = -1;
	if (s->busy == 0)
		release(s);
}

void
stream_pause(struct stream *s, int paused)
{
	if (s->dead || s->paused == paused)
		return;
	s->paused = paused;
	if (s->phase == PH_BROKEN)
		return;
	if (paused)
		event_del(s->rd);
	else
		event_add(s->rd, NULL);
}

const char *
stream_remark(const struct stream *s)
{
	return s->tls != NULL ? tls_remark(s->tls) : NULL;
}

const char *
stream_step(const struct stream *s)
{
	return s->step;
}

enum cause
stream_cause(const struct stream *s)
{
	return s->cause;
}
