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
dialclients_init(struct dialclients *all)
{
	memset(all, 0, sizeof(*all));
	LIST_INIT(&all->requests);
	LIST_INIT(&all->list);
}

static struct parentreq *
parentreq_new(struct dialclient *b, enum parentreq_kind kind, uint32_t wire_id)
{
	struct dialclients *all = child_dialclients(b->c);
	struct parentreq *r;

	r = xcalloc(1, sizeof(*r));
	if (++all->last_id == IPC_ID_NONE)
		++all->last_id;
	r->kind = kind;
	r->id = all->last_id;
	r->wire_id = wire_id;
	r->client = b;
	LIST_INSERT_HEAD(&all->requests, r, entry);
	return r;
}

static void
parentreq_free(struct parentreq *r)
{
	LIST_REMOVE(r, entry);
	free(r);
}

static struct parentreq *
parentreq_by_id(struct childproc *c, enum parentreq_kind kind, uint32_t id)
{
	struct parentreq *r;

	LIST_FOREACH(r, &child_dialclients(c)->requests, entry)
		if (r->id == id && r->kind == kind)
			return r;
	return NULL;
}

static struct parentreq *
parentreq_by_wire(const struct dialclient *b, enum parentreq_kind kind, uint32_t wire_id)
{
	struct parentreq *r;

	LIST_FOREACH(r, &child_dialclients(b->c)->requests, entry)
		if (r->client == b && r->wire_id == wire_id && r->kind == kind)
			return r;
	return NULL;
}

static void
send_empty(struct childproc *c, enum ipc_type type, uint32_t id)
{
	struct ipc_empty none = { 0 };

	ipc_send(child_ipc(c), type, id, &none, sizeof(none), -1);
}

/* The answer is no longer needed.  DIAL_CANCEL also ends half-open handshakes. */
static void
parentreq_cancel(struct parentreq *r)
{
	send_empty(r->client->c, IPC_DIAL_CANCEL, r->id);
	parentreq_free(r);
}

static void
cancel_requests(struct dialclient *b, int dials)
{
	struct parentreq *r, *next;

	for (r = LIST_FIRST(&child_dialclients(b->c)->requests); r != NULL; r = next) {
		next = LIST_NEXT(r, entry);
		if (r->client == b && (dials || r->kind == PARENTREQ_HANDSHAKE))
			parentreq_cancel(r);
	}
}

/* --- what the wire asks --- */

static void
want_dial(void *arg, uint32_t wire_id, enum wire_dial kind, uint32_t candidate)
{
	struct dialclient *b = arg;
	struct ipc_dial m = { .kind = (uint32_t)kind, .candidate = candidate, .attempt = wire_id };

	ipc_send(child_ipc(b->c), IPC_DIAL, parentreq_new(b, PARENTREQ_DIAL, wire_id)->id, &m, sizeof(m), -1);
}

static void
want_dial_cancel(void *arg, uint32_t wire_id)
{
	struct parentreq *r;

	if ((r = parentreq_by_wire(arg, PARENTREQ_DIAL, wire_id)) != NULL)
		parentreq_cancel(r);
	if ((r = parentreq_by_wire(arg, PARENTREQ_HANDSHAKE, wire_id)) != NULL)
		parentreq_cancel(r);
}

static void
want_hs_begin(void *arg, uint32_t wire_id)
{
	struct dialclient *b = arg;
	struct ipc_hs_begin m = { .attempt = wire_id };

	ipc_send(child_ipc(b->c), IPC_HS_BEGIN, parentreq_new(b, PARENTREQ_HANDSHAKE, wire_id)->id, &m, sizeof(m), -1);
}

static void
want_hs_finish(void *arg, uint32_t wire_id, const uint8_t body[NOISE_RESP_BODY])
{
	struct dialclient *b = arg;
	struct parentreq *r = parentreq_by_wire(b, PARENTREQ_HANDSHAKE, wire_id);
	struct ipc_hs_finish m;

	if (r == NULL)
		return;
	memcpy(m.body, body, sizeof(m.body));
	ipc_send(child_ipc(b->c), IPC_HS_FINISH, r->id, &m, sizeof(m), -1);
}

static void
step_done(void *arg, enum wire_step what, enum wire_dial kind)
{
	struct dialclient *b = arg;

	child_step(b->c, what, kind);
}

static void
session_is_up_now(void *arg)
{
	struct dialclient *b = arg;

	cancel_requests(b, 0); /* handshakes of attempts that lost the race */
	b->up(b->arg);
}

static void
session_is_down(void *arg, const char *why, enum cause cause)
{
	struct dialclient *b = arg;

	cancel_requests(b, 1);
	b->down(b->arg, why, cause);
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
	struct dialclient *b;
	struct parentreq *r;
	uint32_t wire_id;

	if (dialled_text(d, text, sizeof(text)) == -1 || (d->ok == 1) != (m->fd != -1)) {
		if (m->fd != -1)
			close(m->fd);
		return -1;
	}
	if ((r = parentreq_by_id(child, PARENTREQ_DIAL, m->id)) == NULL) {
		if (m->fd != -1)
			close(m->fd); /* given up meanwhile */
		return 0;
	}
	b = r->client;
	wire_id = r->wire_id;
	parentreq_free(r);
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
	struct parentreq *r = parentreq_by_id(child, PARENTREQ_HANDSHAKE, m->id);

	if (r != NULL)
		session_hs_init(r->client->session, r->wire_id, i->msg);
	return 0;
}

int
child_on_hs_keys(void *child, const struct ipc_msg *m)
{
	const struct ipc_hs_keys *k = m->payload;
	struct parentreq *r = parentreq_by_id(child, PARENTREQ_HANDSHAKE, m->id);
	struct session *s;
	uint32_t wire_id;

	if (r != NULL) {
		s = r->client->session;
		wire_id = r->wire_id;
		parentreq_free(r);
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
	struct parentreq *r = parentreq_by_id(child, PARENTREQ_HANDSHAKE, m->id);
	struct session *s;
	uint32_t wire_id;

	if (reason == NULL)
		return -1;
	if (r == NULL)
		return 0;
	s = r->client->session;
	wire_id = r->wire_id;
	parentreq_free(r);
	session_hs_fail(s, wire_id, reason);
	return 0;
}

/* --- sessions and fetches of the program --- */

static void
use_plan(struct dialclient *b)
{
	uint32_t n;
	const struct wire_candidate *plan = child_plan(b->c, &n);

	session_set_plan(b->session, plan, n);
}

void
dialclients_use_plan(struct childproc *c)
{
	struct dialclient *b;

	LIST_FOREACH(b, &child_dialclients(c)->list, entry)
		if (b->session != NULL)
			use_plan(b);
}

static struct dialclient *
dialclient_new(struct childproc *c, void *arg)
{
	struct dialclient *b = xcalloc(1, sizeof(*b));

	b->c = c;
	b->arg = arg;
	LIST_INSERT_HEAD(&child_dialclients(c)->list, b, entry);
	return b;
}

static void
dialclient_free(struct dialclient *b)
{
	cancel_requests(b, 1);
	LIST_REMOVE(b, entry);
	free(b);
}

struct session *
child_session(struct childproc *c, void (*up)(void *), void (*down)(void *, const char *, enum cause), void *arg)
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
	struct dialclient *b = dialclient_new(c, arg);

	b->up = up;
	b->down = down;
	b->session = session_new(child_base(c), child_wire_config(c), &ops, b);
	session_share_last_dial(b->session, &child_dialclients(c)->last_dial);
	use_plan(b);
	return b->session;
}

void
child_session_free(struct childproc *c, struct session *s)
{
	struct dialclient *b;

	LIST_FOREACH(b, &child_dialclients(c)->list, entry) {
		if (b->session == s) {
			session_free(s);
			dialclient_free(b);
			return;
		}
	}
}

static void
fetch_is_done(void *arg, int status, const uint8_t *body, size_t n, const char *err)
{
	struct dialclient *b = arg;
	void (*done)(void *, int, const uint8_t *, size_t, const char *) = b->done;
	void *caller_arg = b->arg;

	dialclient_free(b);
	done(caller_arg, status, body, n, err);
}

struct fetch *
child_fetch(struct childproc *c, const char *method, const char *path, size_t body_max, unsigned timeout_ms,
    void (*done)(void *, int, const uint8_t *, size_t, const char *), void *arg)
{
	static const struct fetch_ops ops = { .dial = want_dial,
		.dial_cancel = want_dial_cancel,
		.step = step_done,
		.done = fetch_is_done };
	struct dialclient *b = dialclient_new(c, arg);

	b->done = done;
	b->fetch = fetch_start(child_base(c), child_wire_config(c), child_trust(c), method, path, body_max, timeout_ms,
	    &ops, b);
	return b->fetch;
}

void
child_fetch_cancel(struct childproc *c, struct fetch *f)
{
	struct dialclient *b;

	LIST_FOREACH(b, &child_dialclients(c)->list, entry) {
		if (b->fetch == f) {
			fetch_cancel(f);
			dialclient_free(b);
			return;
		}
	}
}

void
dialclients_free(struct dialclients *all)
{
	struct dialclient *b;

	while ((b = LIST_FIRST(&all->list)) != NULL) {
		if (b->session != NULL)
			session_free(b->session);
		else if (b->fetch != NULL)
			fetch_cancel(b->fetch);
		dialclient_free(b);
	}
}
