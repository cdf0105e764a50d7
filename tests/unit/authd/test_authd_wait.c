/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "authd.h"
#include "log.h"
#include "util_authd.h"
#include "util_clock.h"

/* How long authd waits, on a clock of the test's: in the child time passes as the test says. */
static int64_t ahead_s;

static void
set_ahead(int64_t s)
{
	ahead_s = s;
	clock_mono_ahead(s);
	clock_wall_ahead(s);
}

/* The child's time passes: it looks at its timers, since a message wakes it. */
static void
pass(struct fakeparent *fp, unsigned seconds)
{
	struct ipc_log_level level = { LOG_L_INFO };

	for (; seconds > 0; seconds -= 5) {
		set_ahead(ahead_s + 5);
		fp_send(fp, IPC_LOG_LEVEL, IPC_ID_NONE, &level, sizeof(level), -1);
		fp_run_for(fp, 1);
	}
	fp_run_for(fp, 20);
}

static struct fs_stream *
begin(struct fakeparent *fp, enum ipc_reg_op op)
{
	struct ipc_register r;

	memset(&r, 0, sizeof(r));
	r.op = op;
	memset(r.node_key.b, 0x11, KEY_LEN);
	if (op == IPC_REG_FOLLOWUP)
		IPC_SET(&r, followup, "https://login/a/1", 17);
	set_ahead(0);
	fp_start_ready(fp, &authd_role);
	ipc_set_state(fp->ipc, IPC_S_BUSY);
	fp_send(fp, IPC_REGISTER, 7, &r, sizeof(r), -1);
	return fp_request(fp, fp_server(fp, 0), 0);
}

/* A follow-up waits as long as the server holds it: half an hour and more, in silence. */
/* rows: FUP-01 */
static void
test_followup_is_held(void **state)
{
	static const char answer[] = "{\"Login\":{\"ID\":8,\"LoginName\":\"a@b\"},\"MachineAuthorized\":true}";
	struct fakeparent fp;
	struct fs_stream *st;
	struct fp_msg *m;

	(void)state;
	st = begin(&fp, IPC_REG_FOLLOWUP);
	for (int minute = 0; minute < 40; minute++) {
		pass(&fp, 60);
		if (fp_try(&fp, IPC_REG_RESULT, 0) != NULL || st->closed || fp.servers[0]->gone)
			fail_msg("given up after %d min", minute + 1);
	}
	assert_int_equal(fp.servers[0]->nstreams, 1);
	assert_int_equal(fp.nservers, 1);
	fs_answer(fp.servers[0], st, "200", NULL, answer, sizeof(answer) - 1, 1);
	m = fp_wait(&fp, IPC_REG_RESULT);
	assert_int_equal(m->id, 7);
	assert_int_equal(m->u.reg.outcome, IPC_REG_OK);
	fp_stop(&fp);
}

/* The same clock ends every other request after a minute. */
static void
test_others_are_not(void **state)
{
	static const enum ipc_reg_op ops[] = { IPC_REG_LOGIN, IPC_REG_LOGOUT };

	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct fakeparent fp;
		struct fp_msg *m;
		char text[IPC_ERR_MAX + 1];

		begin(&fp, ops[i]);
		pass(&fp, 55);
		assert_null(fp_try(&fp, IPC_REG_RESULT, 0));
		pass(&fp, 10);
		m = fp_wait(&fp, IPC_REG_RESULT);
		assert_int_equal(m->u.reg.outcome, IPC_REG_TRANSPORT);
		IPC_STR(&m->u.reg, err, text);
		assert_string_equal(text, "register: no answer within 60 s");
		fp_stop(&fp);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_followup_is_held),
		cmocka_unit_test(test_others_are_not),
	};

	clock_in_children();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
