/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "cachestore.h"
#include "childsend.h"
#include "dispatch.h"
#include "dispatch_auth.h"
#include "dispatch_map.h"
#include "doctor.h"
#include "eventwatch.h"
#include "log.h"
#include "noise.h"
#include "parent.h"
#include "parent_control.h"

/*
 * Messages of the children and the answers.  ipc.c has checked type, size, state and generation; here is what only we
 * can know: whether we gave out an id, whether texts are clean, whether it is allowed now and not too often
 * (security.md D7).  Handshakes: not the 1/s and 5 of D1 (docs/sandbox.md).  A request that is too early waits and
 * is no error: a refusal would be shown as one, and people's quick commands are the cause (PAU-01, STAT-03, OUT-01).
 */
#define DIAL_RATE  4
#define DIAL_BURST 16
#define MAX_DIALS  16
#define HS_RATE    2
#define HS_BURST   10
#define HS_MAX_MS  30000

static void start_waiting(struct child *c);

/* --- dialling (D3) --- */

static void
answer_dial(struct child *c, uint32_t id, int fd, int err, const char *text)
{
	struct ipc_dialled m;

	memset(&m, 0, sizeof(m));
	m.ok = fd != -1;
	m.err = (uint32_t)err;
	IPC_SET(&m, text, text, strlen(text));
	ipc_send(c->ipc, IPC_DIALLED, id, &m, sizeof(m), fd);
}

static void
dial_is_done(void *arg, int fd, int err, const char *text)
{
	struct child_dial *x = arg;
	struct child *c = x->c;
	uint32_t id = x->id;
	int no_other = err == EADDRNOTAVAIL && x->spec.candidate == IPC_DIAL_BESIDE; /* nothing was tried */

	TAILQ_REMOVE(&c->dials, x, entry);
	c->ndials--;
	free(x);
	if (fd != -1) {
		c->p->counters.dials_ok++;
		path_of(&c->path, fd);
	} else if (!no_other)
		c->p->counters.dials_failed++;
	if (c == &c->p->sup->doctor)
		doctor_dialled(c->p->control);
	answer_dial(c, id, fd, err, text);
}

/* Network only while there is work that needs it: a paused or idle daemon dials nowhere, whatever a child asks. */
static int
dialling_allowed(const struct child *c)
{
	return c->role == IPC_AUTHD ? c->unanswered > 0
				    : c->p->login.map == MAP_PREPARED || c->p->login.map == MAP_STREAM;
}

static void
forget_dial(struct child *c, struct child_dial *x)
{
	TAILQ_REMOVE(&c->dials, x, entry);
	c->ndials--;
	if (x->dial != NULL)
		dial_cancel(x->dial);
	free(x);
}

static void
begin_dial(struct child *c, struct child_dial *x)
{
	const char *why = NULL;
	uint32_t id = x->id;
	int err = EPERM;

	if (!dialling_allowed(c)) {
		why = "not allowed now: no network activity is expected";
	} else if ((x->dial = dial_start(c->p->dialler, &x->spec, dial_is_done, x)) == NULL) {
		err = errno;
		why = err == EINVAL ? "there is no such port or candidate" : strerror(err);
	}
	if (why == NULL)
		return;
	forget_dial(c, x);
	answer_dial(c, id, -1, err, why);
}

int
dispatch_dial(void *arg, const struct ipc_msg *m)
{
	const struct ipc_dial *d = m->payload;
	struct child *c = arg;
	struct child_dial *x;

	if (d->kind < IPC_DIAL_CLEAR || d->kind > IPC_DIAL_URL || m->id == IPC_ID_NONE)
		return -1;
	TAILQ_FOREACH(x, &c->dials, entry)
		if (x->id == m->id)
			return -1;
	if (c->ndials >= MAX_DIALS) {
		answer_dial(c, m->id, -1, EAGAIN, "too many connection attempts at once");
		return 0;
	}
	if ((x = calloc(1, sizeof(*x))) == NULL) {
		answer_dial(c, m->id, -1, ENOMEM, strerror(ENOMEM));
		return 0;
	}
	x->c = c;
	x->id = m->id;
	x->spec = (struct dial_spec){ (enum ipc_dial_kind)d->kind, d->candidate, c, d->attempt };
	TAILQ_INSERT_TAIL(&c->dials, x, entry);
	c->ndials++;
	start_waiting(c);
	return 0;
}

/* --- Noise handshakes (D1) --- */

static int
hs_used(const struct handshake *h)
{
	return h->noise != NULL || h->waits != 0;
}

static struct handshake *
find_handshake(struct child *c, uint32_t id)
{
	size_t i;

	for (i = 0; i < CHILD_HANDSHAKES; i++)
		if (hs_used(&c->hs[i]) && c->hs[i].id == id)
			return &c->hs[i];
	return NULL;
}

static void
end_handshake(struct handshake *h)
{
	if (h->noise != NULL)
		noise_abort(h->noise);
	memset(h, 0, sizeof(*h));
}

static struct handshake *
free_handshake(struct child *c)
{
	size_t i;

	for (i = 0; i < CHILD_HANDSHAKES; i++)
		if (!hs_used(&c->hs[i]))
			return &c->hs[i];
	return NULL;
}

static void
refuse_handshake(struct child *c, uint32_t id, enum ipc_hs_reason why)
{
	struct ipc_hs_fail m = { (uint32_t)why };

	ipc_send(c->ipc, IPC_HS_FAIL, id, &m, sizeof(m), -1);
}

static void
begin_handshake(struct child *c, struct handshake *h, uint64_t now)
{
	struct parent *p = c->p;
	const struct pubkey *server = c == &p->sup->doctor ? doctor_server_key(p->control) : login_pin(&p->login, NULL);
	enum ipc_hs_reason why = IPC_HS_BUSY;
	struct ipc_hs_init init;
	uint32_t id = h->id;

	h->waits = 0;
	if (key_is_zero(server))
		why = IPC_HS_NO_SERVER_KEY;
	else if (dialling_allowed(c))
		h->noise = noise_begin(p->keys, server, p->cfg.capver, init.msg);
	if (h->noise == NULL) {
		end_handshake(h);
		refuse_handshake(c, id, why);
		return;
	}
	h->since = now;
	ipc_send(c->ipc, IPC_HS_INIT, id, &init, sizeof(init), -1);
}

int
dispatch_hs_begin(void *arg, const struct ipc_msg *m)
{
	const struct ipc_hs_begin *b = m->payload;
	struct child *c = arg;
	struct handshake *h;

	if (m->id == IPC_ID_NONE || find_handshake(c, m->id) != NULL)
		return -1;
	if ((h = free_handshake(c)) == NULL) {
		refuse_handshake(c, m->id, IPC_HS_BUSY);
		return 0;
	}
	*h = (struct handshake){ .id = m->id, .attempt = b->attempt, .waits = ++c->hs_waited };
	start_waiting(c);
	return 0;
}

int
dispatch_hs_finish(void *arg, const struct ipc_msg *m)
{
	const struct ipc_hs_finish *f = m->payload;
	struct child *c = arg;
	struct ipc_hs_keys keys;
	struct handshake *h = find_handshake(c, m->id);
	uint32_t attempt;
	int rv;

	if (h == NULL || h->noise == NULL) {
		refuse_handshake(c, m->id, IPC_HS_UNKNOWN_ID); /* timed out, or never begun */
		return 0;
	}
	rv = noise_finish(h->noise, c->p->keys, f->body, &keys);
	attempt = h->attempt;
	memset(h, 0, sizeof(*h));
	if (rv == 0)
		dialler_proved(c->p->dialler, c, attempt);
	if (rv != 0)
		refuse_handshake(c, m->id, (enum ipc_hs_reason)rv);
	else
		ipc_send(c->ipc, IPC_HS_KEYS, m->id, &keys, sizeof(keys), -1);
	return 0;
}

/* --- both, and how often --- */

static struct child_dial *
waiting_dial(const struct child *c)
{
	struct child_dial *x;

	TAILQ_FOREACH(x, &c->dials, entry)
		if (x->dial == NULL)
			return x;
	return NULL;
}

static struct handshake *
waiting_handshake(struct child *c)
{
	struct handshake *h = NULL;
	size_t i;

	for (i = 0; i < CHILD_HANDSHAKES; i++)
		if (c->hs[i].waits != 0 && (h == NULL || c->hs[i].waits < h->waits))
			h = &c->hs[i];
	return h;
}

/* Wipes handshakes half open for too long (D1).  Milliseconds until the next one times out; UINT64_MAX: none. */
static uint64_t
end_old_handshakes(struct child *c, uint64_t now)
{
	uint64_t age, ms = UINT64_MAX;
	size_t i;

	for (i = 0; i < CHILD_HANDSHAKES; i++) {
		if (c->hs[i].noise == NULL)
			continue;
		age = now - c->hs[i].since;
		if (age >= HS_MAX_MS)
			end_handshake(&c->hs[i]);
		else if (HS_MAX_MS - age < ms)
			ms = HS_MAX_MS - age;
	}
	return ms;
}

/* Begins what waits if the rates allow it; sets the timer for the next, and for time-outs. */
static void
start_waiting(struct child *c)
{
	uint64_t now = time_mono_ms(), ms, wait_ms;
	struct child_dial *x;
	struct handshake *h;

	while ((x = waiting_dial(c)) != NULL && bucket_take(&c->dial_rate, now))
		begin_dial(c, x);
	while ((h = waiting_handshake(c)) != NULL && bucket_take(&c->hs_rate, now))
		begin_handshake(c, h, now);
	ms = end_old_handshakes(c, now);
	if (x != NULL && (wait_ms = bucket_wait_ms(&c->dial_rate)) < ms)
		ms = wait_ms;
	if (h != NULL && (wait_ms = bucket_wait_ms(&c->hs_rate)) < ms)
		ms = wait_ms;
	if (ms == UINT64_MAX)
		return;
	(void)timer_set_ms(&c->turn, ms);
}

void
dispatch_turn(void *arg)
{
	start_waiting(arg);
}

int
dispatch_dial_cancel(void *arg, const struct ipc_msg *m)
{
	struct child *c = arg;
	struct child_dial *x;
	struct handshake *h = find_handshake(c, m->id);

	if (h != NULL)
		end_handshake(h);
	TAILQ_FOREACH(x, &c->dials, entry)
		if (x->id == m->id) {
			forget_dial(c, x);
			break;
		}
	return 0;
}

void
dispatch_forget(struct child *c)
{
	struct child_dial *x;
	size_t i;

	while ((x = TAILQ_FIRST(&c->dials)) != NULL)
		forget_dial(c, x);
	for (i = 0; i < CHILD_HANDSHAKES; i++)
		if (hs_used(&c->hs[i]))
			end_handshake(&c->hs[i]);
	timer_stop(&c->turn);
}

/* --- READY, LOG, CA, PONG --- */

int
dispatch_ready(void *arg, const struct ipc_msg *m)
{
	const struct ipc_ready *r = m->payload;
	struct child *c = arg;

	if (c->phase != CHILD_STARTING)
		return c->phase == CHILD_STOPPING ? 0 : -1;
	if (memcmp(r->build, build_id, BUILD_ID_LEN) != 0) {
		log_errorx("%s was built from other sources than tailnetd: reinstall all programs", c->name);
		return -1;
	}
	c->layers = r->layers;
	child_is_ready(c);
	ipc_set_state(c->ipc, IPC_S_IDLE);
	bucket_init(&c->dial_rate, DIAL_RATE, DIAL_BURST, c->ready_ms);
	bucket_init(&c->hs_rate, HS_RATE, HS_BURST, c->ready_ms);
	childsend_report(c);
	if (c->role == IPC_MAPD)
		cachestore_mapd_ready(c->p->cache);
	dispatch_ready_work(c);
	if (c->role == IPC_MAPD)
		watchers_to_mapd(c->p->control);
	return 0;
}

int
dispatch_may_log(struct child *c)
{
	uint64_t now = time_mono_ms();

	if (c->log_rate.rate == 0)
		bucket_init(&c->log_rate, IPC_LOG_RATE, IPC_LOG_BURST, now);
	if (!bucket_take(&c->log_rate, now)) {
		c->log_dropped++;
		return 0;
	}
	if (c->log_dropped > 0)
		log_warnx("%s[%d]: %u log lines dropped (rate limit)", c->name, (int)c->pid, c->log_dropped);
	c->log_dropped = 0;
	return 1;
}

int
dispatch_log(void *arg, const struct ipc_msg *m)
{
	const struct ipc_log *l = m->payload;
	struct child *c = arg;
	char text[sizeof(l->data) + 1];

	if (l->level > LOG_L_DEBUG)
		return -1;
	if (!dispatch_may_log(c))
		return 0;
	ipc_text_get(l->data, l->data_len, text, sizeof(text));
	log_write_as(c->name, (int)c->pid, (enum log_level)l->level, text);
	return 0;
}

int
dispatch_need_ca(void *arg, const struct ipc_msg *m)
{
	struct child *c = arg;

	(void)m;
	if (!bucket_take(&c->dial_rate, time_mono_ms())) /* reading a file for a child costs time, too */
		return 0;
	(void)childsend_ca(c);
	return 0;
}

int
dispatch_pong(void *arg, const struct ipc_msg *m)
{
	struct child *c = arg;

	c->ponged = 1;
	if (m->id == IPC_ID_LOOK)
		c->silent = 0;
	return 0;
}

static void
on_drained(void *arg)
{
	struct child *c = arg;

	childsend_due(c);
	if (c == &c->p->sup->mapd && c->ipc != NULL)
		watchers_room(c->p->control);
}

static void
on_closed(void *arg, int violation, const char *why)
{
	struct child *c = arg;

	if (violation)
		child_kill(c, why);
	ipc_free(c->ipc); /* the process is reaped by SIGCHLD */
	c->ipc = NULL;
	if (!violation)
		child_hung_up(c, why); /* not killed yet: its exit status says more than SIGKILL */
	dispatch_forget(c);
}

/* --- work and tables --- */

void
dispatch_ready_work(struct child *c)
{
	struct ipc_empty none = { 0 };
	int what = c->pending;

	if (c->phase != CHILD_READY || c->ipc == NULL)
		return;
	c->pending = PENDING_NOTHING;
	switch (what) {
	case PENDING_KEY:
		c->unanswered++;
		ipc_set_state(c->ipc, IPC_S_BUSY);
		ipc_send(c->ipc, IPC_KEY_FETCH, c->work.id, &none, sizeof(none), -1);
		break;
	case PENDING_REGISTER: dispatch_send_register(c); break;
	case PENDING_MAP: dispatch_send_map_start(c); break;
	case PENDING_DOCTOR: doctor_ready(c->p->control); break;
	default: break;
	}
}

#define BY_DISPATCH(name, handler, ...) .on[IPC_##name] = dispatch_##handler,
#define BY_DOCTOR(name, handler, ...)   .on[IPC_##name] = parent_doctor_##handler,

const struct ipc_handlers authd_handlers = { .closed = on_closed,
	.drained = on_drained,
	IPC_FROM_CHILD(BY_DISPATCH) IPC_FROM_AUTHD(BY_DISPATCH) };

const struct ipc_handlers doctor_handlers = { .closed = on_closed,
	.drained = on_drained,
	IPC_FROM_CHILD(BY_DISPATCH) IPC_FROM_DOCTOR(BY_DOCTOR) IPC_FROM_AUTHD(BY_DOCTOR) };

const struct ipc_handlers mapd_handlers = { .closed = on_closed,
	.drained = on_drained,
	IPC_FROM_CHILD(BY_DISPATCH) IPC_FROM_MAPD(BY_DISPATCH) };
