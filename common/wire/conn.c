/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <event2/event.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "early.h"
#include "http1.h"
#include "noiserec.h"
#include "stream.h"
#include "text.h"
#include "timefmt.h"

#define INIT_LEN	101
#define RESP_LEN	51	/* 3 bytes header and 48 body (protocol.md C.4) */
#define IN_MAX		(HTTP1_HEAD_MAX + 65536)
#define SHOWN_MAX	128	/* unauthenticated text of the server (NOISE-04) */

enum state { ST_NEW, ST_DIAL, ST_TRANSPORT, ST_HS_BEGIN, ST_UPGRADE, ST_RESPONSE, ST_HS_FINISH, ST_EARLY, ST_H2, ST_OVER };

struct conn {
	const struct wire_config *cfg;
	struct event_base *base;
	struct conn_ops	 ops;
	void		*arg;
	uint32_t	 id, candidate;
	enum wire_dial	 kind;
	unsigned	 port;
	enum state	 state;
	struct stream	*stream;
	struct event	*later;
	struct buf	 in;		/* before Noise works: bytes not understood yet */
	struct noiserec	*rec;
	struct early	 early;
	struct h2	*h2;
	uint8_t		*stage;		/* plaintext on its way into a record */
	size_t		 staged;
	struct buf	 sealed;
	char		 where[300];
	char		 step[340];
	char		 why[480];
	int		 suspect;
	int		 up;		/* established() was called */
	int		 busy, dead;
};

static void stream_ready(void *arg);
static void stream_data(void *arg, const uint8_t *p, size_t n);
static void stream_drained(void *arg);
static void stream_closed(void *arg, const char *why, int whole);
static void on_later(int fd, short what, void *arg);
static void flush(struct conn *c);

static const struct stream_ops stream_ops = { stream_ready, stream_data, stream_drained, stream_closed };

/* --- life --- */

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

static void
wipe(struct conn *c)
{
	if (c->rec != NULL)
		noiserec_wipe(c->rec);
	if (c->stage != NULL)
		sodium_memzero(c->stage, NOISE_PLAIN_MAX);
	c->staged = 0;
}

/* The one way a connection goes wrong: told from the event loop, whoever is on the stack now. */
static void __attribute__((format(printf, 3, 4)))
fail(struct conn *c, int suspect, const char *fmt, ...)
{
	va_list ap;

	if (c->dead || c->state == ST_OVER)
		return;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	c->suspect = suspect;
	c->state = ST_OVER;
	event_active(c->later, EV_TIMEOUT, 0);
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
	struct conn *c = calloc(1, sizeof(*c));
	int six;

	if (c == NULL)
		return NULL;
	c->cfg = spec->cfg;
	c->base = base;
	c->id = spec->id;
	c->kind = spec->kind;
	c->candidate = spec->candidate;
	c->port = port_of(c->cfg, c->kind);
	conn_set_ops(c, ops, arg);
	early_init(&c->early);
	buf_init(&c->in, IN_MAX);
	buf_init(&c->sealed, STREAM_OUT_MAX);
	six = strchr(c->cfg->host, ':') != NULL;
	snprintf(c->where, sizeof(c->where), "%s%s%s:%u", six ? "[" : "", c->cfg->host, six ? "]" : "", c->port);
	if ((c->later = event_new(base, -1, 0, on_later, c)) == NULL) {
		release(c);
		return NULL;
	}
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
		flush(c);
	}
	c->dead = 1;
	wipe(c);
	event_free(c->later);
	stream_close(c->stream);
	h2_free(c->h2);
	c->h2 = NULL;
	if (c->state == ST_DIAL)
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
conn_alive(const struct conn *c)
{
	return c->state == ST_EARLY || c->state == ST_H2;
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

/* --- sending --- */

static int
seal_staged(struct conn *c)
{
	int rc = 0;

	if (c->staged == 0)
		return 0;
	if (noiserec_seal(c->rec, c->stage, c->staged, &c->sealed) == -1) {
		fail(c, 0, "connection to %s: %s", c->where, c->rec->error);
		rc = -1;
	}
	sodium_memzero(c->stage, c->staged);
	c->staged = 0;
	return rc;
}

/* h2_out: small frames share a record. */
static int
h2_output(void *arg, const uint8_t *p, size_t n)
{
	struct conn *c = arg;
	size_t take;

	if (c->dead || c->state == ST_OVER)
		return -1;
	while (n > 0) {
		take = NOISE_PLAIN_MAX - c->staged;
		if (take > n)
			take = n;
		memcpy(c->stage + c->staged, p, take);
		c->staged += take;
		p += take;
		n -= take;
		if (c->staged == NOISE_PLAIN_MAX && seal_staged(c) == -1)
			return -1;
	}
	return buf_len(&c->sealed) >= STREAM_OUT_FULL;
}

/* Everything HTTP/2 has to say, as far as the queue takes it. */
static void
flush(struct conn *c)
{
	if (c->dead || c->h2 == NULL || c->state < ST_EARLY || c->state == ST_OVER)
		return;
	while (!stream_full(c->stream) && h2_wants_send(c->h2)) {
		if (h2_send(c->h2) == -1 && !c->dead)
			fail(c, 0, "connection to %s: out of memory", c->where);
		if (c->dead || c->state == ST_OVER || seal_staged(c) == -1)
			return;
		if (buf_len(&c->sealed) == 0)
			break;
		if (stream_write(c->stream, buf_ptr(&c->sealed), buf_len(&c->sealed)) == -1)
			return;
		buf_reset(&c->sealed);
	}
	buf_shrink(&c->sealed);
}

/* After anything that may have moved HTTP/2 on. */
static void
settle(struct conn *c)
{
	if (c->dead || c->h2 == NULL || c->state == ST_OVER)
		return;
	flush(c);
	if (c->dead || c->state == ST_OVER)
		return;
	if (!h2_over(c->h2)) {
		c->ops.changed(c->arg, c);
		return;
	}
	if (h2_error(c->h2)[0] != '\0')
		fail(c, 0, "connection to %s: %s", c->where, h2_error(c->h2));
	else
		fail(c, 0, "the server said good-bye (GOAWAY)");
}

void
conn_leave(struct conn *c)
{
	if (c->dead || c->h2 == NULL || c->state == ST_OVER)
		return;
	h2_goaway(c->h2);
	conn_kick(c);
}

void
conn_kick(struct conn *c)
{
	if (!c->dead && c->state != ST_OVER)
		event_active(c->later, EV_TIMEOUT, 0);
}

static void
on_later(int fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	enter(c);
	if (c->state != ST_OVER)
		settle(c);
	else if (c->up)
		c->ops.ended(c->arg, c, c->why);
	else
		c->ops.failed(c->arg, c, c->why, c->suspect);
	leave(c);
}

/* --- opening --- */

void
conn_dialled(struct conn *c, int fd, const char *errtext)
{
	struct stream_spec spec = {
		.fd = fd, .host = c->cfg->host, .port = c->port, .via_proxy = c->cfg->via_proxy,
		.proxy_auth = c->cfg->proxy_auth, .tls = c->kind == WIRE_DIAL_TLS,
	};
	char text[400];

	if (c->state != ST_DIAL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	c->state = ST_TRANSPORT;
	if (fd < 0) {
		text_sanitize(errtext != NULL ? errtext : "", errtext != NULL ? strlen(errtext) : 0, text, sizeof(text));
		if (text[0] != '\0')
			fail(c, 0, "%s", text);
		else
			fail(c, 0, "connection to %s failed", c->where);
		return;
	}
	if ((c->stream = stream_new(c->base, &spec, &stream_ops, c)) == NULL)
		fail(c, 0, "connection to %s: out of memory", c->where);
}

static void
stream_ready(void *arg)
{
	struct conn *c = arg;

	enter(c);
	c->state = ST_HS_BEGIN;
	set_step(c, "upgrade at");
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
		fail(c, 0, "upgrade at %s failed: host name not usable", c->where);
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
	struct http1_head h;
	char err[200];
	size_t used;
	int rc;

	rc = http1_parse(&h, buf_ptr(&c->in), buf_len(&c->in), &used, err, sizeof(err));
	if (rc == 1 && http1_check_upgrade(&h, "tailscale-control-protocol", err, sizeof(err)) == -1)
		rc = -1;
	if (rc == -1)
		fail(c, 0, "upgrade at %s failed: %s", c->where, err);
	if (rc != 1)
		return 0;
	buf_consume(&c->in, used);
	c->state = ST_RESPONSE;
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
	fail(c, 0, "Noise handshake with %s failed: the server says (not authenticated): \"%s\"", c->where, text);
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
		fail(c, 0, "Noise handshake with %s failed: malformed answer", c->where);
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
		fail(c, 0, "%s failed: more data than expected", c->step);
		return;
	}
	while (more && !c->dead)
		more = c->state == ST_UPGRADE ? step_upgrade(c) : c->state == ST_RESPONSE ? step_response(c) : 0;
}

/* --- Noise works --- */

/* After an HTTP/2 error the rest is read and ignored: the keys are still needed for our GOAWAY. */
static int
h2_input(struct conn *c, const uint8_t *p, size_t n)
{
	h2_recv(c->h2, p, n, time_mono_ms());
	return c->dead || c->state == ST_OVER ? -1 : 0;
}

static int
early_input(struct conn *c, const uint8_t *p, size_t n, size_t *used)
{
	const char *err = NULL;
	int rc = early_feed(&c->early, p, n, used, &err);

	if (rc == -1)
		fail(c, 0, "connection to %s: %s", c->where, err);
	if (rc != 1)
		return rc;
	c->state = ST_H2;
	return h2_input(c, c->early.hdr, c->early.have);
}

static int
plaintext(void *arg, const uint8_t *p, size_t n)
{
	struct conn *c = arg;
	size_t used = 0;

	if (c->state == ST_EARLY && early_input(c, p, n, &used) == -1)
		return -1;
	if (used == n)
		return 0;
	return h2_input(c, p + used, n - used);
}

static void
records(struct conn *c, const uint8_t *p, size_t n)
{
	if (noiserec_feed(c->rec, p, n, plaintext, c) == -1)
		fail(c, 0, "connection to %s: %s", c->where, c->rec->error);
	settle(c);
}

static void
stream_data(void *arg, const uint8_t *p, size_t n)
{
	struct conn *c = arg;

	enter(c);
	if (c->state >= ST_EARLY && c->state <= ST_H2)
		records(c, p, n);
	else if (c->state >= ST_UPGRADE && c->state <= ST_HS_FINISH)
		before_noise(c, p, n);
	else if (c->state == ST_HS_BEGIN)
		fail(c, 0, "upgrade at %s failed: the server speaks before it was asked", c->where);
	leave(c);
}

static void
stream_drained(void *arg)
{
	struct conn *c = arg;

	enter(c);
	settle(c);
	leave(c);
}

static void
closed_early(struct conn *c)
{
	switch (c->state) {
	case ST_RESPONSE:
		fail(c, 1, "Noise handshake with %s failed: connection closed after the upgrade (wrong server key, or "
		    "capability version %u not accepted)", c->where, c->cfg->capver);
		break;
	case ST_EARLY:
	case ST_H2:
		fail(c, 0, "the server closed the connection");
		break;
	default:
		fail(c, 0, "%s failed: connection closed by the server", c->step);
		break;
	}
}

static void
stream_closed(void *arg, const char *why, int whole)
{
	struct conn *c = arg;

	(void)whole;		/* Noise records have their own authenticity; HTTP/2 says when a stream is complete */
	enter(c);
	if (why != NULL)
		fail(c, c->state == ST_RESPONSE, "%s", why);
	else
		closed_early(c);
	leave(c);
}

static int
start_noise(struct conn *c, const uint8_t tx[32], const uint8_t rx[32])
{
	if ((c->rec = malloc(sizeof(*c->rec))) == NULL || (c->stage = malloc(NOISE_PLAIN_MAX)) == NULL ||
	    (c->h2 = h2_new(h2_output, c)) == NULL)
		return -1;
	noiserec_init(c->rec, tx, rx);
	return 0;
}

void
conn_hs_keys(struct conn *c, const uint8_t tx[32], const uint8_t rx[32])
{
	struct buf rest;

	if (c->state != ST_HS_FINISH)
		return;
	enter(c);
	if (start_noise(c, tx, rx) == -1) {
		free(c->rec);
		c->rec = NULL;
		fail(c, 0, "connection to %s: out of memory", c->where);
		leave(c);
		return;
	}
	c->state = ST_EARLY;
	c->step[0] = '\0';
	c->up = 1;
	c->ops.established(c->arg, c);
	if (!c->dead)
		flush(c);		/* the preface waits for nothing (EARLY-04) */
	if (!c->dead) {
		/* What came in one piece with the answer belongs to Noise (protocol.md C.2). */
		rest = c->in;
		buf_init(&c->in, IN_MAX);
		stream_pause(c->stream, 0);
		if (buf_len(&rest) > 0)
			records(c, buf_ptr(&rest), buf_len(&rest));
		buf_free(&rest);
	}
	leave(c);
}

void
conn_hs_fail(struct conn *c, const char *reason)
{
	/* Only what the server answered can be blamed on its key. */
	fail(c, c->state == ST_HS_FINISH, "Noise handshake with %s failed: %s", c->where, reason);
}
