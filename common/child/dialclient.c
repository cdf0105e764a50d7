/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dialclient.h"
#include "exits.h"
#include "log.h"
#include "mem.h"

void
bridges_init(struct bridges *bs)
{
	memset(bs, 0, sizeof(*bs));
	LIST_INIT(&bs->asks);
	LIST_INIT(&bs->list);
}

static struct ask *
ask_new(struct bridge *b, enum ask_kind kind, uint32_t wire_id)
{
	struct bridges *bs = child_bridges(b->c);
	struct ask *a;

	a = xcalloc(1, sizeof(*a));
	if (++bs->last_id == IPC_ID_NONE)
		++bs->last_id;
	a->kind = kind;
	a->id = bs->last_id;
	a->wire_id = wire_id;
	a->bridge = b;
	LIST_INSERT_HEAD(&bs->asks, a, entry);
	return a;
}

static void
ask_free(struct ask *a)
{
	LIST_REMOVE(a, entry);
	free(a);
}

static struct ask *
ask_by_id(struct child *c, enum ask_kind kind, uint32_t id)
{
	struct ask *a;

	LIST_FOREACH(a, &child_bridges(c)->asks, entry)
		if (a->id == id && a->kind == kind)
			return a;
	return NULL;
}

static struct ask *
ask_by_wire(const struct bridge *b, enum ask_kind kind, uint32_t wire_id)
{
	struct ask *a;

	LIST_FOREACH(a, &child_bridges(b->c)->asks, entry)
		if (a->bridge == b && a->wire_id == wire_id && a->kind == kind)
			return a;
	return NULL;
}

static void
send_empty(struct child *c, enum ipc_type type, uint32_t id)
{
	struct ipc_empty none = { 0 };

	ipc_send(child_ipc(c), type, id, &none, sizeof(none), -1);
}

/* Nobody waits for the answer any more; the parent need not work on it (DIAL_CANCEL serves for half-open handshakes too). */
static void
ask_cancel(struct ask *a)
{
	send_empty(a->bridge->c, IPC_DIAL_CANCEL, a->id);
	ask_free(a);
}

static void
cancel_asks(struct bridge *b, int dials)
{
	struct ask *a, *next;

	for (a = LIST_FIRST(&child_bridges(b->c)->asks); a != NULL; a = next) {
		next = LIST_NEXT(a, entry);
		if (a->bridge == b && (dials || a->kind == ASK_HANDSHAKE))
			ask_cancel(a);
	}
}

/* --- what the wire asks --- */

static void
want_dial(void *arg, uint32_t wire_id, enum wire_dial kind, uint32_t candidate)
{
	struct bridge *b = arg;
	struct ipc_dial m = { .kind = (uint32_t)kind, .candidate = candidate };

	ipc_send(child_ipc(b->c), IPC_DIAL, ask_new(b, ASK_DIAL, wire_id)->id, &m, sizeof(m), -1);
}

static void
want_dial_cancel(void *arg, uint32_t wire_id)
{
	struct ask *a;

	if ((a = ask_by_wire(arg, ASK_DIAL, wire_id)) != NULL)
		ask_cancel(a);
	if ((a = ask_by_wire(arg, ASK_HANDSHAKE, wire_id)) != NULL)
		ask_cancel(a);
}

static void
want_hs_begin(void *arg, uint32_t wire_id)
{
	struct bridge *b = arg;

	send_empty(b->c, IPC_HS_BEGIN, ask_new(b, ASK_HANDSHAKE, wire_id)->id);
}

static void
want_hs_finish(void *arg, uint32_t wire_id, const uint8_t body[NOISE_RESP_BODY])
{
	struct bridge *b = arg;
	struct ask *a = ask_by_wire(b, ASK_HANDSHAKE, wire_id);
	struct ipc_hs_finish m;

	if (a == NULL)
		return;
	memcpy(m.body, body, sizeof(m.body));
	ipc_send(child_ipc(b->c), IPC_HS_FINISH, a->id, &m, sizeof(m), -1);
}

static void
step_done(void *arg, enum wire_step what, enum wire_dial kind)
{
	struct bridge *b = arg;

	child_step(b->c, what, kind);
}

static void
session_is_up_now(void *arg)
{
	struct bridge *b = arg;

	cancel_asks(b, 0); /* handshakes of attempts that lost the race */
	b->up(b->arg);
}

static void
session_is_down(void *arg, const char *why, int suspect)
{
	struct bridge *b = arg;

	cancel_asks(b, 1);
	b->down(b->arg, why, suspect);
}

/* --- the parent's answers --- */

static int
dialled_text(const struct ipc_dialled *m, char *text, size_t size)
{
	if (!IPC_OK(m, text) || m->ok > 1)
		return -1;
	ipc_text_get(m->text, m->text_len, text, size);
	if (text[0] == '\0' && m->err != 0)
		strlcpy(text, strerror((int)m->err), size);
	return 0;
}

int
child_on_dialled(void *child, const struct ipc_msg *m)
{
	const struct ipc_dialled *d = m->payload;
	char text[IPC_ERR_MAX + 1];
	struct bridge *b;
	struct ask *a;
	uint32_t wire_id;

	if (dialled_text(d, text, sizeof(text)) == -1 || (d->ok == 1) != (m->fd != -1)) {
		if (m->fd != -1)
			close(m->fd);
		return -1;
	}
	if ((a = ask_by_id(child, ASK_DIAL, m->id)) == NULL) {
		if (m->fd != -1)
			close(m->fd); /* given up meanwhile */
		return 0;
	}
	b = a->bridge;
	wire_id = a->wire_id;
	ask_free(a);
	if (b->session != NULL)
		session_dialled(b->session, wire_id, m->fd, text);
	else
		fetch_dialled(b->fetch, wire_id, m->fd, text);
	return 0;
}

int
child_on_hs_init(void *child, const struct ipc_msg *m)
{
	const struct ipc_hs_init *i = m->payload;
	struct ask *a = ask_by_id(child, ASK_HANDSHAKE, m->id);

	if (a != NULL)
		session_hs_init(a->bridge->session, a->wire_id, i->msg);
	return 0;
}

int
child_on_hs_keys(void *child, const struct ipc_msg *m)
{
	const struct ipc_hs_keys *k = m->payload;
	struct ask *a = ask_by_id(child, ASK_HANDSHAKE, m->id);
	struct session *s;
	uint32_t wire_id;

	if (a != NULL) {
		s = a->bridge->session;
		wire_id = a->wire_id;
		ask_free(a);
		session_hs_keys(s, wire_id, k->tx, k->rx);
	}
	return 0;
}

static const char *
hs_reason(uint32_t reason)
{
	switch (reason) {
	case IPC_HS_BAD_TAG: return "the server's handshake does not decrypt: wrong server key, or a man in the middle";
	case IPC_HS_BAD_POINT: return "the server's handshake holds a forbidden key";
	case IPC_HS_UNKNOWN_ID: return "handshake took too long";
	case IPC_HS_NO_SERVER_KEY: return "no server key known";
	case IPC_HS_BUSY: return "too many handshakes at once";
	default: return NULL;
	}
}

int
child_on_hs_fail(void *child, const struct ipc_msg *m)
{
	const char *reason = hs_reason(((const struct ipc_hs_fail *)m->payload)->reason);
	struct ask *a = ask_by_id(child, ASK_HANDSHAKE, m->id);
	struct session *s;
	uint32_t wire_id;

	if (reason == NULL)
		return -1;
	if (a == NULL)
		return 0;
	s = a->bridge->session;
	wire_id = a->wire_id;
	ask_free(a);
	session_hs_fail(s, wire_id, reason);
	return 0;
}

/* --- sessions and fetches of the room --- */

static void
use_plan(struct bridge *b)
{
	uint32_t n;
	const struct wire_candidate *plan = child_plan(b->c, &n);

	session_set_plan(b->session, plan, n);
}

void
bridges_use_plan(struct child *c)
{
	struct bridge *b;

	LIST_FOREACH(b, &child_bridges(c)->list, entry)
		if (b->session != NULL)
			use_plan(b);
}

static struct bridge *
bridge_new(struct child *c, void *arg)
{
	struct bridge *b = xcalloc(1, sizeof(*b));

	b->c = c;
	b->arg = arg;
	LIST_INSERT_HEAD(&child_bridges(c)->list, b, entry);
	return b;
}

static void
bridge_free(struct bridge *b)
{
	cancel_asks(b, 1);
	LIST_REMOVE(b, entry);
	free(b);
}

struct session *
child_session(struct child *c, void (*up)(void *), void (*down)(void *, const char *, int), void *arg)
{
	static const struct session_ops ops = {
		.dial = want_dial,
		.dial_cancel = want_dial_cancel,
		.hs_begin = want_hs_begin,
		.hs_finish = want_hs_finish,
		.step = step_done,
		.up = session_is_up_now,
		.down = session_is_down,
	};
	struct bridge *b = bridge_new(c, arg);

	b->up = up;
	b->down = down;
	b->session = session_new(child_base(c), child_wire_config(c), &ops, b);
	session_share_last_dial(b->session, &child_bridges(c)->last_dial);
	use_plan(b);
	return b->session;
}

void
child_session_free(struct child *c, struct session *s)
{
	struct bridge *b;

	LIST_FOREACH(b, &child_bridges(c)->list, entry) {
		if (b->session == s) {
			session_free(s);
			bridge_free(b);
			return;
		}
	}
}

static void
fetch_is_done(void *arg, int status, const uint8_t *body, size_t n, const char *err)
{
	struct bridge *b = arg;
	void (*done)(void *, int, const uint8_t *, size_t, const char *) = b->done;
	void *room = b->arg;

	bridge_free(b);
	done(room, status, body, n, err);
}

struct fetch *
child_fetch(struct child *c, const char *method, const char *path, size_t body_max, unsigned timeout_ms,
    void (*done)(void *, int, const uint8_t *, size_t, const char *), void *arg)
{
	static const struct fetch_ops ops = { .dial = want_dial,
		.dial_cancel = want_dial_cancel,
		.step = step_done,
		.done = fetch_is_done };
	struct bridge *b = bridge_new(c, arg);

	b->done = done;
	b->fetch = fetch_start(child_base(c), child_wire_config(c), child_trust(c), method, path, body_max, timeout_ms,
	    &ops, b);
	return b->fetch;
}

void
child_fetch_cancel(struct child *c, struct fetch *f)
{
	struct bridge *b;

	LIST_FOREACH(b, &child_bridges(c)->list, entry) {
		if (b->fetch == f) {
			fetch_cancel(f);
			bridge_free(b);
			return;
		}
	}
}

void
bridges_free(struct bridges *bs)
{
	struct bridge *b;

	while ((b = LIST_FIRST(&bs->list)) != NULL) {
		if (b->session != NULL)
			session_free(b->session);
		else if (b->fetch != NULL)
			fetch_cancel(b->fetch);
		bridge_free(b);
	}
}
