/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "syscalls.h"
#include "log.h"
#include "sandbox.h"
#include "unit.h"
#include "util_quiet.h"

/* A network child's sandbox really entered, in a new process each time, and things tried in it. */
#define TEST_UID 65533
#define TEST_GID 65533
#define ALL_LAYERS \
	(SBX_UID | SBX_CHROOT | SBX_NNP | SBX_RLIMIT | SBX_DUMPABLE | SBX_PDEATHSIG | SBX_CAPS | SBX_LANDLOCK | \
	    SBX_SECCOMP)

static const struct sbx_rlimit limits[] = {
	{ .resource = RLIMIT_CORE, .value = 0 },
	{ .resource = RLIMIT_NPROC, .value = 0 },
	{ .resource = RLIMIT_NOFILE, .value = 32 },
};
static const struct sandbox_profile profile = {
	.name = "test",
	.shared = child_syscalls,
	.die_with_parent = 1,
	.net = SBX_NET_NONE,
	.unix_scope = 1,
	.pledge = "stdio recvfd",
	.rlimits = limits,
	.nrlimits = 3,
};
static char empty_dir[] = "/tmp/test_enterXXXXXX";

struct result {
	int layers;    /* of sandbox_enter() */
	int rv, err;   /* of what was tried */
	int sig;       /* the signal that ended the process */
	unsigned seen; /* sandbox_read_back() by the parent */
};

static struct sandbox_opts
options(void)
{
	struct sandbox_opts o = { .required = getuid() == 0,
		.drop_ids = getuid() == 0,
		.uid = TEST_UID,
		.gid = TEST_GID };

	if (o.drop_ids)
		o.chroot_dir = empty_dir;
	return o;
}

static struct result
in_sandbox(const struct sandbox_opts *o, int (*try)(void))
{
	struct result r;
	int p[2], hold[2], status;
	pid_t pid;
	char c;

	memset(&r, 0, sizeof(r));
	assert_int_equal(pipe(p), 0);
	assert_int_equal(pipe(hold), 0);
	if ((pid = fork()) == 0) {
		sandbox_harden_process();
		r.layers = sandbox_enter(&profile, o);
		if (r.layers == -1)
			_exit(71);
		(void)!write(p[1], &r, sizeof(r));
		(void)!read(hold[0], &c, 1);
		errno = 0;
		r.rv = try();
		r.err = errno;
		(void)!write(p[1], &r, sizeof(r));
		_exit(0);
	}
	close(p[1]);
	if (read(p[0], &r, sizeof(r)) == sizeof(r)) {
		r.seen = (unsigned)r.layers;
		assert_int_equal(sandbox_read_back(pid, &r.seen), 0);
	}
	assert_int_equal(write(hold[1], "x", 1), 1);
	{
		struct result end;

		if (read(p[0], &end, sizeof(end)) == sizeof(end)) {
			r.rv = end.rv;
			r.err = end.err;
		}
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		r.sig = WTERMSIG(status);
	else
		r.layers = WEXITSTATUS(status) == 71 ? -1 : r.layers;
	close(p[0]);
	close(hold[0]);
	close(hold[1]);
	return r;
}

static int
nothing(void)
{
	return 0;
}
static int
get_memory(void)
{
	char *p = malloc(4 << 20);

	if (p == NULL)
		return 1;
	memset(p, 1, 4 << 20);
	free(p);
	return 0;
}
static int
open_file(void)
{
	return open("/etc/passwd", O_RDONLY) == -1 ? -1 : 0;
}
static int
make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}
static int
run_program(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}
static int
fork_off(void)
{
	return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}
static int
exec_page(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}
static int
shared_page(void)
{
	return mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}
static int
become_root(void)
{
	return setuid(0);
}
static int
kill_init(void)
{
	return kill(1, 0);
}

/* rows: PRIV-02 */
static void
test_layers_are_reported_correctly(void **state)
{
	const struct sandbox_opts o = options();
	struct result r = in_sandbox(&o, nothing);

	(void)state;
	assert_int_equal(r.sig, 0);
	if (getuid() == 0)
		assert_int_equal(r.layers, ALL_LAYERS);
	else /* a bounding set cannot be reduced without CAP_SETPCAP */
		assert_int_equal(r.layers & ~SBX_CAPS, ALL_LAYERS & ~(SBX_UID | SBX_CHROOT | SBX_CAPS));
	assert_int_equal(r.seen, r.layers);
	assert_int_equal(r.rv, 0);
}

/* rows: PRIV-02 */
static void
test_what_is_stopped(void **state)
{
	const struct sandbox_opts o = options();
	static const struct {
		int (*try)(void);
		int rv, err, sig;
	} cases[] = {
		{ get_memory, 0, 0, 0 },
		{ open_file, -1, EACCES, 0 },
		{ shared_page, -1, EINVAL, 0 },
		{ make_socket, 0, 0, SIGSYS },
		{ run_program, 0, 0, SIGSYS },
		{ fork_off, 0, 0, SIGSYS },
		{ exec_page, 0, 0, SIGSYS },
		{ become_root, 0, 0, SIGSYS },
		{ kill_init, 0, 0, SIGSYS },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct result r = in_sandbox(&o, cases[i].try);

		if (r.rv != cases[i].rv || (cases[i].err != 0 && r.err != cases[i].err) || r.sig != cases[i].sig)
			fail_msg("case %zu: rv %d errno %d signal %d", i, r.rv, r.err, r.sig);
	}
}

static void
test_required_fails_closed(void **state)
{
	struct sandbox_opts o = options();

	(void)state;
	o.required = 1;
	o.chroot_dir = "/nonexistent";
	assert_int_equal(in_sandbox(&o, nothing).layers, -1);
	if (getuid() != 0)
		return;
	o.chroot_dir = empty_dir;
	o.uid = 0; /* staying root is not asked for by accident */
	assert_int_equal(in_sandbox(&o, nothing).layers, -1);
	o.required = 0; /* nor by best effort */
	assert_int_equal(in_sandbox(&o, nothing).layers, -1);
	o = options();
	chmod(empty_dir, 0777);
	assert_int_equal(in_sandbox(&o, nothing).layers, -1);
	chmod(empty_dir, 0555);
}

static void
test_best_effort_goes_on(void **state)
{
	struct sandbox_opts o = options();
	struct result r;

	(void)state;
	o.required = 0;
	o.chroot_dir = "/nonexistent";
	r = in_sandbox(&o, make_socket);
	assert_int_equal(r.sig, SIGSYS);
	assert_int_equal(r.layers & (SBX_CHROOT | SBX_SECCOMP), SBX_SECCOMP);
}

/* The child ends as soon as its parent does. */
static void
test_dies_with_its_parent(void **state)
{
	const struct sandbox_opts o = options();
	int p[2];
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(p), 0);
	if ((pid = fork()) == 0) {
		if (fork() == 0) {
			sandbox_harden_process();
			if (sandbox_enter(&profile, &o) == -1)
				_exit(1);
			(void)!write(p[1], "x", 1);
			for (;;)
				(void)syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0,
				    &(struct timespec){ .tv_sec = 100 }, NULL);
		}
		pause();
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	alarm(10);
	assert_int_equal(read(p[0], &c, 1), 0); /* end of file: no process has the pipe */
	alarm(0);
	close(p[0]);
}

/* Two places make a process undumpable, right after exec and in the sandbox; each by itself must do. */
static void
test_undumpable_by_either(void **state)
{
	const struct sandbox_opts o = options();
	int in_the_sandbox, p[2], status;
	struct rlimit core;
	struct stat st;
	char c, path[64];
	pid_t pid;

	(void)state;
	for (in_the_sandbox = 0; in_the_sandbox < 2; in_the_sandbox++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
		if ((pid = fork()) == 0) {
			if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == -1)
				_exit(1);
			if (in_the_sandbox) {
				if (sandbox_enter(&profile, &o) == -1)
					_exit(2);
			} else {
				sandbox_harden_process();
				if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
					_exit(3);
				if (getrlimit(RLIMIT_CORE, &core) == -1 || core.rlim_cur != 0 || core.rlim_max != 0)
					_exit(4);
			}
			(void)!write(p[1], "x", 1);
			(void)!read(p[1], &c, 1);
			_exit(0);
		}
		close(p[1]);
		if (read(p[0], &c, 1) != 1)
			fail_msg("the child ended");
		snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_uid, 0); /* which proves something if we are not root */
		assert_int_equal(write(p[0], "x", 1), 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		close(p[0]);
	}
}

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layers_are_reported_correctly),
		cmocka_unit_test(test_what_is_stopped),
		cmocka_unit_test(test_required_fails_closed),
		cmocka_unit_test(test_best_effort_goes_on),
		cmocka_unit_test(test_dies_with_its_parent),
		cmocka_unit_test(test_undumpable_by_either),
	};

	return cmocka_run_group_tests_name(getuid() == 0 ? "as root" : "not root", tests, NULL, NULL);
}

int
main(void)
{
	int status = 0, rv;
	pid_t pid;

	log_nothing();
	if (mkdtemp(empty_dir) == NULL || chmod(empty_dir, 0555) == -1)
		return 1;
	rv = run();
	if (getuid() == 0) { /* again without privileges */
		fflush(stdout);
		if ((pid = fork()) == 0) {
			if (setresgid(TEST_GID, TEST_GID, TEST_GID) == -1 ||
			    setresuid(TEST_UID, TEST_UID, TEST_UID) == -1)
				_exit(1);
			_exit(run());
		}
		waitpid(pid, &status, 0);
	}
	rmdir(empty_dir);
	return rv != 0 || status != 0;
}
