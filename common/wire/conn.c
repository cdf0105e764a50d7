/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn_int.h"
#include "connup.h"
#include "mem.h"
#include "text.h"

#define INIT_LEN  101
#define RESP_LEN  51  /* 3 bytes header and 48 body (protocol.md C.4) */
#define SHOWN_MAX 128 /* unauthenticated text of the server (NOISE-04) */

static void stream_ready(void *arg);
static void stream_data(void *arg, const uint8_t *p, size_t n);
static void stream_drained(void *arg);
static void stream_closed(void *arg, const char *why, int whole);
static void on_later(void *arg);

static const struct stream_ops stream_ops = { stream_ready, stream_data, stream_drained, stream_closed };

/* --- start and end --- */

static void
release(struct conn *c)
{
	h2_free(c->h2);
	free(c->rec);
	free(c->stage);
	buf_free(&c->in);
	buf_free(&c->sealed);
	early_free(&c->early);
	free(c);
}

static void
enter(struct conn *c)
{
	c->busy++;
}

static void
leave(struct conn *c)
{
	if (--c->busy == 0 && c->dead)
		release(c);
}

void
conn_fail(struct conn *c, enum cause cause, const char *fmt, ...)
{
	va_list ap;

	if (c->dead || c->state == ST_OVER)
		return;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	c->cause = cause;
	c->state = ST_OVER;
	timer_soon(&c->later);
}

static void
report_step(struct conn *c, enum wire_step what)
{
	if (c->ops.step != NULL)
		c->ops.step(c->arg, what, c->kind);
}

static void
set_step(struct conn *c, const char *what)
{
	snprintf(c->step, sizeof(c->step), "%s %s", what, c->where);
}

static unsigned
port_of(const struct wire_config *cfg, enum wire_dial kind)
{
	switch (kind) {
	case WIRE_DIAL_CLEAR: return cfg->clear_port;
	case WIRE_DIAL_TLS: return cfg->tls_port;
	case WIRE_DIAL_URL: return cfg->url_port;
	}
	return 0;
}

struct conn *
conn_new(struct event_base *base, const struct conn_spec *spec, const struct conn_ops *ops, void *arg)
{
	struct conn *c = xcalloc(1, sizeof(*c));
	int six;

	c->cfg = spec->cfg;
	c->base = base;
	c->id = spec->id;
	c->kind = spec->kind;
	c->candidate = spec->candidate;
	c->tls_ms = spec->tls_ms;
	c->port = port_of(c->cfg, c->kind);
	conn_set_ops(c, ops, arg);
	early_init(&c->early);
	buf_init(&c->in, IN_MAX);
	buf_init(&c->sealed, STREAM_OUT_MAX);
	six = strchr(c->cfg->host, ':') != NULL;
	snprintf(c->where, sizeof(c->where), "%s%s%s:%u", six ? "[" : "", c->cfg->host, six ? "]" : "", c->port);
	timer_init(&c->later, base, on_later, c);
	return c;
}

void
conn_set_ops(struct conn *c, const struct conn_ops *ops, void *arg)
{
	c->ops = *ops;
	c->arg = arg;
}

void
conn_start(struct conn *c)
{
	c->state = ST_DIAL;
	set_step(c, "connection to");
	c->ops.dial(c->arg, c->id, c->kind, c->candidate);
}

void
conn_close(struct conn *c)
{
	if (c == NULL || c->dead)
		return;
	if (c->busy == 0 && (c->state == ST_EARLY || c->state == ST_H2)) {
		h2_goaway(c->h2);
		connup_flush(c);
	}
	c->dead = 1;
	connup_wipe(c);
	timer_free(&c->later);
	stream_close(c->stream);
	h2_free(c->h2);
	c->h2 = NULL;
	if (c->state == ST_DIAL || c->handshake)
		c->ops.dial_cancel(c->arg, c->id);
	if (c->busy == 0)
		release(c);
}

uint32_t
conn_id(const struct conn *c)
{
	return c->id;
}

int
conn_reached(const struct conn *c)
{
	return c->stream != NULL;
}

int
conn_alive(const struct conn *c)
{
	return c->state == ST_EARLY || c->state == ST_H2;
}

enum wire_dial
conn_kind(const struct conn *c)
{
	return c->kind;
}

struct h2 *
conn_h2(struct conn *c)
{
	return c->up ? c->h2 : NULL;
}

const char *
conn_step(const struct conn *c)
{
	const char *s = c->stream != NULL ? stream_step(c->stream) : "";

	return s[0] != '\0' ? s : c->step;
}

const char *
conn_remark(const struct conn *c)
{
	return c->stream != NULL ? stream_remark(c->stream) : NULL;
}

static void
on_later(void *arg)
{
	struct conn *c = arg;

	enter(c);
	if (c->state != ST_OVER)
		connup_settle(c);
	else if (c->up)
		c->ops.ended(c->arg, c, c->why);
	else
		c->ops.failed(c->arg, c, c->why, c->cause);
	leave(c);
}

/* --- opening --- */

void
conn_dialled(struct conn *c, int fd, const char *errtext)
{
	struct stream_spec spec = {
		.fd = fd,
		.host = c->cfg->host,
		.port = c->port,
		.via_proxy = c->cfg->via_proxy != 0,
		.proxy_auth = c->cfg->proxy_auth,
		.tls = c->kind == WIRE_DIAL_TLS,
		.tls_ms = c->tls_ms,
	};
	enum cause unreachable = spec.via_proxy ? CAUSE_PROXY : CAUSE_OTHER;
	char text[400];

	if (c->state != ST_DIAL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	c->state = ST_TRANSPORT;
	if (fd < 0) {
		text_sanitize(errtext != NULL ? errtext : "", errtext != NULL ? strlen(errtext) : 0, text,
		    sizeof(text));
		if (text[0] != '\0')
			conn_fail(c, unreachable, "%s", text);
		else
			conn_fail(c, unreachable, "connection to %s failed", c->where);
		return;
	}
	if ((c->stream = stream_new(c->base, &spec, &stream_ops, c)) == NULL)
		conn_fail(c, CAUSE_OTHER, "connection to %s: TLS cannot be set up", c->where);
}

static void
stream_ready(void *arg)
{
	struct conn *c = arg;

	enter(c);
	c->state = ST_HS_BEGIN;
	if (c->kind == WIRE_DIAL_TLS)
		report_step(c, WIRE_STEP_TLS);
	set_step(c, "upgrade at");
	c->handshake = 1;
	c->ops.hs_begin(c->arg, c->id);
	leave(c);
}

void
conn_hs_init(struct conn *c, const uint8_t msg[INIT_LEN])
{
	struct buf b;

	if (c->state != ST_HS_BEGIN)
		return;
	buf_init(&b, HTTP1_HEAD_MAX);
	if (http1_build_upgrade(&b, c->cfg->host, c->port, msg) == -1)
		conn_fail(c, CAUSE_OTHER, "upgrade at %s failed: host name not usable", c->where);
	else {
		c->state = ST_UPGRADE;
		stream_write(c->stream, buf_ptr(&b), buf_len(&b));
	}
	buf_free(&b);
}

/* Each step returns 1 when it has done its part and the next may look at the rest of c->in. */
static int
step_upgrade(struct conn *c)
{
	enum cause cause = CAUSE_OTHER;
	struct http1_head h;
	char err[200];
	size_t used;
	int rc;

	rc = http1_parse(&h, buf_ptr(&c->in), buf_len(&c->in), &used, err, sizeof(err));
	if (rc == 1 && http1_check_upgrade(&h, "tailscale-control-protocol", err, sizeof(err)) == -1) {
		cause = h.status == 101 ? CAUSE_OTHER : cause_of_http(h.status);
		rc = -1;
	}
	if (rc == -1)
		conn_fail(c, cause, "upgrade at %s failed: %s", c->where, err);
	if (rc != 1)
		return 0;
	buf_consume(&c->in, used);
	c->state = ST_RESPONSE;
	report_step(c, WIRE_STEP_UPGRADE);
	set_step(c, "Noise handshake with");
	return 1;
}

/* Type 3: an unauthenticated hint, shown and never acted upon (NOISE-04). */
static int
step_error_frame(struct conn *c, size_t len)
{
	const uint8_t *p = buf_ptr(&c->in);
	char text[SHOWN_MAX];
	size_t have = buf_len(&c->in) - 3;

	if (have < len && have < SHOWN_MAX)
		return 0;
	text_sanitize((const char *)p + 3, have < len ? have : len, text, sizeof(text));
	conn_fail(c, CAUSE_OTHER, "Noise handshake with %s failed: the server says (not authenticated): \"%s\"",
	    c->where, text);
	return 0;
}

static int
step_response(struct conn *c)
{
	const uint8_t *p = buf_ptr(&c->in);
	uint8_t body[48];
	size_t len;

	if (buf_len(&c->in) < 3)
		return 0;
	len = (size_t)p[1] << 8 | p[2];
	if (p[0] == 3)
		return step_error_frame(c, len);
	if (p[0] != 2 || len != sizeof(body)) {
		conn_fail(c, CAUSE_NOT_CONTROL, "Noise handshake with %s failed: malformed answer", c->where);
		return 0;
	}
	if (buf_len(&c->in) < RESP_LEN)
		return 0;
	memcpy(body, p + 3, sizeof(body));
	buf_consume(&c->in, RESP_LEN);
	c->state = ST_HS_FINISH;
	stream_pause(c->stream, 1);
	c->ops.hs_finish(c->arg, c->id, body);
	return 0;
}

static void
before_noise(struct conn *c, const uint8_t *p, size_t n)
{
	int more = 1;

	if (buf_put(&c->in, p, n) == -1) {
		conn_fail(c, CAUSE_OTHER, "%s failed: more data than expected", c->step);
		return;
	}
	while (more && !c->dead)
		more = c->state == ST_UPGRADE ? step_upgrade(c) : c->state == ST_RESPONSE ? step_response(c) : 0;
}

static void
stream_data(void *arg, const uint8_t *p, size_t n)
{
	struct conn *c = arg;

	enter(c);
	if (c->state >= ST_EARLY && c->state <= ST_H2)
		connup_records(c, p, n);
	else if (c->state >= ST_UPGRADE && c->state <= ST_HS_FINISH)
		before_noise(c, p, n);
	else if (c->state == ST_HS_BEGIN)
		conn_fail(c, CAUSE_OTHER, "upgrade at %s failed: the server sent data before the request", c->where);
	leave(c);
}

static void
stream_drained(void *arg)
{
	struct conn *c = arg;

	enter(c);
	connup_settle(c);
	leave(c);
}

static void
closed_early(struct conn *c)
{
	switch (c->state) {
	case ST_RESPONSE:
		conn_fail(c, CAUSE_SERVER_KEY,
		    "Noise handshake with %s failed: connection closed after the upgrade (wrong server key, or "
		    "capability version %u not accepted)",
		    c->where, c->cfg->capver);
		break;
	case ST_EARLY:
	case ST_H2: conn_fail(c, CAUSE_OTHER, "the server closed the connection"); break;
	default: conn_fail(c, CAUSE_OTHER, "%s failed: connection closed by the server", c->step); break;
	}
}

static void
stream_closed(void *arg, const char *why, int whole)
{
	struct conn *c = arg;

	(void)whole; /* Noise records have their own authenticity; HTTP/2 says when a stream is complete */
	enter(c);
	if (why != NULL)
		conn_fail(c, c->state == ST_RESPONSE ? CAUSE_SERVER_KEY : stream_cause(c->stream), "%s", why);
	else
		closed_early(c);
	leave(c);
}

void
conn_hs_keys(struct conn *c, const uint8_t tx[32], const uint8_t rx[32])
{
	struct buf rest;

	if (c->state != ST_HS_FINISH)
		return;
	c->handshake = 0;
	enter(c);
	connup_start(c, tx, rx);
	c->state = ST_EARLY;
	c->step[0] = '\0';
	c->up = 1;
	report_step(c, WIRE_STEP_NOISE);
	c->ops.established(c->arg, c);
	if (!c->dead)
		connup_flush(c); /* the preface waits for nothing (EARLY-04) */
	if (!c->dead) {
		/* Bytes received together with the answer belong to Noise (protocol.md C.2). */
		rest = c->in;
		buf_init(&c->in, IN_MAX);
		stream_pause(c->stream, 0);
		if (buf_len(&rest) > 0)
			connup_records(c, buf_ptr(&rest), buf_len(&rest));
		buf_free(&rest);
	}
	leave(c);
}

void
conn_hs_fail(struct conn *c, const char *reason)
{
	c->handshake = 0;
	/* Only what the server answered can be blamed on its key. */
	conn_fail(c, c->state == ST_HS_FINISH ? CAUSE_SERVER_KEY : CAUSE_OTHER, "Noise handshake with %s failed: %s",
	    c->where, reason);
}
