/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dialclient.h"
#include "exits.h"
#include "log.h"
#include "util_fakeparent.h"

/*
 * A role that follows its messages: REGISTER connects a session, a second one frees it, KEY_FETCH starts a fetch,
 * CANCEL cancels it.  What its callbacks receive is sent as log lines.
 */
struct puppet {
	struct childproc *c;
	struct session *session;
	struct fetch *fetch;
};

static void
puppet_up(void *arg)
{
	(void)arg;
	log_info("session is up");
}

static void
puppet_down(void *arg, const char *why, enum cause cause)
{
	(void)arg;
	log_info("session is down: %s, cause %d", why, (int)cause);
}

static int
puppet_register(void *ctx, const struct ipc_msg *m)
{
	struct puppet *p = ctx;

	(void)m;
	if (p->session == NULL) {
		p->session = child_session(p->c, puppet_up, puppet_down, p);
		session_connect(p->session);
	} else {
		child_session_free(p->c, p->session);
		p->session = NULL;
	}
	return 0;
}

static void
puppet_fetched(void *arg, int status, const uint8_t *body, size_t n, const char *err)
{
	struct puppet *p = arg;

	p->fetch = NULL;
	log_info("fetched: %d %.*s %s", status, (int)n, (const char *)body, err != NULL ? err : "");
}

static int
puppet_fetch(void *ctx, const struct ipc_msg *m)
{
	struct puppet *p = ctx;

	(void)m;
	p->fetch = child_fetch(p->c, "GET", "/x", 100, 5000, puppet_fetched, p);
	return 0;
}

static int
puppet_cancel(void *ctx, const struct ipc_msg *m)
{
	struct puppet *p = ctx;

	(void)m;
	if (p->fetch != NULL)
		child_fetch_cancel(p->c, p->fetch);
	p->fetch = NULL;
	return 0;
}

static void
puppet_hostinfo(void *ctx)
{
	struct puppet *p = ctx;
	const char *s;
	size_t n;

	s = child_hostinfo(p->c, &n);
	log_info("hostinfo of %zu bytes, begins %.*s", n, n < 10 ? (int)n : 10, s);
}

static void
puppet_rewired(void *ctx)
{
	struct puppet *p = ctx;

	log_info("rewired: %s https %d", child_wire_config(p->c)->host, child_wire_config(p->c)->https);
}

static void
puppet_ca(void *ctx)
{
	struct puppet *p = ctx;

	log_info("ca: %s, %s", child_trust(p->c) != NULL ? "good" : "bad",
	    child_trust_error(p->c) != NULL ? "with reason" : "no reason");
}

static void *
puppet_start(struct childproc *c)
{
	static struct puppet p;
	size_t n;

	p.c = c;
	assert_string_equal(child_hostinfo(c, &n), "{}");
	return &p;
}

static void
puppet_stop(void *ctx)
{
	struct puppet *p = ctx;

	if (p->session != NULL)
		child_session_free(p->c, p->session);
}

static const struct sandbox_profile puppet_profile = { .name = "puppet", .deny_list = 1, .die_with_parent = 1 };

static const struct child_role puppet_role = {
	.name = "puppet",
	.role = IPC_AUTHD,
	.profile = &puppet_profile,
	.start = puppet_start,
	.stop = puppet_stop,
	.rewired = puppet_rewired,
	.hostinfo = puppet_hostinfo,
	.ca = puppet_ca,
	.on = { [IPC_REGISTER] = puppet_register, [IPC_KEY_FETCH] = puppet_fetch, [IPC_CANCEL] = puppet_cancel },
};

static void
send_register(struct fakeparent *fp)
{
	struct ipc_register r;

	memset(&r, 0, sizeof(r));
	ipc_set_state(fp->ipc, IPC_S_BUSY);
	fp_send(fp, IPC_REGISTER, 1, &r, sizeof(r), -1);
}

/* --- start and end --- */

static int
run_by_hand(int fd3)
{
	int status, i, p[2];
	char line[300] = "";
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	fflush(NULL);
	assert_true((pid = fork()) != -1);
	if (pid == 0) {
		dup2(p[1], 2);
		if (fd3 != -1)
			dup2(fd3, 3);
		for (i = fd3 != -1 ? 4 : 3; i < 1024; i++)
			close(i);
		_exit(child_run(&puppet_role));
	}
	close(p[1]);
	assert_true(read(p[0], line, sizeof(line) - 1) > 0);
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_non_null(strstr(line, "not by hand"));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1); /* one line */
	return WEXITSTATUS(status);
}

static void
test_by_hand(void **state)
{
	int null = open("/dev/null", O_RDWR);

	(void)state;
	assert_int_equal(run_by_hand(-1), EXIT_BYHAND);
	assert_int_equal(run_by_hand(null), EXIT_BYHAND);
	close(null);
}

static void
test_life(void **state)
{
	struct fakeparent fp;
	struct fp_msg *m;

	(void)state;
	fp_start_ready(&fp, &puppet_role);
	assert_true(fp_logged(&fp, "hostinfo of"));
	fp_send_empty(&fp, IPC_PING, 77);
	m = fp_wait(&fp, IPC_PONG);
	assert_int_equal(m->id, 77);
	fp_stop(&fp);
}

static void
test_end_of_channel(void **state)
{
	struct fakeparent fp;

	(void)state;
	fp_start_ready(&fp, &puppet_role);
	send_register(&fp);
	fp_server(&fp, 0);
	ipc_free(fp.ipc);
	fp.ipc = NULL;
	assert_int_equal(fp_reap(&fp), EXIT_OK);
	FP_UNTIL(&fp, fp.servers[0]->gone);
	fp_free(&fp);
}

static int
hello_with(void (*spoil)(struct ipc_hello *))
{
	struct fakeparent fp;
	struct ipc_hello m;
	int rv;

	fp_start(&fp, &puppet_role);
	fp_fill_hello(&m, &puppet_role);
	spoil(&m);
	fp_send(&fp, IPC_HELLO, IPC_ID_NONE, &m, sizeof(m), -1);
	fp_send_config(&fp, 120000);
	rv = fp_reap(&fp);
	assert_null(fp_try(&fp, IPC_READY, 0));
	fp_free(&fp);
	return rv;
}

static void
spoil_build(struct ipc_hello *m)
{
	m->build[0] ^= 1;
}
static void
spoil_role(struct ipc_hello *m)
{
	m->role = IPC_MAPD;
}
static void
spoil_level(struct ipc_hello *m)
{
	m->log_level = 9;
}
static void
spoil_chroot(struct ipc_hello *m)
{
	m->chroot_dir_len = IPC_PATH_MAX + 1;
}

static void
test_hello_refused(void **state)
{
	struct fakeparent fp;
	struct ipc_hello m;

	(void)state;
	assert_int_equal(hello_with(spoil_build), EXIT_BUILD);
	assert_int_equal(hello_with(spoil_role), EXIT_VIOLATION);
	assert_int_equal(hello_with(spoil_level), EXIT_VIOLATION);
	assert_int_equal(hello_with(spoil_chroot), EXIT_VIOLATION);

	fp_start(&fp, &puppet_role);
	fp_fill_hello(&m, &puppet_role);
	spoil_build(&m);
	fp_send(&fp, IPC_HELLO, IPC_ID_NONE, &m, sizeof(m), -1);
	assert_true(fp_logged(&fp, "not built together"));
	fp_free(&fp);
}

static int
config_with(void (*spoil)(struct ipc_config *), int again)
{
	struct fakeparent fp;
	struct ipc_hello hello;
	struct ipc_config m;
	int rv;

	if (again) {
		fp_start_ready(&fp, &puppet_role);
	} else {
		fp_start(&fp, &puppet_role);
		fp_fill_hello(&hello, &puppet_role);
		fp_send(&fp, IPC_HELLO, IPC_ID_NONE, &hello, sizeof(hello), -1);
	}
	fp_fill_config(&m, 0);
	spoil(&m);
	fp_send(&fp, IPC_CONFIG, IPC_ID_NONE, &m, sizeof(m), -1);
	rv = fp_reap(&fp);
	fp_free(&fp);
	return rv;
}

static void
spoil_host(struct ipc_config *m)
{
	m->host_len = 0;
}
static void
spoil_text(struct ipc_config *m)
{
	m->authority[3] = '\n';
}
static void
spoil_length(struct ipc_config *m)
{
	m->prefix_len = 60000;
}
static void
spoil_capver(struct ipc_config *m)
{
	m->capver = 65536;
}
static void
spoil_port(struct ipc_config *m)
{
	m->tls_port = 65536;
}
static void
spoil_watchdog(struct ipc_config *m)
{
	m->watchdog_ms = 0;
}

static void
spoil_exit_node(struct ipc_config *m)
{
	IPC_SET(m, exit_node, "a\tb", 3);
}
static void
spoil_full_text(struct ipc_config *m)
{
	m->exit_node_len = sizeof(m->exit_node); /* no room for a terminator */
	memset(m->exit_node, 'a', sizeof(m->exit_node));
}
static void
spoil_word(struct ipc_config *m)
{
	m->accept_routes = 2;
}
static void
spoil_small_capver(struct ipc_config *m)
{
	m->capver = 112;
}
static void
spoil_size(struct ipc_config *m)
{
	m->max_map_wire = 65535;
}
static void
spoil_long_watchdog(struct ipc_config *m)
{
	m->watchdog_ms = 3600001;
}
static void
spoil_flag(struct ipc_config *m)
{
	m->https = 2;
}

static void
test_config_refused(void **state)
{
	static void (*const spoil[])(struct ipc_config *) = { spoil_host, spoil_text, spoil_length, spoil_capver,
		spoil_port, spoil_watchdog, spoil_exit_node, spoil_full_text, spoil_word, spoil_small_capver,
		spoil_size, spoil_long_watchdog, spoil_flag };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(spoil) / sizeof(spoil[0]); i++) {
		assert_int_equal(config_with(spoil[i], 0), EXIT_VIOLATION);
		assert_int_equal(config_with(spoil[i], 1), EXIT_VIOLATION);
	}
}

static void
test_config_before_hello(void **state)
{
	struct fakeparent fp;

	(void)state;
	fp_start(&fp, &puppet_role);
	fp_send_config(&fp, 120000);
	assert_int_equal(fp_reap(&fp), EXIT_VIOLATION);
	fp_free(&fp);
}

static void
test_garbage(void **state)
{
	struct fakeparent fp;
	char junk[64];
	int sv = -1, i;

	(void)state;
	fp_start(&fp, &puppet_role);
	/* Behind the back of our own ipc, which would not send it. */
	for (i = 3; i < 64 && sv == -1; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);

		if (getsockname(i, (struct sockaddr *)&ss, &len) == 0 && ss.ss_family == AF_UNIX &&
		    write(i, "", 0) == 0)
			sv = i;
	}
	memset(junk, 0xee, sizeof(junk));
	assert_int_equal(write(sv, junk, sizeof(junk)), sizeof(junk));
	assert_int_equal(fp_reap(&fp), EXIT_VIOLATION);
	fp_free(&fp);
}

/* --- what changes while it runs --- */

static void
test_reload(void **state)
{
	struct fakeparent fp;
	struct ipc_config cfg;
	struct ipc_log_level level = { LOG_L_DEBUG };

	(void)state;
	fp_start_ready(&fp, &puppet_role);
	fp_fill_config(&cfg, 1);
	IPC_SET(&cfg, host, "other.example", 13);
	fp_send(&fp, IPC_CONFIG, IPC_ID_NONE, &cfg, sizeof(cfg), -1);
	assert_true(fp_logged(&fp, "rewired: other.example https 1"));
	fp_send(&fp, IPC_LOG_LEVEL, IPC_ID_NONE, &level, sizeof(level), -1);
	level.level = LOG_L_DEBUG + 1;
	fp_send(&fp, IPC_LOG_LEVEL, IPC_ID_NONE, &level, sizeof(level), -1);
	assert_int_equal(fp_reap(&fp), EXIT_VIOLATION);
	fp_free(&fp);
}

static void
test_long_hostinfo(void **state)
{
	struct fakeparent fp;
	size_t n = 70000;
	char *s = malloc(n + 1);

	(void)state;
	memset(s, ' ', n);
	s[0] = '{';
	s[n - 1] = '}';
	s[n] = '\0';
	fp_start_ready(&fp, &puppet_role);
	fp_send_hostinfo(&fp, s);
	assert_true(fp_logged(&fp, "hostinfo of 70000 bytes, begins {  "));
	fp_send_hostinfo(&fp, FP_HOSTINFO);
	assert_true(fp_logged(&fp, "begins {\"OS\":"));
	fp_send_hostinfo(&fp, "[1]");
	assert_int_equal(fp_reap(&fp), EXIT_VIOLATION);
	free(s);
	fp_free(&fp);
}

static void
test_unusable_ca(void **state)
{
	struct fakeparent fp;
	struct ipc_empty none = { 0 };

	(void)state;
	fp_start_ready(&fp, &puppet_role);
	fp_send(&fp, IPC_CA, IPC_ID_NONE, &none, sizeof(none), open("/dev/null", O_RDONLY));
	assert_true(fp_logged(&fp, "ca: bad, with reason"));
	fp_stop(&fp);
}

/* --- the bridge --- */

static void
test_session(void **state)
{
	struct fakeparent fp;

	(void)state;
	fp_start_ready(&fp, &puppet_role);
	send_register(&fp);
	assert_true(fp_logged(&fp, "session is up"));
	fs_drop(fp_server(&fp, 0));
	assert_true(fp_logged(&fp, "session is down"));
	fp_stop(&fp);
}

/* Answers to requests that no longer exist: descriptors are closed, nothing else happens. */
static void
test_stale_answers(void **state)
{
	struct fakeparent fp;
	struct fp_msg *dial;
	struct ipc_hs_fail fail = { IPC_HS_BUSY };

	(void)state;
	fp_start_ready(&fp, &puppet_role);
	fp.manual = 1;
	send_register(&fp);
	dial = fp_wait(&fp, IPC_DIAL);
	assert_int_equal(dial->u.dial.kind, IPC_DIAL_CLEAR);
	send_register(&fp); /* frees the session */
	assert_int_equal(fp_wait(&fp, IPC_DIAL_CANCEL)->id, dial->id);
	fp_dialled(&fp, dial->id, fp_connect(&fp), "late");
	FP_UNTIL(&fp, fp.servers[0]->gone);
	fp_hs_init(&fp, dial->id);
	fp_hs_keys(&fp, 12345);
	fp_send(&fp, IPC_HS_FAIL, dial->id, &fail, sizeof(fail), -1);
	/* Ids are never used twice, also by another session. */
	send_register(&fp);
	assert_int_not_equal(fp_wait(&fp, IPC_DIAL)->id, dial->id);
	fp_stop(&fp);
}

static void
test_handshake_fails(void **state)
{
	struct fakeparent fp;
	struct fp_msg *m;
	struct ipc_hs_fail fail = { IPC_HS_BAD_TAG };

	(void)state;
	fp_start_ready(&fp, &puppet_role);
	fp.manual = 1;
	send_register(&fp);
	fp_dialled(&fp, fp_wait(&fp, IPC_DIAL)->id, fp_connect(&fp), "here");
	fp_hs_init(&fp, fp_wait(&fp, IPC_HS_BEGIN)->id);
	m = fp_wait(&fp, IPC_HS_FINISH);
	assert_int_equal(((struct ipc_hs_finish *)(void *)m->u.bytes)->body[7], 0x5a);
	fp_send(&fp, IPC_HS_FAIL, m->id, &fail, sizeof(fail), -1);
	assert_true(fp_logged(&fp, "cause 1"));
	FP_UNTIL(&fp, fp.servers[0]->gone);
	fp_stop(&fp);
}

static void
test_dial_fails(void **state)
{
	struct fakeparent fp;

	(void)state;
	fp_start_ready(&fp, &puppet_role);
	fp.manual = 1;
	send_register(&fp);
	fp_dialled(&fp, fp_wait(&fp, IPC_DIAL)->id, -1, "no such host");
	assert_true(fp_logged(&fp, "no such host"));
	fp_stop(&fp);
}

static void
test_bad_answers(void **state)
{
	struct fakeparent fp;
	struct ipc_dialled d;
	struct ipc_hs_fail fail = { 99 };

	(void)state;
	fp_start_ready(&fp, &puppet_role);
	memset(&d, 0, sizeof(d));
	d.ok = 1; /* and no descriptor */
	fp_send(&fp, IPC_DIALLED, 1, &d, sizeof(d), -1);
	assert_int_equal(fp_reap(&fp), EXIT_VIOLATION);
	fp_free(&fp);

	fp_start_ready(&fp, &puppet_role);
	memset(&d, 0, sizeof(d));
	d.text_len = IPC_ERR_MAX + 1;
	fp_send(&fp, IPC_DIALLED, 1, &d, sizeof(d), open("/dev/null", O_RDONLY));
	assert_int_equal(fp_reap(&fp), EXIT_VIOLATION);
	fp_free(&fp);

	fp_start_ready(&fp, &puppet_role);
	fp_send(&fp, IPC_HS_FAIL, 1, &fail, sizeof(fail), -1);
	assert_int_equal(fp_reap(&fp), EXIT_VIOLATION);
	fp_free(&fp);
}

static void
test_fetch(void **state)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
	struct fakeparent fp;
	struct fakeserver *fs;

	(void)state;
	fp_start_ready(&fp, &puppet_role);
	fp.plain = 1;
	ipc_set_state(fp.ipc, IPC_S_BUSY);
	fp_send_empty(&fp, IPC_KEY_FETCH, 1);
	fs = fp_server(&fp, 0);
	buf_put(&fs->wire, answer, sizeof(answer) - 1);
	fs_flush(fs);
	assert_true(fp_logged(&fp, "fetched: 200 hello"));
	fp_send_empty(&fp, IPC_KEY_FETCH, 1);
	fs = fp_server(&fp, 1);
	fp_send_empty(&fp, IPC_CANCEL, 1);
	FP_UNTIL(&fp, fs->gone);
	fp_stop(&fp);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_end_of_channel),
		cmocka_unit_test(test_hello_refused),
		cmocka_unit_test(test_config_refused),
		cmocka_unit_test(test_config_before_hello),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_long_hostinfo),
		cmocka_unit_test(test_unusable_ca),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_stale_answers),
		cmocka_unit_test(test_handshake_fails),
		cmocka_unit_test(test_dial_fails),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_fetch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
