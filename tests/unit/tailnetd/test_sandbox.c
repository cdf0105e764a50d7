/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "childfd.h"
#include "log.h"
#include "tailnetd_sandbox.h"
#include "sandbox.h"
#include "unit.h"
#include "util_quiet.h"

/* The parent's sandbox really entered in a process of its own, and the parent's work and worse tried in it. */
#define CHILD_UID 65531

static char top[] = "/tmp/test_sandboxXXXXXX";
static char state_dir[64], run_dir[64], other_dir[64];
static struct spawn_image image;

static int
enter(int required)
{
	const struct spawn_image *const images[] = { &image };
	const struct parent_sandbox s = { .required = required,
		.state_dir = state_dir,
		.run_dir = run_dir,
		.images = images,
		.nimages = 1 };

	return parent_sandbox_enter(&s);
}

static int
can_create(const char *dir)
{
	char a[100], b[100];
	int fd, rv;

	(void)snprintf(a, sizeof(a), "%s/new", dir);
	(void)snprintf(b, sizeof(b), "%s/name", dir);
	if ((fd = open(a, O_CREAT | O_RDWR | O_TRUNC, 0600)) == -1)
		return 0;
	rv = write(fd, "x", 1) == 1 && fsync(fd) == 0;
	close(fd);
	rv = rv && rename(a, b) == 0 && link(b, a) == 0 && unlink(a) == 0 && unlink(b) == 0;
	return rv;
}

static int
can_bind(const char *dir)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), rv;

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/sock", dir);
	rv = bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0;
	(void)unlink(sun.sun_path);
	close(fd);
	return rv;
}

static int
tcp_bind(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), rv = bind(fd, (struct sockaddr *)&sin, sizeof(sin));

	close(fd);
	return rv == 0;
}

/* Starts the program as the daemon does; it becomes another user and waits to be killed. */
static int
child_life(void)
{
	int sv[2], status;
	pid_t pid;
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1 ||
	    (pid = spawn_start(&image, sv[1], -1, NULL)) == -1)
		return -1;
	close(sv[1]);
	if (read(sv[0], &c, 1) != 1 || c != 'y')
		return -2;
	if (kill(pid, SIGKILL) == -1)
		return -3;
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) ? 1 : -4;
}

static void
be_the_child(void)
{
	char c = 'y';

	if (getuid() == 0 &&
	    (setresgid(CHILD_UID, CHILD_UID, CHILD_UID) == -1 || setresuid(CHILD_UID, CHILD_UID, CHILD_UID) == -1))
		c = 'n';
	(void)!write(CHILD_FD, &c, 1);
	for (;;)
		pause();
}

/* The sanitizers' shadow would not fit: their builds have no limit on memory. */
static int
memory_is_limited(void)
{
#ifdef SANITIZED
	return 1;
#else
	return mmap(NULL, 128 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
#endif
}

/* Everything is tried in a new process; the exit code is the number of the first failed expectation. */
#define EXPECT(n, e) \
	do { \
		if (!(e)) \
			_exit(n); \
	} while (0)

static int
in_sandbox(int required, void (*body)(int layers))
{
	int status;
	pid_t pid;

	if ((pid = fork()) == 0) {
		int layers;

		sandbox_harden_process();
		if ((layers = enter(required)) == -1)
			_exit(71);
		body(layers);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
work(int layers)
{
	unsigned seen = (unsigned)layers;
	int fd;

	EXPECT(1, layers & SBX_SECCOMP && layers & SBX_LANDLOCK && layers & SBX_NNP && layers & SBX_DUMPABLE);
	EXPECT(2, getuid() != 0 || layers & SBX_CAPS);
	EXPECT(3, sandbox_read_back(getpid(), &seen) == 0 && seen == (unsigned)layers);
	EXPECT(4, can_create(state_dir));
	EXPECT(5, can_create(run_dir));
	EXPECT(6, can_bind(run_dir));
	EXPECT(7, (fd = open("/etc/passwd", O_RDONLY)) != -1);
	EXPECT(8, socket(AF_INET, SOCK_STREAM, 0) != -1);
	EXPECT(9, child_life() == 1);
	EXPECT(10, child_life() == 1);
}

static void
worse(int layers)
{
	(void)layers;
	EXPECT(1, !can_create(other_dir));
	EXPECT(2, !can_bind(other_dir));
	EXPECT(3, !tcp_bind());
	EXPECT(4, execl("/bin/true", "true", (char *)NULL) == -1 && errno == EACCES);
	EXPECT(5, ptrace(PTRACE_TRACEME, 0, 0, 0) == -1 && errno == EPERM);
	EXPECT(6, unshare(CLONE_NEWUSER) == -1 && errno == EPERM);
	EXPECT(7, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) == -1 && errno == EPERM);
	EXPECT(8, syscall(425, 4, NULL) == -1 && errno == EPERM); /* io_uring_setup */
	EXPECT(9, sethostname("x", 1) == -1 && errno == EPERM);
	EXPECT(10, chown(state_dir, 1, 1) == -1);
	EXPECT(11, memory_is_limited());
	EXPECT(12, kill(1, 0) == -1); /* not our process: outside the scope */
	EXPECT(13, listen(socket(AF_INET, SOCK_STREAM, 0), 1) == -1 && errno == EPERM); /* it would get a port */
	EXPECT(14, chmod(state_dir, 0777) == -1 && errno == EPERM);
	EXPECT(15, symlink("/etc/shadow", "link") == -1 && errno == EPERM);
}

static void
test_the_parent_can_work(void **state)
{
	(void)state;
	assert_int_equal(in_sandbox(getuid() == 0, work), 0);
}

static void
test_and_nothing_worse(void **state)
{
	(void)state;
	assert_int_equal(in_sandbox(getuid() == 0, worse), 0);
}

static void
test_required_fails_closed(void **state)
{
	(void)state;
	if (getuid() == 0)
		skip();                            /* every layer is available */
	assert_int_equal(in_sandbox(1, work), 71); /* no right to cut the bounding set */
}

static int
run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_parent_can_work),
		cmocka_unit_test(test_and_nothing_worse),
		cmocka_unit_test(test_required_fails_closed),
	};

	return cmocka_run_group_tests_name(getuid() == 0 ? "as root" : "not root", tests, NULL, NULL);
}

/* The program to start is a copy that everybody may execute. */
static void
prepare(void)
{
	char cmd[1200], self[1024];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0 || mkdtemp(top) == NULL || chmod(top, 0755) == -1)
		exit(1);
	self[n] = '\0';
	(void)snprintf(state_dir, sizeof(state_dir), "%s/state", top);
	(void)snprintf(run_dir, sizeof(run_dir), "%s/run", top);
	(void)snprintf(other_dir, sizeof(other_dir), "%s/other", top);
	if (mkdir(state_dir, 0777) == -1 || mkdir(run_dir, 0777) == -1 || mkdir(other_dir, 0777) == -1 ||
	    chmod(state_dir, 0777) == -1 || chmod(run_dir, 0777) == -1 || chmod(other_dir, 0777) == -1)
		exit(1);
	(void)snprintf(cmd, sizeof(cmd), "install -m 755 %s %s/prober", self, top);
	if (system(cmd) != 0 || spawn_open(&image, top, "prober") == -1)
		exit(1);
}

int
main(int argc, char *argv[])
{
	char cmd[100];
	int status = 0, rv;
	pid_t pid;

	(void)argc;
	if (strcmp(argv[0], "prober") == 0)
		be_the_child();
	log_nothing();
	prepare();
	rv = run();
	if (getuid() == 0) {
		fflush(stdout);
		if ((pid = fork()) == 0) {
			if (setresgid(65533, 65533, 65533) == -1 || setresuid(65533, 65533, 65533) == -1)
				_exit(1);
			_exit(run());
		}
		waitpid(pid, &status, 0);
	}
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return rv != 0 || status != 0 || system(cmd) != 0;
}
