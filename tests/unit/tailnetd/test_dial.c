/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "dial.h"
#include "log.h"
#include "timefmt.h"
#include "unit.h"
#include "util_dir.h"

/*
 * Real connections on the loopback.  This program is its own `resolver`: started by that name it prints the file
 * `answer` of the current directory, or does what it says: !hang, !slow, !megabyte, !die, !closed, !stays.
 */
static int
fake_resolver(void)
{
	char text[8192], *p;
	int fd = open("answer", O_RDONLY), i;
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return 1;
	text[n] = '\0';
	if (strcmp(text, "!hang") == 0)
		for (;;)
			pause();
	if (strcmp(text, "!slow") == 0) {
		usleep(3500000);
		snprintf(text, sizeof(text), "4 127.0.0.1\n");
	}
	if (strcmp(text, "!die") == 0)
		kill(getpid(), SIGKILL);
	if (strcmp(text, "!megabyte") == 0) {
		memset(text, '4', sizeof(text));
		for (i = 0; i < 128; i++)
			if (write(STDOUT_FILENO, text, sizeof(text)) == -1)
				return 1;
		return 0;
	}
	if (text[0] == '!' && strcmp(text, "!megabyte") != 0) {
		close(STDOUT_FILENO);
		while (strcmp(text, "!stays") == 0)
			pause();
		return 0;
	}
	for (p = text; *p != '\0'; p++) /* one byte at a time: an answer is all data until the end */
		if (write(STDOUT_FILENO, p, 1) != 1)
			return 1;
	return 0;
}

struct world {
	struct dir dir;
	struct event_base *base;
	struct event *sigchld;
	struct spawn_image image;
	struct config c;
	struct dialler *d;
	int children; /* reaped */
	uint32_t attempt;
	int done, fd, err;
	char text[IPC_ERR_MAX];
	uint64_t took;
};

static void
on_sigchld(evutil_socket_t sig, short what, void *arg)
{
	struct world *w = arg;
	int status;
	pid_t pid;

	(void)sig;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		w->children++;
		dialler_sigchld(w->d, pid, status);
	}
}

static void
answer(struct world *w, const char *text)
{
	dir_write(&w->dir, "answer", text, strlen(text), 0600);
}

static int
world_open(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char self[512], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	log_init("test", LOG_L_ERROR);
	assert_non_null(w);
	assert_true(n > 0);
	self[n] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	dir_make(&w->dir);
	assert_int_equal(chdir(w->dir.path), 0);
	assert_int_equal(spawn_open(&w->image, self, slash + 1), 0);
	w->image.name = "resolver";
	assert_non_null(w->base = event_base_new());
	w->sigchld = evsignal_new(w->base, SIGCHLD, on_sigchld, w);
	evsignal_add(w->sigchld, NULL);
	snprintf(w->c.host, sizeof(w->c.host), "localhost");
	w->c.best_effort = 1;
	w->fd = -1;
	*state = w;
	return 0;
}

static int
world_close(void **state)
{
	struct world *w = *state;

	if (w->d != NULL)
		dialler_free(w->d);
	while (waitpid(-1, NULL, 0) > 0)
		; /* all helpers were ended */
	if (w->fd != -1)
		close(w->fd);
	event_free(w->sigchld);
	event_base_free(w->base);
	close(w->image.fd);
	assert_int_equal(chdir("/"), 0);
	dir_remove(&w->dir);
	free(w);
	return 0;
}

/* A listener on ip; port 0: any, else that one.  The port. */
static unsigned
listener(const char *ip, unsigned port, int backlog, int *fd)
{
	struct ipc_addr a;
	struct sockaddr_storage ss;
	socklen_t len;
	int on = 1;

	memset(&ss, 0, sizeof(ss));
	memset(&a, 0, sizeof(a));
	a.family = strchr(ip, ':') != NULL ? 6 : 4;
	if (a.family == 6) {
		((struct sockaddr_in6 *)&ss)->sin6_port = htons((uint16_t)port);
		inet_pton(AF_INET6, ip, &((struct sockaddr_in6 *)&ss)->sin6_addr);
		len = sizeof(struct sockaddr_in6);
	} else {
		((struct sockaddr_in *)&ss)->sin_port = htons((uint16_t)port);
		inet_pton(AF_INET, ip, &((struct sockaddr_in *)&ss)->sin_addr);
		len = sizeof(struct sockaddr_in);
	}
	ss.ss_family = a.family == 6 ? AF_INET6 : AF_INET;
	*fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd == -1)
		return 0;
	setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(*fd, (struct sockaddr *)&ss, len) == -1 || listen(*fd, backlog) == -1 ||
	    getsockname(*fd, (struct sockaddr *)&ss, &len) == -1) {
		close(*fd);
		*fd = -1;
		return 0;
	}
	return ntohs(a.family == 6 ? ((struct sockaddr_in6 *)&ss)->sin6_port : ((struct sockaddr_in *)&ss)->sin_port);
}

#define PLUGS 6

/* Fills a listener's queue, so that further connects get no answer at all. */
static void
plug(const char *ip, unsigned port, int fds[PLUGS])
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int i;

	inet_pton(AF_INET, ip, &sin.sin_addr);
	for (i = 0; i < PLUGS; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fds[i], (struct sockaddr *)&sin, sizeof(sin));
	}
	usleep(50000);
}

static void
on_done(void *arg, int fd, int err, const char *text)
{
	struct world *w = arg;

	assert_false(w->done);
	w->done = 1;
	w->fd = fd;
	w->err = err;
	snprintf(w->text, sizeof(w->text), "%s", text);
	event_base_loopbreak(w->base);
}

static struct dial *
begin(struct world *w, enum ipc_dial_kind kind, uint32_t candidate)
{
	if (w->d == NULL)
		assert_non_null(w->d = dialler_new(w->base, &w->c, &w->image));
	if (w->fd != -1)
		close(w->fd);
	w->fd = -1;
	w->done = 0;
	return dial_start(w->d, &(struct dial_spec){ kind, candidate, w, ++w->attempt }, on_done, w);
}

static void
on_limit(evutil_socket_t fd, short what, void *base)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(base);
}

static void
run(struct world *w, int seconds)
{
	struct event *t = evtimer_new(w->base, on_limit, w->base);
	struct timeval limit = { seconds, 0 };

	assert_non_null(t);
	evtimer_add(t, &limit);
	event_base_dispatch(w->base);
	event_free(t); /* not event_base_loopexit(): its timer outlives a run that ended early, and ends the next */
}

static void
dial(struct world *w)
{
	uint64_t start = time_mono_ms();

	assert_non_null(begin(w, IPC_DIAL_CLEAR, 0));
	assert_false(w->done); /* never from within dial_start() */
	run(w, 14);
	w->took = time_mono_ms() - start;
	assert_true(w->done);
	if (w->fd != -1) {
		assert_true((fcntl(w->fd, F_GETFL) & O_NONBLOCK) != 0);
		assert_true((fcntl(w->fd, F_GETFD) & FD_CLOEXEC) != 0);
	}
}

static void
expect_address(const struct world *w, const char *ip)
{
	if (w->fd == -1 || w->err != 0 || strstr(w->text, ip) == NULL)
		fail_msg("not %s but: %s", ip, w->text);
}

static void
expect_failure(const struct world *w, const char *why)
{
	assert_int_equal(w->fd, -1);
	assert_int_not_equal(w->err, 0);
	if (strstr(w->text, why) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", why, w->text);
}

static void
test_literal(void **state)
{
	struct world *w = *state;
	int fd;

	snprintf(w->c.host, sizeof(w->c.host), "127.0.0.1");
	w->c.clear_port = listener("127.0.0.1", 0, 5, &fd);
	dial(w);
	expect_address(w, "127.0.0.1:");
	close(fd);
	dial(w);
	expect_failure(w, "refused");
	assert_int_equal(w->err, ECONNREFUSED);
	assert_int_equal(w->children, 0); /* no look-up for an address */
}

/* rows: DIAL-10 */
static void
test_dead_first_address(void **state)
{
	struct world *w = *state;
	int good, silent, plugs[PLUGS], i;

	w->c.clear_port = listener("127.0.0.1", 0, 5, &good);
	answer(w, "4 127.0.0.9\n4 127.0.0.1\n"); /* no server on .9 */
	dial(w);
	expect_address(w, "127.0.0.1:");
	assert_true(w->took < 1000);
	assert_int_equal(listener("127.0.0.8", w->c.clear_port, 0, &silent), w->c.clear_port);
	plug("127.0.0.8", w->c.clear_port, plugs);
	answer(w, "4 127.0.0.8\n4 127.0.0.1\n");
	dial(w);
	expect_address(w, "127.0.0.1:");
	assert_true(w->took >= 240 && w->took < 1500);
	for (i = 0; i < PLUGS; i++)
		close(plugs[i]);
	close(silent);
	close(good);
}

/* TCP alone proves nothing: an address that connects but is not the server is put last, and all are tried. */
/* rows: DIAL-10 */
static void
test_an_address_must_prove_itself(void **state)
{
	struct world *w = *state;
	int one, two;

	w->c.clear_port = listener("127.0.0.1", 0, 5, &one);
	assert_int_equal(listener("127.0.0.2", w->c.clear_port, 5, &two), w->c.clear_port);
	answer(w, "4 127.0.0.1\n4 127.0.0.2\n");
	dial(w);
	expect_address(w, "127.0.0.1:");
	dial(w); /* it was not proved: the other one */
	expect_address(w, "127.0.0.2:");
	dial(w);
	expect_address(w, "127.0.0.1:");
	dialler_proved(w->d, w, w->attempt);
	dial(w);
	expect_address(w, "127.0.0.1:");
	dialler_proved(w->d, w, w->attempt + 1); /* another's */
	dial(w);
	expect_address(w, "127.0.0.2:");
	close(one); /* the last one is used when those before it refuse */
	dial(w);
	expect_address(w, "127.0.0.2:");
	close(two);
}

/* rows: DIAL-10 */
static void
test_another_address_beside(void **state)
{
	struct world *w = *state;
	int one, two;

	w->c.clear_port = listener("127.0.0.1", 0, 5, &one);
	assert_int_equal(listener("127.0.0.2", w->c.clear_port, 5, &two), w->c.clear_port);
	answer(w, "4 127.0.0.1\n4 127.0.0.2\n");
	assert_non_null(begin(w, IPC_DIAL_CLEAR, IPC_DIAL_BESIDE)); /* of a name that was not looked up yet */
	run(w, 14);
	expect_failure(w, "has no other address");
	dial(w);
	expect_address(w, "127.0.0.1:");
	assert_non_null(begin(w, IPC_DIAL_CLEAR, IPC_DIAL_BESIDE));
	run(w, 14);
	expect_address(w, "127.0.0.2:");
	assert_non_null(begin(w, IPC_DIAL_CLEAR, IPC_DIAL_BESIDE));
	run(w, 14);
	expect_failure(w, "has no other address");
	assert_int_equal(w->err, EADDRNOTAVAIL);
	run(w, 1);
	assert_int_equal(w->children, 1); /* the look-up of the first dial */
	close(one);
	close(two);
}

/* rows: DIAL-10 */
static void
test_both_families(void **state)
{
	struct world *w = *state;
	int fd4, fd6;

	if ((w->c.clear_port = listener("::1", 0, 5, &fd6)) == 0)
		skip();
	answer(w, "6 ::1\n4 127.0.0.1\n");
	dial(w);
	expect_address(w, "[::1]:");
	close(fd6);
	assert_int_not_equal(listener("127.0.0.1", w->c.clear_port, 5, &fd4), 0);
	dial(w);
	expect_address(w, "127.0.0.1:");
	close(fd4);
}

/* rows: DIAL-10 */
static void
test_last_good_addresses(void **state)
{
	struct world *w = *state;
	struct rlimit before, few;
	int fd;

	w->c.clear_port = listener("127.0.0.1", 0, 5, &fd);
	answer(w, "error no DNS\n");
	dial(w);
	expect_failure(w, "cannot look up localhost: no DNS");
	answer(w, "4 127.0.0.1\n");
	dial(w);
	expect_address(w, "127.0.0.1:");
	answer(w, "error no DNS\n");
	dial(w);
	expect_address(w, "127.0.0.1:");
	answer(w, "!hang"); /* a silent name server */
	dial(w);
	expect_address(w, "127.0.0.1:");
	assert_true(w->took < 5000);
	dialler_quiet(w->d, 1);
	dialler_quiet(w->d, 0);
	/* No descriptors for a helper's pipe, just one for the socket. */
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	close(w->fd);
	w->fd = -1;
	few.rlim_cur = (rlim_t)dup(0) + 1;
	close((int)few.rlim_cur - 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	dial(w);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	expect_address(w, "127.0.0.1:");
	assert_true(w->took < 1000);
	/* Addresses are those of that name only. */
	snprintf(w->c.host, sizeof(w->c.host), "other.example.com");
	dialler_config(w->d, &w->c);
	answer(w, "error no DNS\n");
	dial(w);
	expect_failure(w, "cannot look up other.example.com: no DNS");
	close(fd);
}

/* A reload may name another proxy while a look-up is under way; what was good for that one is not for this. */
/* rows: DIAL-10 */
static void
test_another_names_addresses(void **state)
{
	struct world *w = *state;
	int fd;

	w->c.clear_port = listener("127.0.0.1", 0, 5, &fd);
	answer(w, "4 127.0.0.1\n");
	dial(w);
	expect_address(w, "127.0.0.1:");
	answer(w, "!hang");
	assert_non_null(begin(w, IPC_DIAL_CLEAR, 0));
	run(w, 1);
	snprintf(w->c.host, sizeof(w->c.host), "other.example.com");
	dialler_config(w->d, &w->c);
	answer(w, "4 127.0.0.5\n");
	assert_non_null(dial_start(w->d, &(struct dial_spec){ .kind = IPC_DIAL_CLEAR }, on_done, w));
	run(w, 1);
	expect_failure(w, "resolves to 127.0.0.5:");
	w->done = 0;
	run(w, 3);
	assert_true(w->done); /* its own, which are still known */
	expect_address(w, "127.0.0.1:");
	close(fd);
}

/* rows: DIAL-10 */
static void
test_a_look_up_outlives_its_dial(void **state)
{
	struct world *w = *state;
	struct dial *x;
	int fd;

	w->c.clear_port = listener("127.0.0.1", 0, 5, &fd);
	answer(w, "!slow");
	assert_non_null(x = begin(w, IPC_DIAL_CLEAR, 0));
	run(w, 1);
	dial_cancel(x);
	run(w, 4);
	assert_false(w->done);
	answer(w, "!hang"); /* no other look-up is answered */
	dial(w);
	expect_address(w, "127.0.0.1:");
	assert_true(w->took < 1000); /* nor waited for */
	close(fd);
}

/* The name service is slow, and the address has changed since. */
/* rows: DIAL-10 */
static void
test_a_late_answer_is_tried_too(void **state)
{
	struct world *w = *state;
	int fd;

	w->c.clear_port = listener("127.0.0.1", 0, 5, &fd);
	answer(w, "4 127.0.0.9\n"); /* no longer a server */
	dial(w);
	expect_failure(w, "refused");
	answer(w, "!slow");
	dial(w);
	expect_address(w, "127.0.0.1:");
	close(fd);
}

/* rows: DIAL-10 */
static void
test_silent_name_servers(void **state)
{
	struct world *w = *state;
	struct dial *x;
	int fd;

	w->c.clear_port = listener("127.0.0.1", 0, 5, &fd);
	answer(w, "!hang");
	dial(w);
	expect_failure(w, "cannot look up localhost: no answer from the name service");
	assert_int_equal(w->err, ETIMEDOUT);
	assert_true(w->took >= 8900 && w->took < 9900); /* before who asked gives up, who would blame the connection */
	/* The configuration of the resolver may be right by now: the old look-up is not the only one. */
	answer(w, "4 127.0.0.1\n");
	dial(w);
	expect_address(w, "127.0.0.1:");
	assert_true(w->took < 1000);
	run(w, 1);
	assert_int_equal(w->children, 2); /* the one that hung is of no more use */
	/* It continues when the dial is given up, unless no network is expected. */
	answer(w, "!hang");
	assert_non_null(x = begin(w, IPC_DIAL_CLEAR, 0));
	run(w, 1);
	dialler_quiet(w->d, 1);
	run(w, 1);
	assert_int_equal(w->children, 2);
	dial_cancel(x);
	run(w, 1);
	assert_int_equal(w->children, 3);
	close(fd);
}

static void
test_bad_answers(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "no answer" },
		{ "!die", "the resolver was killed by signal 9 " },
		{ "!closed", "no answer" },
		{ "!stays", "no answer" }, /* security.md T9: it is no longer useful */
		{ "!megabyte", "malformed" },
		{ "rubbish\n", "malformed" },
		{ "4 127.0.0.1", "malformed" },
		{ "4 127.0.0.1\n6 127.0.0.1\n", "malformed" },
		{ "error a\033b\n", "a\\x1bb" },
	};
	struct world *w = *state;
	size_t i;

	w->c.clear_port = 9;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		answer(w, cases[i].text);
		dial(w);
		expect_failure(w, cases[i].why);
		assert_true(w->took < 3000);
	}
	unlink("answer");
	dial(w);
	expect_failure(w, "the resolver could not start (status 1)");
	run(w, 1);
	assert_int_equal(w->children, 10); /* every helper ended and was reaped */
}

/* security.md D3: the addresses that no name may lead to, from any server */
static void
test_refused_addresses(void **state)
{
	static const char *const bad[] = { "4 127.0.0.1\n", "4 0.0.0.0\n", "4 169.254.169.254\n", "6 ::1\n",
		"6 fe80::1\n", "6 ::ffff:127.0.0.1\n", "4 224.0.0.1\n" };
	static const char *const bad_local[] = { "4 0.0.0.0\n", "4 169.254.169.254\n", "6 fe80::1\n",
		"6 ::ffff:127.0.0.1\n", "4 192.0.2.1\n", "6 2001:db8::1\n" };
	struct world *w = *state;
	size_t i;
	int fd;

	w->c.clear_port = listener("127.0.0.1", 0, 5, &fd);
	for (i = 0; i < sizeof(bad_local) / sizeof(bad_local[0]); i++) {
		answer(w, bad_local[i]);
		dial(w);
		expect_failure(w, "which is refused");
		assert_int_equal(w->err, EACCES);
	}
	snprintf(w->c.host, sizeof(w->c.host), "rebind.example.com");
	dialler_config(w->d, &w->c);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		answer(w, bad[i]);
		dial(w);
		expect_failure(w, "which is refused");
	}
	close(fd);
}

static void
test_timeout_and_cancel(void **state)
{
	struct world *w = *state;
	struct dial *x;
	int silent, plugs[PLUGS], i;

	snprintf(w->c.host, sizeof(w->c.host), "127.0.0.1");
	w->c.clear_port = listener("127.0.0.1", 0, 0, &silent);
	plug("127.0.0.1", w->c.clear_port, plugs);
	x = begin(w, IPC_DIAL_CLEAR, 0);
	run(w, 1);
	assert_false(w->done);
	dial_cancel(x);
	run(w, 1);
	assert_false(w->done); /* no callback */
	dial(w);
	expect_failure(w, "timed out");
	assert_int_equal(w->err, ETIMEDOUT);
	assert_true(w->took >= 9900 && w->took < 11500);
	for (i = 0; i < PLUGS; i++)
		close(plugs[i]);
	close(silent);
	snprintf(w->c.host, sizeof(w->c.host), "localhost");
	dialler_config(w->d, &w->c);
	answer(w, "!hang");
	x = begin(w, IPC_DIAL_CLEAR, 0);
	run(w, 1);
	dial_cancel(x);
	run(w, 1);
	assert_false(w->done);
	assert_int_equal(w->children, 0); /* the look-up continues */
	dialler_quiet(w->d, 1);
	run(w, 1);
	assert_int_equal(w->children, 1); /* the helper was ended */
	assert_non_null(begin(w, IPC_DIAL_CLEAR, 0));
	dialler_free(w->d); /* with a dial under way */
	w->d = dialler_new(w->base, &w->c, &w->image);
	run(w, 1);
	assert_int_equal(w->children, 2);
}

static void
test_kinds_and_candidates(void **state)
{
	struct world *w = *state;
	struct ipc_dial_plan plan;
	struct ipc_dial_times times;

	snprintf(w->c.host, sizeof(w->c.host), "127.0.0.1");
	assert_null(begin(w, IPC_DIAL_CLEAR, 0));
	assert_int_equal(errno, EINVAL);
	assert_null(begin(w, (enum ipc_dial_kind)99, 0));
	w->c.clear_port = w->c.tls_port = w->c.url_port = 1;
	dialler_config(w->d, &w->c);
	assert_null(begin(w, IPC_DIAL_CLEAR, 1)); /* no plan */
	memset(&plan, 0, sizeof(plan));
	plan.e[1].delay_ms = 250;
	plan.e[1].timeout_ms = 5000;
	plan.n = 1000; /* more than fit: cut */
	plan.e[0].has_ip = plan.e[1].has_ip = 1;
	plan.e[0].ip = (struct ipc_addr){ .addr = { 10, 0, 0, 1 }, .family = 4, .bits = 32 };
	plan.e[1].ip = (struct ipc_addr){ .addr = { 127, 0, 0, 1 }, .family = 4, .bits = 32 };
	dialler_plan(w->d, &plan);
	dialler_times(w->d, &times);
	assert_int_equal(times.n, IPC_MAX_PLAN);
	assert_int_equal(times.e[1].delay_ms, 250);
	assert_int_equal(times.e[1].timeout_ms, 5000);
	assert_null(begin(w, IPC_DIAL_CLEAR, 1)); /* not public unicast: dropped */
	assert_int_equal(errno, EINVAL);
	assert_null(begin(w, IPC_DIAL_CLEAR, 2));
	assert_null(begin(w, IPC_DIAL_CLEAR, 3)); /* no address */
	assert_null(begin(w, IPC_DIAL_CLEAR, 17));
	snprintf(w->c.control_url, sizeof(w->c.control_url), "https://new");
	dialler_config(w->d, &w->c);
	dialler_times(w->d, &times);
	assert_int_equal(times.n, 0); /* another server's plan is not ours */
}

static void
test_proxy(void **state)
{
	struct world *w = *state;
	int fd;

	snprintf(w->c.host, sizeof(w->c.host), "hs.example.com");
	snprintf(w->c.proxy_host, sizeof(w->c.proxy_host), "127.0.0.1");
	w->c.via_proxy = 1;
	w->c.proxy_port = listener("127.0.0.1", 0, 5, &fd);
	w->c.clear_port = 80;
	dial(w);
	expect_address(w, "127.0.0.1:");
	assert_int_equal(w->children, 0); /* the control server's name is not looked up here */
	close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(test_literal),
		T(test_dead_first_address),
		T(test_an_address_must_prove_itself),
		T(test_another_address_beside),
		T(test_both_families),
		T(test_last_good_addresses),
		T(test_another_names_addresses),
		T(test_a_look_up_outlives_its_dial),
		T(test_a_late_answer_is_tried_too),
		T(test_silent_name_servers),
		T(test_bad_answers),
		T(test_refused_addresses),
		T(test_timeout_and_cancel),
		T(test_kinds_and_candidates),
		T(test_proxy),
	};

	if (argc == 2 && strcmp(argv[0], "resolver") == 0)
		return fake_resolver();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
