/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd.h"
#include "exits.h"
#include "timefmt.h"
#include "util_authd.h"

static void
assert_result_text(const struct ipc_reg_result *r, const char *part)
{
	char text[IPC_ERR_MAX + 1];

	assert_true(IPC_OK(r, err));
	IPC_STR(r, err, text);
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

/* Every other test here runs inside it. */
static void
test_sandboxed(void **state)
{
	struct fakeparent fp;
	struct ipc_hello hello;
	struct fp_msg *m;

	(void)state;
	fp_start(&fp, &authd_role);
	fp_fill_hello(&hello, &authd_role);
	fp_send(&fp, IPC_HELLO, IPC_ID_NONE, &hello, sizeof(hello), -1);
	fp_send_config(&fp, 120000);
	m = fp_wait(&fp, IPC_READY);
#ifdef __linux__
	assert_int_equal(m->u.ready.layers & (SBX_NNP | SBX_RLIMIT | SBX_SECCOMP), SBX_NNP | SBX_RLIMIT | SBX_SECCOMP);
#else
	assert_true(m->u.ready.layers & SBX_PLEDGE);
#endif
	ipc_set_state(fp.ipc, IPC_S_IDLE);
	fp_stop(&fp);
}

/* --- register --- */

static void
fill_register(struct ipc_register *r, enum ipc_reg_op op)
{
	memset(r, 0, sizeof(*r));
	r->op = op;
	memset(r->node_key.b, 0x11, KEY_LEN);
}

static void
send_register(struct fakeparent *fp, uint32_t id, const struct ipc_register *r)
{
	ipc_set_state(fp->ipc, IPC_S_BUSY);
	fp_send(fp, IPC_REGISTER, id, r, sizeof(*r), -1);
}

static struct fs_stream *
begin_register(struct fakeparent *fp, uint32_t id, const struct ipc_register *r)
{
	struct fs_stream *st;

	fp_start_ready(fp, &authd_role);
	send_register(fp, id, r);
	st = fp_request(fp, fp_server(fp, 0), 0);
	assert_string_equal(st->method, "POST");
	assert_string_equal(st->path, "/machine/register");
	assert_string_equal(st->authority, "control.example:8080");
	return st;
}

static struct ipc_reg_result *
end_register(struct fakeparent *fp, uint32_t id)
{
	struct fp_msg *m = fp_wait(fp, IPC_REG_RESULT);

	assert_int_equal(m->id, id);
	FP_UNTIL(fp, fp->servers[0]->gone);
	assert_null(fp_try(fp, IPC_REG_RESULT, 20));
	return &m->u.reg;
}

static struct ipc_reg_result *
register_with(struct fakeparent *fp, enum ipc_reg_op op, const char *status, const char *retry_after, const char *body)
{
	struct ipc_register r;
	struct fs_stream *st;

	fill_register(&r, op);
	st = begin_register(fp, 3, &r);
	fs_answer(fp->servers[0], st, status, retry_after, body, strlen(body), 1);
	return end_register(fp, 3);
}

/* Hits of a text in the memory of a process, or -1 if it cannot be read. */
static int
scan_memory(pid_t pid, const char *text)
{
	char path[64], line[512];
	unsigned long from, to;
	size_t len = strlen(text);
	int fd, hits = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	if ((maps = fopen(path, "r")) == NULL)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	if ((fd = open(path, O_RDONLY)) == -1) {
		fclose(maps);
		return -1;
	}
	while (fgets(line, sizeof(line), maps) != NULL) {
		char *mem, *p;
		ssize_t n;

		if (sscanf(line, "%lx-%lx r", &from, &to) != 2 || strstr(line, " r") == NULL ||
		    to - from > (64ul << 20))
			continue;
		mem = malloc(to - from);
		n = pread(fd, mem, to - from, (off_t)from);
		for (p = mem; n > 0 && (p = memmem(p, (size_t)(n - (p - mem)), text, len)) != NULL; p++)
			hits++;
		free(mem);
	}
	close(fd);
	fclose(maps);
	return hits;
}

static void
test_register_auth_key(void **state)
{
	static const char answer[] =
	    "{\"User\":{\"ID\":7},\"Login\":{\"ID\":8,\"LoginName\":\"a@b\",\"DisplayName\":\"A\"},"
	    "\"MachineAuthorized\":true}";
	struct fakeparent fp;
	struct ipc_register r;
	struct ipc_reg_result *res;
	struct fs_stream *st;
	char name[IPC_NAME_MAX + 1];

	(void)state;
	fill_register(&r, IPC_REG_LOGIN);
	memset(r.old_node_key.b, 0x22, KEY_LEN);
	IPC_SET(&r, auth_key, AUTH_KEY, strlen(AUTH_KEY));
	st = begin_register(&fp, 11, &r);
	assert_string_equal(fs_body(st),
	    "{\"Version\":131,\"NodeKey\":\"nodekey:" ONES64 "\",\"OldNodeKey\":\"nodekey:" TWOS64
	    "\",\"NLKey\":\"nlpub:" ZERO64 "\",\"Auth\":{\"AuthKey\":\"" AUTH_KEY
	    "\"},\"Expiry\":\"0001-01-01T00:00:00Z\""
	    ",\"Followup\":\"\",\"Hostinfo\":" FP_HOSTINFO ",\"NodeKeySignature\":null}");
	assert_int_equal(st->nlb, 2);
	assert_string_equal(st->lb[0], "nodekey:" TWOS64);
	assert_string_equal(st->lb[1], "nodekey:" ONES64);
	fs_answer(fp.servers[0], st, "200", NULL, answer, sizeof(answer) - 1, 1);
	res = end_register(&fp, 11);
	assert_int_equal(res->outcome, IPC_REG_OK);
	assert_true(res->user_id == 7 && res->login_id == 8);
	assert_int_equal(res->machine_authorized, 1);
	IPC_STR(res, login_name, name);
	assert_string_equal(name, "a@b");
	IPC_STR(res, display_name, name);
	assert_string_equal(name, "A");
	fp_stop(&fp);
}

/* security.md 5.2: wiped in authd 100 ms after use, while the request is still waiting for its answer. */
/* rows: REG-12 */
static void
test_auth_key_is_wiped(void **state)
{
	struct fakeparent fp;
	struct ipc_register r;
	char key[40] = "tskey-";

	(void)state;
	fp_start_ready(&fp, &authd_role);
	for (size_t i = 6; i < sizeof(key) - 1; i++)
		key[i] = (char)('a' + arc4random_uniform(26)); /* made after the fork: the child has it from us alone */
	fill_register(&r, IPC_REG_LOGIN);
	IPC_SET(&r, auth_key, key, sizeof(key) - 1);
	send_register(&fp, 1, &r);
	assert_non_null(strstr(fs_body(fp_request(&fp, fp_server(&fp, 0), 0)), key));
	fp_run_for(&fp, 100);
	assert_true(scan_memory(fp.pid, "control.example") != 0); /* the scan sees something */
	assert_true(scan_memory(fp.pid, key + 6) <= 0);
	fp_free(&fp);
}

static void
test_register_url(void **state)
{
	struct fakeparent fp;
	struct ipc_reg_result *res;
	char url[IPC_URL_MAX + 1];

	(void)state;
	res = register_with(&fp, IPC_REG_LOGIN, "200", NULL, "{\"AuthURL\":\"https://login/a/1\"}");
	assert_int_equal(res->outcome, IPC_REG_URL);
	IPC_STR(res, url, url);
	assert_string_equal(url, "https://login/a/1");
	fp_stop(&fp);
}

/* The follow-up repeats key and URL, waits, and CANCEL ends it at once. */
static void
test_followup_cancel(void **state)
{
	struct fakeparent fp;
	struct ipc_register r;
	struct ipc_reg_result *res;
	struct fs_stream *st;
	uint64_t t;

	(void)state;
	fill_register(&r, IPC_REG_FOLLOWUP);
	IPC_SET(&r, followup, "https://login/a/1", 17);
	r.ephemeral = 1;
	st = begin_register(&fp, 21, &r);
	assert_non_null(strstr(fs_body(st), "\"NodeKey\":\"nodekey:" ONES64 "\""));
	assert_non_null(strstr(fs_body(st), "\"Followup\":\"https://login/a/1\""));
	assert_null(strstr(fs_body(st), "Ephemeral"));
	assert_null(fp_try(&fp, IPC_REG_RESULT, 200));
	t = time_mono_ms();
	fp_send_empty(&fp, IPC_CANCEL, 21);
	res = end_register(&fp, 21);
	assert_int_equal(res->outcome, IPC_REG_TRANSPORT);
	assert_result_text(res, "cancelled");
	assert_true(time_mono_ms() - t < 2000);
	fp_stop(&fp);
}

/* rows: OUT-02 */
static void
test_logout(void **state)
{
	struct fakeparent fp;
	struct ipc_reg_result *res;

	(void)state;
	res = register_with(&fp, IPC_REG_LOGOUT, "200", NULL, "{\"NodeKeyExpired\":true}");
	assert_int_equal(res->outcome, IPC_REG_OK);
	assert_non_null(strstr(fs_body(&fp.servers[0]->streams[0]), "\"Expiry\":\"1970-01-01T00:02:03Z\""));
	assert_int_equal(fp.servers[0]->nstreams, 1);
	fp_stop(&fp);
}

static void
one_outcome(const char *status, const char *retry, const char *body, enum ipc_reg_outcome outcome, const char *part)
{
	struct fakeparent fp;
	struct ipc_reg_result *res = register_with(&fp, IPC_REG_LOGIN, status, retry, body);

	assert_int_equal(res->outcome, outcome);
	assert_result_text(res, part);
	assert_int_equal(res->http_status, atoi(status));
	if (outcome == IPC_REG_RATE_LIMITED)
		assert_int_equal(res->retry_after_ms, 7000);
	fp_stop(&fp);
}

/* rows: REG-04 REG-07 */
static void
test_outcomes(void **state)
{
	(void)state;
	one_outcome("200", NULL, "{\"NodeKeyExpired\":true}", IPC_REG_KEY_EXPIRED, "");
	one_outcome("200", NULL, "{\"Error\":\"auth key \\u001b[7m spent\",\"AuthURL\":\"https://h/\"}",
	    IPC_REG_REFUSED, "auth key \\x1b[7m spent");
	one_outcome("429", "7", "slow down", IPC_REG_RATE_LIMITED, "slow down");
	one_outcome("400", NULL, "unsupported client version", IPC_REG_HTTP, "unsupported client version");
	one_outcome("200", NULL, "{]", IPC_REG_BAD_ANSWER, "JSON");
	one_outcome("200", NULL, "{\"NodeKeySignature\":\"AQ==\"}", IPC_REG_BAD_ANSWER,
	    "tailnet lock needed: not supported");
	one_outcome("200", NULL, "{\"AuthURL\":\"file:///etc/passwd\"}", IPC_REG_BAD_ANSWER, "refused");
	one_outcome("200", NULL, "null", IPC_REG_OK, "");
}

/* rows: REG-07 */
static void
test_answer_too_large(void **state)
{
	struct fakeparent fp;
	struct ipc_register r;
	struct ipc_reg_result *res;
	char *big = malloc((1 << 20) + 1);

	(void)state;
	memset(big, ' ', (1 << 20) + 1);
	fill_register(&r, IPC_REG_LOGIN);
	begin_register(&fp, 2, &r);
	fs_answer(fp.servers[0], &fp.servers[0]->streams[0], "200", NULL, big, (1 << 20) + 1, 0);
	res = end_register(&fp, 2);
	assert_int_equal(res->outcome, IPC_REG_BAD_ANSWER);
	assert_result_text(res, "1 MiB");
	free(big);
	fp_stop(&fp);
}

/* The text of an error answer is waited for 5 s and no longer, and a KiB of it is enough. */
/* rows: REG-08 */
static void
test_endless_error(void **state)
{
	struct fakeparent fp;
	struct ipc_register r;
	struct ipc_reg_result *res;
	char text[4096];
	uint64_t t = time_mono_ms();

	(void)state;
	memset(text, 'x', sizeof(text));
	fill_register(&r, IPC_REG_LOGIN);
	begin_register(&fp, 2, &r);
	fs_answer(fp.servers[0], &fp.servers[0]->streams[0], "500", NULL, text, sizeof(text), 0);
	res = end_register(&fp, 2);
	assert_int_equal(res->outcome, IPC_REG_HTTP);
	assert_result_text(res, "HTTP 500: xxxx");
	assert_true(res->err_len < 240);
	assert_true(time_mono_ms() - t < 3000);
	fp_stop(&fp);

	begin_register(&fp, 2, &r);
	t = time_mono_ms();
	fs_answer(fp.servers[0], &fp.servers[0]->streams[0], "503", NULL, "busy", 4, 0);
	res = end_register(&fp, 2);
	assert_int_equal(res->outcome, IPC_REG_HTTP);
	assert_result_text(res, "HTTP 503: busy");
	assert_in_range(time_mono_ms() - t, 4500, 9500);
	fp_stop(&fp);
}

/* Lost before an answer: transport; suspect only when it was lost between 101 and the handshake's end. */
static void
test_connection_lost(void **state)
{
	struct fakeparent fp;
	struct ipc_register r;
	struct ipc_reg_result *res;
	struct fp_msg *m;
	int fd;

	(void)state;
	fill_register(&r, IPC_REG_LOGIN);
	begin_register(&fp, 2, &r);
	fs_drop(fp.servers[0]);
	fp.servers[0]->gone = 1;
	res = end_register(&fp, 2);
	assert_int_equal(res->outcome, IPC_REG_TRANSPORT);
	assert_int_equal(res->cause, CAUSE_OTHER);
	assert_true(res->err_len > 0);
	fp_stop(&fp);

	fp_start_ready(&fp, &authd_role);
	fp.manual = fp.plain = 1;
	send_register(&fp, 4, &r);
	m = fp_wait(&fp, IPC_DIAL);
	fd = fp_connect(&fp);
	fp_dialled(&fp, m->id, fd, "here");
	fp_hs_init(&fp, fp_wait(&fp, IPC_HS_BEGIN)->id);
	FP_UNTIL(&fp, buf_len(&fp.servers[0]->in) > 0);
	buf_puts(&fp.servers[0]->wire,
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\n"
	    "Connection: upgrade\r\n\r\n");
	fs_flush(fp.servers[0]);
	fs_drop(fp.servers[0]);
	fp.servers[0]->gone = 1;
	res = end_register(&fp, 4);
	assert_int_equal(res->outcome, IPC_REG_TRANSPORT);
	assert_int_equal(res->cause, CAUSE_SERVER_KEY);
	fp_stop(&fp);
}

/* rows: REG-11 */
static void
test_no_backend_log_id(void **state)
{
	struct fakeparent fp;
	struct ipc_register r;
	struct ipc_reg_result *res;

	(void)state;
	fp_start_ready(&fp, &authd_role);
	fp_send_hostinfo(&fp, "{\"OS\":\"linux\",\"BackendLogID\":\"\"}");
	fill_register(&r, IPC_REG_LOGIN);
	send_register(&fp, 6, &r);
	res = &fp_wait(&fp, IPC_REG_RESULT)->u.reg;
	assert_int_equal(res->outcome, IPC_REG_BAD_ANSWER);
	assert_result_text(res, "BackendLogID");
	assert_null(fp_try(&fp, IPC_DIAL, 50));
	fp_stop(&fp);
}

/* A new operation cancels the running one; each has exactly one result. */
static void
test_pushed_aside(void **state)
{
	struct fakeparent fp;
	struct ipc_register r;
	struct fs_stream *st;
	struct fp_msg *m;

	(void)state;
	fill_register(&r, IPC_REG_LOGIN);
	begin_register(&fp, 31, &r);
	r.op = IPC_REG_LOGOUT;
	send_register(&fp, 32, &r);
	m = fp_wait(&fp, IPC_REG_RESULT);
	assert_int_equal(m->id, 31);
	assert_result_text(&m->u.reg, "cancelled");
	FP_UNTIL(&fp, fp.servers[0]->gone);
	st = fp_request(&fp, fp_server(&fp, 1), 0);
	fs_answer(fp.servers[1], st, "200", NULL, "{}", 2, 1);
	m = fp_wait(&fp, IPC_REG_RESULT);
	assert_int_equal(m->id, 32);
	assert_int_equal(m->u.reg.outcome, IPC_REG_OK);
	fp_stop(&fp);
}

/* rows: DIAL-09 */
/* The parent's dial plan holds for a register, too; a candidate that fails gives way to DNS. */
static void
test_dial_plan(void **state)
{
	struct ipc_dial_times plan = { .n = 1, .e = { { 0, 3000 } } };
	struct fakeparent fp;
	struct ipc_register r;
	struct fs_stream *st;

	(void)state;
	fill_register(&r, IPC_REG_LOGIN);
	fp_start_ready(&fp, &authd_role);
	fp.refuse_candidates = 1;
	fp_send(&fp, IPC_DIAL_TIMES, IPC_ID_NONE, &plan, sizeof(plan), -1);
	send_register(&fp, 51, &r);
	st = fp_request(&fp, fp_server(&fp, 0), 0);
	assert_int_equal(fp.candidates_refused, 1);
	fs_answer(fp.servers[0], st, "200", NULL, "{\"MachineAuthorized\":true}", 26, 1);
	assert_int_equal(end_register(&fp, 51)->outcome, IPC_REG_OK);
	fp_stop(&fp);
}

/* The doctor's: HTTP/2 works, and nothing was asked. */
static void
test_probe(void **state)
{
	struct fakeparent fp;
	struct ipc_register r;
	struct fp_msg *m;

	(void)state;
	memset(&r, 0, sizeof(r));
	r.op = IPC_REG_PROBE;
	fp_start_ready(&fp, &authd_role);
	send_register(&fp, 41, &r);
	m = fp_wait(&fp, IPC_REG_RESULT);
	assert_int_equal(m->id, 41);
	assert_int_equal(m->u.reg.outcome, IPC_REG_OK);
	FP_UNTIL(&fp, fp.servers[0]->gone);
	assert_int_equal(fp.servers[0]->nstreams, 0);
	fp_stop(&fp);
}

static void
refused_by_child(const struct ipc_register *r)
{
	struct fakeparent fp;

	fp_start_ready(&fp, &authd_role);
	fp_send(&fp, IPC_REGISTER, 1, r, sizeof(*r), -1);
	assert_int_equal(fp_reap(&fp), EXIT_VIOLATION);
	fp_free(&fp);
}

/* A protocol violation by the parent ends the child, it does not confuse it. */
static void
test_malformed_register(void **state)
{
	struct ipc_register r;

	(void)state;
	fill_register(&r, IPC_REG_LOGIN);
	r.op = 0;
	refused_by_child(&r);
	fill_register(&r, IPC_REG_LOGIN);
	r.op = IPC_REG_PROBE + 1;
	refused_by_child(&r);
	fill_register(&r, IPC_REG_LOGIN);
	memset(&r.node_key, 0, sizeof(r.node_key));
	refused_by_child(&r);
	fill_register(&r, IPC_REG_FOLLOWUP);
	refused_by_child(&r);
	fill_register(&r, IPC_REG_LOGIN);
	r.auth_key_len = IPC_AUTHKEY_MAX + 1;
	refused_by_child(&r);
	fill_register(&r, IPC_REG_LOGIN);
	IPC_SET(&r, auth_key, "tskey\n", 6);
	refused_by_child(&r);
	fill_register(&r, IPC_REG_FOLLOWUP);
	IPC_SET(&r, followup, "https://\xff", 9);
	refused_by_child(&r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sandboxed),
		cmocka_unit_test(test_register_auth_key),
		cmocka_unit_test(test_auth_key_is_wiped),
		cmocka_unit_test(test_register_url),
		cmocka_unit_test(test_followup_cancel),
		cmocka_unit_test(test_logout),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_answer_too_large),
		cmocka_unit_test(test_endless_error),
		cmocka_unit_test(test_connection_lost),
		cmocka_unit_test(test_no_backend_log_id),
		cmocka_unit_test(test_pushed_aside),
		cmocka_unit_test(test_dial_plan),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_malformed_register),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
