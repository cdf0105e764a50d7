/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "childsend.h"
#include "control_ops.h"
#include "dispatch.h"
#include "dispatch_auth.h"
#include "doctor.h"
#include "notify.h"
#include "parent.h"
#include "parent_control.h"
#include "secret.h"

/* --- the daemon and the login --- */

static int
op_stopping(void *arg)
{
	const struct parent *p = arg;

	return p->stopping;
}

static void
op_event(void *arg, const struct login_event *e)
{
	parent_event(arg, e);
}

static int
op_auth_key(void *arg, char *key, size_t len)
{
	struct parent *p = arg;
	struct secret *s = NULL;

	if (key != NULL && (s = secret_new(len)) == NULL)
		return -1;
	parent_wipe_auth_key(p);
	if (key == NULL)
		return 0;
	memcpy(secret_open(s), key, len);
	secret_close(s);
	sodium_memzero(key, len);
	p->auth_key = s;
	p->auth_key_len = len;
	return 0;
}

static void
op_shutdown(void *arg)
{
	parent_shutdown(arg, 0);
}

static void
op_log_level(void *arg, enum log_level level)
{
	const struct parent *p = arg;

	log_set_level(level);
	childsend_log_level(p->sup);
}

static void
op_state_is(void *arg, const char *state)
{
	const struct parent *p = arg;

	notify_status(p->notify, state);
}

/* --- processes --- */

static void
describe(const struct parent *p, const struct child *c, uid_t uid, struct control_process *out)
{
	/* A child that is not READY has reported no layer yet. */
	*out = (struct control_process){ c->name, c->pid, p->root ? uid : geteuid(),
		c->phase == CHILD_STARTING ? 0 : c->layers, c->restarts, c->started };
}

static void
op_processes(void *arg, struct control_process out[CONTROL_PROCESSES])
{
	const struct parent *p = arg;

	out[CONTROL_TAILNETD] = (struct control_process){ "tailnetd", getpid(), geteuid(), p->layers, 0, p->started };
	describe(p, &p->sup->authd, p->ids.auth_uid, &out[CONTROL_AUTHD]);
	describe(p, &p->sup->mapd, p->ids.map_uid, &out[CONTROL_MAPD]);
}

static struct ipc *
op_mapd(void *arg)
{
	const struct parent *p = arg;

	return p->sup != NULL && p->sup->mapd.phase == CHILD_READY ? p->sup->mapd.ipc : NULL;
}

/* --- the doctor's authd --- */

#define DOCTOR_PATIENCE_MS 10000 /* a longer pause (security.md D8) is not waited for */

/* One that is still ending from the last run is started again when it has ended. */
static void
op_doctor_want(void *arg)
{
	struct parent *p = arg;

	struct child *c = &p->sup->doctor;
	uint64_t now = time_mono_ms();
	char text[300];

	c->pending = PENDING_DOCTOR;
	child_want(c);
	if (c->pid != 0 || c->not_before < now + DOCTOR_PATIENCE_MS)
		return;
	snprintf(text, sizeof(text), "%s; it may be started again in %llu s", c->end,
	    (unsigned long long)(c->not_before - now) / 1000);
	doctor_child_gone(p->control, text);
}

static void
op_doctor_unwant(void *arg)
{
	struct parent *p = arg;

	child_unwant(&p->sup->doctor, 0);
}

static void
op_doctor_ask(void *arg, enum ipc_type type, uint32_t id, void *m, size_t len)
{
	struct parent *p = arg;
	struct child *c = &p->sup->doctor;

	c->unanswered++;
	ipc_set_state(c->ipc, IPC_S_BUSY);
	ipc_send(c->ipc, type, id, m, len, -1);
}

int
parent_doctor_step(void *arg, const struct ipc_msg *m)
{
	const struct ipc_step *s = m->payload;
	struct child *c = arg;

	if (s->what < IPC_STEP_TLS || s->what > IPC_STEP_HTTP2 || s->kind < IPC_DIAL_CLEAR || s->kind > IPC_DIAL_URL)
		return -1;
	doctor_step(c->p->control, m->id, s);
	return 0;
}

static void
answered(struct child *c)
{
	if (c->unanswered > 0)
		c->unanswered--;
	if (c->unanswered == 0)
		ipc_set_state(c->ipc, IPC_S_IDLE);
}

int
parent_doctor_key_result(void *arg, const struct ipc_msg *m)
{
	struct child *c = arg;

	if (!dispatch_key_result_ok(m->payload))
		return -1;
	answered(c);
	doctor_key_result(c->p->control, m->id, m->payload);
	return 0;
}

int
parent_doctor_reg_result(void *arg, const struct ipc_msg *m)
{
	struct child *c = arg;

	if (!dispatch_reg_result_ok(m->payload))
		return -1;
	answered(c);
	doctor_reg_result(c->p->control, m->id, m->payload);
	return 0;
}

void
parent_doctor_gone(struct child *c)
{
	if (c->wanted && c->ended_badly)
		doctor_child_gone(c->p->control, c->end);
}

void
parent_control_ops(struct parent *p, struct control_ops *o)
{
	*o = (struct control_ops){
		.arg = p,
		.base = p->base,
		.root = p->root,
		.dialler = p->dialler,
		.report = p->report,
		.cfg = &p->cfg,
		.ids = &p->ids,
		.login = &p->login,
		.keys = p->keys,
		.netmap = &p->netmap,
		.counters = &p->counters,
		.health = &p->health,
		.stopping = op_stopping,
		.processes = op_processes,
		.event = op_event,
		.auth_key = op_auth_key,
		.shutdown = op_shutdown,
		.log_level = op_log_level,
		.state_is = op_state_is,
		.mapd = op_mapd,
		.doctor_want = op_doctor_want,
		.doctor_unwant = op_doctor_unwant,
		.doctor_ask = op_doctor_ask,
	};
}
