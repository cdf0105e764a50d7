/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#include "clients.h"
#include "control.h"
#include "control_ops.h"
#include "controlsock.h"
#include "eventwatch.h"
#include "hostreport.h"
#include "parent_control.h"
#include "util_clock.h"
#include "util_parentsim.h"

/* Between the code and the kernel: a socket that accepts a limited number of bytes, the moments of a socket's birth. */
static ssize_t takes = -1; /* bytes of an answer before it is full; -1 = all there are */
static char born[128];     /* the path that is looked at */
static struct stat at_bind, at_chmod, at_listen, dir_at_bind;

ssize_t
send(int fd, const void *p, size_t n, int flags)
{
	static const char junk[4096];
	ssize_t rv;

	while (takes == 0)
		if (syscall(SYS_sendto, fd, junk, sizeof(junk), flags, NULL, 0) == -1)
			return -1;
	if (takes > 0 && n > (size_t)takes)
		n = (size_t)takes;
	rv = (ssize_t)syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
	if (takes > 0 && rv > 0)
		takes -= rv;
	return rv;
}

static void
look(struct stat *st)
{
	if (born[0] != '\0' && stat(born, st) == -1)
		fail_msg("%s: %s", born, strerror(errno));
}

int
bind(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
	long rv = syscall(SYS_bind, fd, addr.__sockaddr__, len);
	char dir[128];

	look(&at_bind);
	snprintf(dir, sizeof(dir), "%s", born);
	if (born[0] != '\0') {
		*strrchr(dir, '/') = '\0';
		assert_int_equal(stat(dir, &dir_at_bind), 0);
	}
	return (int)rv;
}

int
chmod(const char *path, mode_t mode)
{
	look(&at_chmod);
	return (int)syscall(SYS_fchmodat, AT_FDCWD, path, mode);
}

int
listen(int fd, int backlog)
{
	look(&at_listen);
	return (int)syscall(SYS_listen, fd, backlog);
}

static int
setup(void **state)
{
	*state = ps_new("server-key mkey:1111111111111111111111111111111111111111111111111111111111111111\n");
	return 0;
}

static int
teardown(void **state)
{
	takes = -1;
	born[0] = '\0';
	ps_free(*state);
	return 0;
}

static void
expect_error(struct psim *s, const char *line, const char *code)
{
	char want[80];
	const char *got = ps_ask(s, line);

	snprintf(want, sizeof(want), "{\"error\":{\"code\":\"%s\",\"message\":\"", code);
	if (strncmp(got, want, strlen(want)) != 0)
		fail_msg("%s: wanted %s, got %s", line, code, got);
}

#define OK "{\"ok\":true}\n"

/* interface.md 3: errors */
static void
errors(void **state)
{
	expect_error(*state, "", "unknown-command");
	expect_error(*state, "statu", "unknown-command");
	expect_error(*state, "STATUS", "unknown-command");
	expect_error(*state, "status now", "usage");
	expect_error(*state, "peer", "usage");
	expect_error(*state, "login please", "usage");
	expect_error(*state, "logout now", "usage");
	expect_error(*state, "log loud", "invalid");
	expect_error(*state, "set", "usage");
	expect_error(*state, "stat\xff", "invalid");
	expect_error(*state, "set hostinfo {", "invalid");
	expect_error(*state, "set hostinfo []", "invalid");
	expect_error(*state, "set endpoints nowhere", "invalid");
	expect_error(*state, "set disco-key nodekey:1111111111111111111111111111111111111111111111111111111111111111",
	    "invalid");
	expect_error(*state, "server-key accept mkey:1", "invalid");
	expect_error(*state, "netmap", "no-netmap");
	expect_error(*state, "peers", "no-netmap");
	expect_error(*state, "peer x", "no-netmap");
	expect_error(*state, "wgconf", "no-netmap");
	expect_error(*state, "hosts", "no-netmap");
	assert_string_equal(ps_ask(*state, "pause"), OK); /* and on it lives */
}

static void
long_line(struct psim *s, const char *start, size_t n, const char *want)
{
	char *line = malloc(n + 1);
	const char *got;

	assert_non_null(line);
	memset(line, 'x', n);
	memcpy(line, start, strlen(start));
	line[n] = '\0';
	got = ps_ask(s, line);
	if (strstr(got, want) == NULL)
		fail_msg("%zu bytes: %s", n, got);
	free(line);
}

static void
line_lengths(void **state)
{
	long_line(*state, "peer ", 4095, "no-netmap");
	long_line(*state, "peer ", 4096, "too-large");
	long_line(*state, "peer ", 8000, "too-large");
	long_line(*state, "set hostinfo ", 60000, "invalid");
	long_line(*state, "set hostinfo ", 65536, "too-large");
}

static void
slow_and_half_closed_clients(void **state)
{
	struct psim *s = *state;
	struct buf b;
	int fd = ps_connect(s), half = ps_connect(s);
	size_t i;

	buf_init(&b, PS_MAX_ANSWER);
	for (i = 0; i < 7; i++) { /* a byte at a time */
		assert_int_equal(write(fd, &"status\n"[i], 1), 1);
		ps_run(s);
	}
	assert_int_equal(ps_read(s, fd, &b), 1);
	assert_memory_equal(buf_ptr(&b), "{\"v\":1,", 7);
	close(fd);
	buf_reset(&b);
	assert_int_equal(write(half, "server-key\n", 11), 11);
	shutdown(half, SHUT_WR); /* as nc -N does */
	assert_int_equal(ps_read(s, half, &b), 1);
	assert_memory_equal(buf_ptr(&b), "{\"serverKey\":\"mkey:1111", 22);
	close(half);
	buf_reset(&b);
	fd = ps_connect(s);
	assert_int_equal(write(fd, "stat", 4), 4);
	shutdown(fd, SHUT_WR); /* half a line and closed: no answer */
	assert_int_equal(ps_read(s, fd, &b), 1);
	assert_int_equal(buf_len(&b), 0);
	close(fd);
	buf_free(&b);
}

/* The second line of a client is not looked at: one command, one answer. */
static void
one_command_each(void **state)
{
	struct psim *s = *state;
	const char *got = ps_ask(s, "pause\nunpause");

	assert_string_equal(got, OK);
	assert_true(s->p.login.paused);
}

static void
too_many_clients(void **state)
{
	struct psim *s = *state;
	int fd[CLIENTS_MAX + CLIENTS_ROOT + 1];
	unsigned i, room = geteuid() == 0 ? CLIENTS_MAX + CLIENTS_ROOT : CLIENTS_UID;
	struct buf b;

	buf_init(&b, 4096);
	for (i = 0; i <= room; i++)
		fd[i] = ps_connect(s);
	assert_int_equal(ps_read(s, fd[room], &b), 1);
	assert_non_null(memmem(buf_ptr(&b), buf_len(&b), "\"busy\"", 6));
	buf_reset(&b);
	assert_int_equal(ps_read(s, fd[room - 1], &b), 0); /* those before it are still there */
	assert_int_equal(buf_len(&b), 0);
	for (i = 0; i <= room; i++)
		close(fd[i]);
	ps_run(s);
	assert_string_equal(ps_ask(s, "pause"), OK);
	buf_free(&b);
}

/* rows: PAU-04 PERS-02 */
static void
commands_reach_the_machine(void **state)
{
	struct psim *s = *state;

	assert_string_equal(ps_ask(s, "pause"), OK);
	assert_true(s->p.login.paused && s->p.state.profile.paused);
	assert_string_equal(ps_ask(s, "login interactive ephemeral"), OK);
	assert_true(s->p.login.goal.kind == GOAL_LOGIN && s->p.login.goal.interactive && s->p.login.goal.ephemeral);
	assert_string_equal(ps_ask(s, "unpause"), OK);
	assert_int_equal(s->p.sup->authd.pending, PENDING_REGISTER);
	assert_string_equal(ps_ask(s, "logout"), OK); /* there is nothing to log out: done at once */
	assert_true(s->p.login.goal.kind == GOAL_NONE && s->p.state.profile.want_running == 0);
	assert_string_equal(ps_ask(s, "reconnect"), OK);
	assert_string_equal(ps_ask(s, "shutdown"), OK);
	assert_true(s->p.stopping);
	expect_error(s, "status", "shutting-down");
}

/* rows: REG-12 */
static void
auth_key_of_a_login(void **state)
{
	struct psim *s = *state;
	struct login_event e = { .type = LE_REG };

	ps_ask(s, "pause");
	assert_string_equal(ps_ask(s, "login auth-key=tskey-auth-secret"), OK);
	assert_non_null(s->p.auth_key);
	assert_int_equal(s->p.auth_key_len, strlen("tskey-auth-secret"));
	assert_null(strstr(ps_ask(s, "status"), "secret"));
	assert_string_equal(ps_ask(s, "login"), OK); /* another login: forgotten */
	assert_null(s->p.auth_key);
	expect_error(s, "login auth-key=", "invalid");
	assert_string_equal(ps_ask(s, "login auth-key=tskey-auth-secret"), OK);
	expect_error(s, "login auth-key=other please", "usage"); /* a command that is refused does nothing */
	assert_int_equal(s->p.auth_key_len, strlen("tskey-auth-secret"));
	ps_ask(s, "unpause");
	assert_non_null(s->p.auth_key);
	e.id = s->p.login.op_id;
	e.u.reg.outcome = IPC_REG_OK;
	e.u.reg.url = e.u.reg.err = "";
	parent_event(&s->p, &e);
	assert_true(s->p.login.logged_in);
	assert_null(s->p.auth_key); /* it has served */
}

/* rows: LITE-01 LITE-02 */
static void
set_says_what_changed(void **state)
{
	struct psim *s = *state;
	const char *const changed = "{\"ok\":true,\"changed\":true}\n",
			  *const same = "{\"ok\":true,\"changed\":false}\n";
	uint32_t generation;

	assert_string_equal(ps_ask(s, "set netinfo {\"PreferredDERP\":3}"), changed);
	generation = hostreport_params(s->p.report)->generation;
	assert_string_equal(ps_ask(s, "set netinfo {\"PreferredDERP\":3}"), same);
	assert_int_equal(hostreport_params(s->p.report)->generation, generation);
	assert_string_equal(ps_ask(s, "set hostinfo {\"Hostname\":\"other\"}"), changed);
	assert_non_null(memmem(buf_ptr(hostreport_hostinfo(s->p.report)), buf_len(hostreport_hostinfo(s->p.report)),
	    "\"PreferredDERP\":3", 17));
	assert_string_equal(ps_ask(s, "set endpoints 192.0.2.1:41641/stun"), changed);
	assert_string_equal(ps_ask(s, "set endpoints 192.0.2.1:41641/stun"), same);
	assert_int_equal(hostreport_params(s->p.report)->ep[0].type, IPC_EP_STUN);
	assert_string_equal(ps_ask(s, "set endpoints auto"), changed);
	assert_int_equal(hostreport_params(s->p.report)->n, 0);
	assert_string_equal(
	    ps_ask(s, "set disco-key discokey:2222222222222222222222222222222222222222222222222222222222222222"),
	    changed);
	assert_int_equal(hostreport_params(s->p.report)->disco_key.b[0], 0x22);
}

/* A client that has sent all and waits for an answer, or for events, gets them; one that has closed frees its place. */
static void
half_closed_and_waiting(void **state)
{
	struct psim *s = *state;
	struct buf b;
	int fd, i;

	buf_init(&b, PS_MAX_ANSWER);
	fd = ps_connect(s);
	assert_int_equal(write(fd, "watch\n", 6), 6);
	shutdown(fd, SHUT_WR);
	assert_int_equal(ps_read(s, fd, &b), 0);
	buf_reset(&b);
	watch_child(s->p.control, "mapd", 9, 0);
	assert_int_equal(ps_read(s, fd, &b), 0);
	assert_non_null(memmem(buf_ptr(&b), buf_len(&b), "\"child\"", 7));
	close(fd);
	for (i = 0; i < 20; i++) { /* the places are not used up */
		fd = ps_connect(s);
		assert_int_equal(write(fd, "watch\n", 6), 6);
		ps_run(s);
		close(fd);
		ps_run(s);
	}
	buf_reset(&b);
	fd = ps_connect(s);
	assert_int_equal(write(fd, "logout\n", 7), 7); /* not logged in: done with the save */
	shutdown(fd, SHUT_WR);
	assert_int_equal(ps_read(s, fd, &b), 1);
	assert_memory_equal(buf_ptr(&b), OK, strlen(OK));
	close(fd);
	buf_free(&b);
}

/* How many bytes of our own memory are that text, this one left out: `in` is where the test has it. */
static unsigned
copies(const char *want, size_t n)
{
	static char block[1 << 16];
	FILE *maps = fopen("/proc/self/maps", "r");
	int mem = open("/proc/self/mem", O_RDONLY);
	unsigned found = 0;
	char line[512], perm[8];
	unsigned long lo, hi, at;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &lo, &hi, perm) != 3 || strstr(line, "[heap]") == NULL)
			continue;
		for (at = lo; at < hi; at += sizeof(block) - n) {
			ssize_t got = pread(mem, block, sizeof(block), (off_t)at);

			if (got > 0 && memmem(block, (size_t)got, want, n) != NULL)
				found++;
		}
	}
	fclose(maps);
	close(mem);
	return found;
}

/* security.md D14, REG-12: a key received in pieces leaves none of them in a buffer that was replaced by a larger. */
static void
auth_key_in_pieces(void **state)
{
	char half[2][17] = { "", "" };
	struct psim *s = *state;
	int fd = ps_connect(s), i, k;
	struct buf out;

	for (i = 0; i < 16; i++) { /* put together here: no copy of it is in the program */
		half[0][i] = (char)('A' + (i * 7 + 3) % 26);
		half[1][i] = (char)('a' + (i * 11 + 5) % 26);
	}
	buf_init(&out, 4096);
	assert_int_equal(write(fd, "login auth-key=", 15), 15);
	for (k = 0; k < 30; k++) {
		assert_int_equal(write(fd, half[k % 2], 16), 16);
		ps_run(s);
	}
	assert_int_equal(write(fd, "\n", 1), 1);
	(void)ps_read(s, fd, &out);
	assert_int_equal(s->p.auth_key_len, 480);
	assert_int_equal(copies(half[0], 16), 0);
	assert_int_equal(copies(half[1], 16), 0);
	buf_free(&out);
	close(fd);
}

/* A line that is refused changes nothing: the key of a login under way stays. */
static void
refused_login_keeps_the_key(void **state)
{
	struct psim *s = *state;

	assert_string_equal(ps_ask(s, "login auth-key=tskey-auth-one"), OK);
	expect_error(s, "login auth-key=tskey-auth-three please", "usage");
	expect_error(s, "login auth-key=tskey-auth-two auth-key=tskey-auth-three", "usage");
	assert_int_equal(s->p.auth_key_len, strlen("tskey-auth-one"));
}

static int
hung_up(struct psim *s, int fd)
{
	struct pollfd p = { .fd = fd };

	ps_run(s);
	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}

/* A client that does not read its answer has 30 s, and 30 more when a part of it was read. */
static void
answer_is_not_read(void **state)
{
	static int64_t ahead;
	struct psim *s = *state;
	char text[16384];
	int fd, i;

	for (i = 0; i < 2; i++) {
		fd = ps_connect(s);
		takes = i * 10;
		assert_int_equal(write(fd, "status\n", 7), 7);
		assert_false(hung_up(s, fd));
		assert_int_equal(takes, 0);
		clock_mono_ahead(ahead += 28);
		assert_false(hung_up(s, fd));
		if (i == 1) {
			while (read(fd, text, sizeof(text)) > 0)
				;
			takes = 10;
			assert_false(hung_up(s, fd));
			assert_int_equal(takes, 0);
			clock_mono_ahead(ahead += 28);
			assert_false(hung_up(s, fd));
		}
		clock_mono_ahead(ahead += 4);
		assert_true(hung_up(s, fd));
		close(fd);
	}
	takes = -1;
	assert_string_equal(ps_ask(s, "pause"), OK);
}

/*
 * security.md D13: at no time can anybody connect who may not in the end, whatever umask the daemon was started with.
 */
static void
socket_is_born_closed(void **state)
{
	static struct parent p;
	struct control_ops ops;
	struct psim *s = *state;
	char err[200] = "", *slash;
	mode_t old = umask(0);
	int fd;

	p.root = geteuid() == 0;
	p.ids.control_gid = p.root ? 65530 : getegid();
	snprintf(born, sizeof(born), "%s/run/sock", s->dir);
	snprintf(p.cfg.control_socket, sizeof(p.cfg.control_socket), "%s", born);
	parent_control_ops(&p, &ops);
	fd = controlsock_bind(&ops, born, err, sizeof(err));
	assert_string_equal(err, "");
	assert_int_not_equal(fd, -1);
	assert_int_equal(umask(old), 0);
	assert_int_equal(dir_at_bind.st_mode & 07777, 0750);
	assert_int_equal(dir_at_bind.st_gid, p.ids.control_gid);
	assert_int_equal(at_bind.st_mode & 07777, 0600);
	assert_int_equal(at_chmod.st_mode & 07777, 0600);
	assert_int_equal(at_chmod.st_gid, p.ids.control_gid); /* the right group before its right */
	assert_int_equal(at_listen.st_mode & 07777, 0660);
	assert_int_equal(at_listen.st_gid, p.ids.control_gid);
	close(fd);
	unlink(born);
	slash = strrchr(born, '/');
	*slash = '\0';
	assert_int_equal(rmdir(born), 0);
	born[0] = '\0';
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(errors, setup, teardown),
		cmocka_unit_test_setup_teardown(line_lengths, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_and_half_closed_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(half_closed_and_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(answer_is_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(socket_is_born_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(one_command_each, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(commands_reach_the_machine, setup, teardown),
		cmocka_unit_test_setup_teardown(auth_key_of_a_login, setup, teardown),
		cmocka_unit_test_setup_teardown(auth_key_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_login_keeps_the_key, setup, teardown),
		cmocka_unit_test_setup_teardown(set_says_what_changed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
