/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <event2/event.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "conn_int.h"
#include "connup.h"
#include "mem.h"
#include "timefmt.h"

void
connup_wipe(struct conn *c)
{
	if (c->rec != NULL)
		noiserec_wipe(c->rec);
	if (c->stage != NULL)
		sodium_memzero(c->stage, NOISE_PLAIN_MAX);
	c->staged = 0;
}

/* --- sending --- */

static int
seal_staged(struct conn *c)
{
	int rc = 0;

	if (c->staged == 0)
		return 0;
	if (noiserec_seal(c->rec, c->stage, c->staged, &c->sealed) == -1) {
		conn_fail(c, CAUSE_OTHER, "connection to %s: %s", c->where, c->rec->error);
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

void
connup_flush(struct conn *c)
{
	if (c->dead || c->h2 == NULL || c->state < ST_EARLY || c->state == ST_OVER)
		return;
	while (!stream_full(c->stream) && h2_wants_send(c->h2)) {
		if (h2_send(c->h2) == -1 && !c->dead)
			conn_fail(c, CAUSE_OTHER, "connection to %s: HTTP/2 cannot send", c->where);
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

void
connup_start(struct conn *c, const uint8_t tx[32], const uint8_t rx[32])
{
	c->rec = xmalloc(sizeof(*c->rec));
	c->stage = xmalloc(NOISE_PLAIN_MAX);
	c->h2 = h2_new(h2_output, c);
	noiserec_init(c->rec, tx, rx);
}

void
connup_settle(struct conn *c)
{
	if (c->dead || c->h2 == NULL || c->state == ST_OVER)
		return;
	connup_flush(c);
	if (c->dead || c->state == ST_OVER)
		return;
	if (!h2_over(c->h2)) {
		c->ops.changed(c->arg, c);
		return;
	}
	if (h2_error(c->h2)[0] != '\0')
		conn_fail(c, CAUSE_OTHER, "connection to %s: %s", c->where, h2_error(c->h2));
	else
		conn_fail(c, CAUSE_OTHER, "the server closed the connection (GOAWAY)");
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
		timer_soon(&c->later);
}

int
conn_over_limit(const struct conn *c)
{
	return c->early.limit || (c->rec != NULL && c->rec->limit) || (c->h2 != NULL && h2_over_limit(c->h2));
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
		conn_fail(c, CAUSE_OTHER, "connection to %s: %s", c->where, err);
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

void
connup_records(struct conn *c, const uint8_t *p, size_t n)
{
	if (noiserec_feed(c->rec, p, n, plaintext, c) == -1)
		conn_fail(c, CAUSE_OTHER, "connection to %s: %s", c->where, c->rec->error);
	connup_settle(c);
}
