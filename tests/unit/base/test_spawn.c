/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "childfd.h"
#include "spawn.h"
#include "unit.h"

extern char **environ;

struct report {    /* what the new process finds */
	int check; /* childfd_check() */
	int nenv, argc;
	int open_above_3;
	int null_ok; /* bits: 0..2 are /dev/null */
	int signals_blocked, signals_handled;
	int own_session;
	char name[32], arg[32];
};

static int
is_null(int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat("/dev/null", &b) == 0 && a.st_rdev == b.st_rdev && S_ISCHR(a.st_mode);
}

static void
be_the_child(int argc, char *argv[])
{
	struct report r;
	struct sigaction sa;
	sigset_t set;
	const char *why;
	char **e;
	int i;

	memset(&r, 0, sizeof(r));
	r.check = childfd_check(&why);
	for (e = environ; e != NULL && *e != NULL; e++)
		r.nenv++;
	r.argc = argc;
	strlcpy(r.name, argv[0], sizeof(r.name));
	if (argc > 1)
		strlcpy(r.arg, argv[1], sizeof(r.arg));
	for (i = 4; i < 1024; i++)
		r.open_above_3 += fcntl(i, F_GETFD) != -1;
	for (i = 0; i <= 2; i++)
		r.null_ok |= is_null(i) << i;
	sigprocmask(SIG_SETMASK, NULL, &set);
	for (i = 1; i < 32; i++) {
		r.signals_blocked += sigismember(&set, i) == 1;
		r.signals_handled += sigaction(i, NULL, &sa) == 0 && sa.sa_handler != SIG_DFL;
	}
	r.own_session = getsid(0) == getpid();
	if (strcmp(r.arg, "answer") == 0)
		i = (int)write(1, "answer\n", 7);
	else
		i = (int)write(CHILD_FD, &r, sizeof(r));
	_exit(i > 0 ? 0 : 1);
}

static void
open_self(struct spawn_image *img)
{
	char path[1024];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	assert_true(n > 0);
	path[n] = '\0';
	slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(spawn_open(img, path, slash + 1), 0);
	img->name = "spawned";
}

static void
ignore(int sig)
{
	(void)sig;
}

static void
test_what_a_child_is_born_with(void **state)
{
	struct spawn_image img;
	struct report r;
	int sv[2], status, i;
	sigset_t usr1;
	pid_t pid;

	(void)state;
	open_self(&img);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv),
	    0); /* not close-on-exec: must be closed all the same */
	for (i = 0; i < 50; i++)
		assert_true(open("/dev/null", O_RDONLY) != -1);
	signal(SIGUSR2, ignore);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	setenv("TS_SECRET", "x", 1);
	pid = spawn_start(&img, sv[1], -1, NULL);
	assert_true(pid > 0);
	close(sv[1]);
	assert_int_equal(read(sv[0], &r, sizeof(r)), sizeof(r));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(r.check, 1);
	assert_int_equal(r.nenv, 0);
	assert_int_equal(r.argc, 1);
	assert_string_equal(r.name, "spawned");
	assert_int_equal(r.open_above_3, 0);
#ifdef SANITIZED
	assert_int_equal(r.null_ok & 3, 3);
	assert_true(r.signals_handled <= 5); /* the sanitizer's own */
#else
	assert_int_equal(r.null_ok, 7);
	assert_int_equal(r.signals_handled, 0);
#endif
	assert_int_equal(r.signals_blocked, 0);
	assert_int_equal(r.own_session, 1);
	/* the parent's own mask and handlers are as before */
	sigprocmask(SIG_SETMASK, NULL, &usr1);
	assert_int_equal(sigismember(&usr1, SIGUSR1), 1);
	assert_int_equal(sigismember(&usr1, SIGUSR2), 0);
	close(sv[0]);
	close(img.fd);
	for (i = 3; i < 256; i++)
		close(i);
}

static void
test_argument_and_output(void **state)
{
	struct spawn_image img;
	char line[32];
	int p[2], status;
	pid_t pid;

	(void)state;
	open_self(&img);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = spawn_start(&img, -1, p[1], "answer");
	assert_true(pid > 0);
	close(p[1]);
	assert_int_equal(read(p[0], line, sizeof(line)), 7);
	assert_memory_equal(line, "answer\n", 7);
	assert_int_equal(read(p[0], line, sizeof(line)), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(p[0]);
	close(img.fd);
}

static void
test_descriptors_in_the_way(void **state)
{
	struct spawn_image img;
	struct report r;
	int sv[2], fd, status, keep;
	pid_t pid;

	(void)state;
	open_self(&img);
	/* channel as descriptor 0: the target descriptors may be in use by the very descriptors to be moved */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	keep = dup(0);
	assert_int_equal(dup2(sv[1], 0), 0);
	pid = spawn_start(&img, 0, -1, "x");
	dup2(keep, 0);
	close(keep);
	close(sv[1]);
	assert_int_equal(read(sv[0], &r, sizeof(r)), sizeof(r));
	waitpid(pid, &status, 0);
	assert_int_equal(r.check, 1);
	assert_int_equal(r.null_ok & 3, 3);
	assert_string_equal(r.arg, "x");
	assert_int_equal(r.open_above_3, 0);
	for (fd = 3; fd < 64; fd++)
		close(fd);
}

static void
test_refusals(void **state)
{
	struct spawn_image img = { .fd = -1 };
	char big[2000];
	const char *why = NULL;

	(void)state;
	assert_int_equal(spawn_open(&img, "/nonexistent", "authd"), -1);
	assert_int_equal(errno, ENOENT);
	memset(big, 'a', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(spawn_open(&img, big, "authd"), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	img.name = "x";
	assert_int_equal(spawn_start(&img, -1, -1, big), -1);
	assert_int_equal(errno, E2BIG);
	close(3);
	assert_int_equal(childfd_check(&why), 0);
	assert_non_null(why);
}

/* A child started by hand must see that it was. */
static void
test_check_child(void **state)
{
	const char *why = NULL;
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), 0);
	assert_int_equal(sv[0], 3);
	assert_int_equal(childfd_check(&why), 0);
	assert_non_null(strstr(why, "stream"));
	close(sv[0]);
	close(sv[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(childfd_check(&why), 0);
	assert_non_null(strstr(why, "above 3"));
	close(sv[1]);
	assert_int_equal(childfd_check(&why), 1);
	close(sv[0]);
}

static void
ends_with(int status, const char *want)
{
	const struct spawn_image img = { .name = "authd", .path = "/usr/libexec/authd" };
	char text[200];

	spawn_end_text(&img, status, text, sizeof(text));
	assert_string_equal(text, want);
}

/* By status as waitpid(2) gives it. */
static void
test_how_it_ended(void **state)
{
	(void)state;
	ends_with(127 << 8, "cannot be executed (status 127): see `ldd /usr/libexec/authd`");
	ends_with(126 << 8, "could not be given its descriptors (status 126): is /dev/null there?");
	ends_with(1 << 8, "could not start (status 1): the log has its reason");
	ends_with(5 << 8, "exited with status 5");
	ends_with(0, "exited with status 0");
	ends_with(SIGSYS, "was killed by signal 31 (Bad system call): it made a system call that its sandbox forbids");
	ends_with(SIGSEGV | 128, "was killed by signal 11 (Segmentation fault)");
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_child_is_born_with),
		cmocka_unit_test(test_argument_and_output),
		cmocka_unit_test(test_descriptors_in_the_way),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_check_child),
		cmocka_unit_test(test_how_it_ended),
	};
	int fd;

	if (strcmp(argv[0], "spawned") == 0)
		be_the_child(argc, argv);
	for (fd = 3; fd < 64; fd++)
		close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
