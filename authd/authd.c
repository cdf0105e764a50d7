/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "authd.h"
#include "key.h"
#include "mem.h"
#include "reg.h"
#include "register.h"
#include "tls.h"

static void
deadline_passed(void *arg)
{
	struct authd *a = arg;

	if (a->kind == OP_KEY)
		key_deadline(a);
	else if (a->kind == OP_REGISTER)
		reg_deadline(a);
}

void
op_deadline(struct authd *a, unsigned ms)
{
	timer_set_ms(&a->deadline, ms);
}

void
op_end(struct authd *a, enum ipc_type type, void *result, size_t len)
{
	uint32_t id = a->id;

	a->kind = OP_NONE;
	timer_stop(&a->deadline);
	ipc_send(child_ipc(a->c), type, id, result, len, -1);
	ipc_set_state(child_ipc(a->c), IPC_S_IDLE);
}

static void
op_cancel(struct authd *a)
{
	struct ipc_key_result key;
	struct ipc_reg_result reg;

	memset(&key, 0, sizeof(key));
	memset(&reg, 0, sizeof(reg));
	reg.outcome = IPC_REG_TRANSPORT;
	if (a->kind == OP_KEY) {
		key_abandon(a);
		IPC_SET(&key, err, CANCELLED, strlen(CANCELLED));
		op_end(a, IPC_KEY_RESULT, &key, sizeof(key));
	} else if (a->kind == OP_REGISTER) {
		reg_abandon(a);
		IPC_SET(&reg, err, CANCELLED, strlen(CANCELLED));
		op_end(a, IPC_REG_RESULT, &reg, sizeof(reg));
	}
}

void
op_begin(struct authd *a, enum op_kind kind, uint32_t id)
{
	op_cancel(a);
	a->kind = kind;
	a->id = id;
	ipc_set_state(child_ipc(a->c), IPC_S_BUSY);
}

int
authd_on_cancel(void *ctx, const struct ipc_msg *m)
{
	struct authd *a = ctx;

	if (a->kind != OP_NONE && m->id == a->id) /* else its result was sent already */
		op_cancel(a);
	return 0;
}

static void
on_ca(void *ctx)
{
	key_ca_came(ctx);
}

static void
on_step(void *ctx, enum wire_step what, enum wire_dial kind)
{
	struct authd *a = ctx;
	struct ipc_step m = { (uint32_t)what, (uint32_t)kind };

	if (a->kind != OP_NONE && child_config(a->c)->report_steps)
		ipc_send(child_ipc(a->c), IPC_STEP, a->id, &m, sizeof(m), -1);
	if (a->kind == OP_REGISTER && what == WIRE_STEP_HTTP2)
		reg_greeted(a);
}

static void *
start(struct childproc *c)
{
	struct authd *a = xcalloc(1, sizeof(*a));

	a->c = c;
	buf_init(&a->body, REGISTER_MAX_ANSWER);
	timer_init(&a->deadline, child_base(c), deadline_passed, a);
	timer_init(&a->settle, child_base(c), reg_settle, a);
	return a;
}

static void
stop(void *ctx)
{
	struct authd *a = ctx;

	if (a->kind == OP_KEY)
		key_abandon(a);
	else if (a->kind == OP_REGISTER)
		reg_abandon(a);
	timer_free(&a->deadline);
	timer_free(&a->settle);
	free(a);
}

const struct child_role authd_role = {
	.name = "authd",
	.role = IPC_AUTHD,
	.profile = &authd_profile,
	.warm = wire_warm,
	.start = start,
	.stop = stop,
	.ca = on_ca,
	.step = on_step,
	.on = {
#define X(name, handler, ...) [IPC_##name] = authd_on_##handler,
		IPC_TO_AUTHD(X)
#undef X
	},
};
