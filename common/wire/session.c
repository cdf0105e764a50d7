/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connup.h"
#include "h2stream.h"
#include "log.h"
#include "mem.h"
#include "session_int.h"

/*
 * Requests wait in a queue until a connection takes them.  Normally there is one connection; a second one joins when
 * the first drains after GOAWAY or the server allows no more streams on it (H2-05), and one of the two goes when it is
 * idle.
 */

static void on_pump(void *arg);

static void
release(struct session *s)
{
	timer_free(&s->pump);
	free(s);
}

/* Any callback of the owner may free the session: its memory lives until the last of our functions has returned. */
static void
enter(struct session *s)
{
	s->busy++;
}

static void
leave(struct session *s)
{
	if (--s->busy == 0 && s->dead)
		release(s);
}

void
session_kick(struct session *s)
{
	if (!s->dead)
		timer_soon(&s->pump);
}

/* --- connections --- */

static void
drop_slot(struct session *s, const struct conn *c)
{
	for (int i = 0; i < SESSION_CONNS; i++)
		if (s->conns[i] == c)
			s->conns[i] = NULL;
	if (s->conns[0] == NULL) {
		s->conns[0] = s->conns[1];
		s->conns[1] = NULL;
	}
}

static int
usable(struct conn *c)
{
	return c != NULL && conn_alive(c) && !h2_draining(conn_h2(c));
}

/* The newest connection with room. */
static struct conn *
taker(struct session *s)
{
	for (int i = SESSION_CONNS - 1; i >= 0; i--)
		if (usable(s->conns[i]) && h2_can_open(conn_h2(s->conns[i])))
			return s->conns[i];
	return NULL;
}

/* What a done() adds meanwhile waits for the next dial. */
static void
fail_waiting(struct session *s, const char *why)
{
	uint64_t epoch = s->epoch++;
	struct request *r;

	while (!s->dead && (r = TAILQ_FIRST(&s->waiting)) != NULL && r->epoch <= epoch)
		request_fail(r, REQ_TRANSPORT, why);
}

/* Ends a connection of the session; its requests fail with why. */
static void
end_conn(struct session *s, struct conn *c, const char *why)
{
	drop_slot(s, c);
	h2_fail_all(conn_h2(c), conn_over_limit(c) ? REQ_LIMIT : REQ_TRANSPORT, why);
	conn_close(c);
}

static void
on_ended(void *arg, struct conn *c, const char *why)
{
	struct session *s = arg;
	int waiting = !TAILQ_EMPTY(&s->waiting);

	enter(s);
	end_conn(s, c, why);
	/* Requests that were never sent get a connection of their own. */
	if (!s->dead && s->conns[0] == NULL && s->race == NULL && !waiting)
		s->ops.down(s->arg, why, CAUSE_OTHER);
	session_kick(s);
	leave(s);
}

static void
on_changed(void *arg, struct conn *c)
{
	struct session *s = arg;
	struct conn *other = s->conns[0] == c ? s->conns[1] : s->conns[0];

	if (!s->greeted && h2_greeted(conn_h2(c))) {
		s->greeted = 1;
		if (s->ops.step != NULL)
			s->ops.step(s->arg, WIRE_STEP_HTTP2, conn_kind(c));
	}
	if (!TAILQ_EMPTY(&s->waiting))
		session_kick(s);
	else if (h2_active(conn_h2(c)) == 0 && usable(other))
		conn_leave(c);
}

static const struct conn_ops conn_ops = { .ended = on_ended, .changed = on_changed };

static void
on_won(void *arg, struct conn *c)
{
	struct session *s = arg;

	enter(s);
	if (conn_remark(c) != NULL && !s->remarked) {
		s->remarked = 1;
		log_warnx("TLS with %s: %s; not fatal, Noise authenticates the server", s->cfg.host, conn_remark(c));
	}
	conn_set_ops(c, &conn_ops, s);
	s->conns[s->conns[0] != NULL] = c;
	race_free(s->race);
	s->race = NULL;
	s->want = s->greeted = 0;
	on_pump(s);
	if (!s->dead)
		s->ops.up(s->arg);
	leave(s);
}

static void
on_lost(void *arg, const char *race_why, enum cause cause)
{
	struct session *s = arg;
	char why[RACE_WHY_MAX];

	enter(s);
	strlcpy(why, race_why, sizeof(why));
	race_free(s->race); /* now: it calls the owner, which may be freed by what follows */
	s->race = NULL;
	s->want = 0;
	fail_waiting(s, why);
	if (!s->dead && s->conns[0] == NULL)
		s->ops.down(s->arg, why, cause);
	session_kick(s);
	leave(s);
}

static void
start_race(struct session *s)
{
	static const struct race_result result = { on_won, on_lost };
	struct race_spec spec = {
		.base = s->base,
		.cfg = &s->cfg,
		.times = &s->times,
		.plan = s->plan,
		.nplan = s->nplan,
		.next_id = &s->next_id,
		.last_dial = s->last_dial,
		.ops = &s->ops,
		.ops_arg = s->arg,
	};

	if (s->race != NULL)
		return;
	if (s->conns[SESSION_CONNS - 1] != NULL)
		end_conn(s, s->conns[0], "two connections drain: the older one was closed for a new one");
	if (!s->dead)
		s->race = race_new(&spec, &result, s);
}

/* Does what waits need a connection that is not there? */
static int
needs_conn(struct session *s)
{
	int full = 0, ok = 0;

	for (int i = 0; i < SESSION_CONNS; i++) {
		if (!usable(s->conns[i]))
			continue;
		ok++;
		full += h2_server_full(conn_h2(s->conns[i]));
	}
	if (ok == 0)
		return 1;
	/* Only the server's own limit is worth another connection, and only one. */
	return full == ok && s->conns[SESSION_CONNS - 1] == NULL && !TAILQ_EMPTY(&s->waiting);
}

static void
on_pump(void *arg)
{
	struct session *s = arg;
	struct request *r;
	struct conn *c;

	enter(s);
	while (!s->dead && (r = TAILQ_FIRST(&s->waiting)) != NULL && (c = taker(s)) != NULL)
		request_open(r, c);
	if (!s->dead && (!TAILQ_EMPTY(&s->waiting) || s->want) && needs_conn(s))
		start_race(s);
	leave(s);
}

/* --- the owner's side --- */

struct session *
session_new(struct event_base *base, const struct wire_config *cfg, const struct session_ops *ops, void *arg)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->base = base;
	s->cfg = *cfg;
	s->ops = *ops;
	s->arg = arg;
	s->times = race_times_default;
	s->next_id = 1;
	s->last_dial = &s->own_last_dial;
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->running);
	timer_init(&s->pump, base, on_pump, s);
	return s;
}

void
session_free(struct session *s)
{
	struct request *r;
	struct conn *c;

	if (s == NULL || s->dead)
		return;
	s->dead = 1;
	timer_stop(&s->pump);
	race_free(s->race);
	s->race = NULL;
	/* First, since closing a connection still sends: its streams have no owner then, so no callback is made. */
	while ((r = TAILQ_FIRST(&s->running)) != NULL || (r = TAILQ_FIRST(&s->waiting)) != NULL)
		request_cancel(r);
	while ((c = s->conns[0]) != NULL) {
		drop_slot(s, c);
		conn_close(c);
	}
	if (s->busy == 0)
		release(s);
}

void
session_connect(struct session *s)
{
	s->want = 1;
	session_kick(s);
}

int
session_is_up(const struct session *s)
{
	return usable(s->conns[0]) || usable(s->conns[1]);
}

void
session_set_plan(struct session *s, const struct wire_candidate *c, uint32_t n)
{
	s->nplan = n > RACE_MAX_CANDIDATES ? RACE_MAX_CANDIDATES : n;
	memcpy(s->plan, c, s->nplan * sizeof(*c));
}

void
session_share_last_dial(struct session *s, uint64_t *last_dial)
{
	s->last_dial = last_dial;
}

void
session_set_times(struct session *s, const struct race_times *t)
{
	s->times = *t;
}

void
session_dialled(struct session *s, uint32_t id, int fd, const char *errtext)
{
	struct conn *c = race_find(s->race, id);

	if (c != NULL)
		conn_dialled(c, fd, errtext);
	else if (fd >= 0)
		close(fd);
}

void
session_hs_init(struct session *s, uint32_t id, const uint8_t msg[101])
{
	struct conn *c = race_find(s->race, id);

	if (c != NULL)
		conn_hs_init(c, msg);
}

void
session_hs_keys(struct session *s, uint32_t id, const uint8_t tx[32], const uint8_t rx[32])
{
	struct conn *c = race_find(s->race, id);

	if (c != NULL)
		conn_hs_keys(c, tx, rx);
}

void
session_hs_fail(struct session *s, uint32_t id, const char *reason)
{
	struct conn *c = race_find(s->race, id);

	if (c != NULL)
		conn_hs_fail(c, reason);
}
