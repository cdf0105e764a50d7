/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "childfd.h"
#include "exits.h"
#include "spawn.h"

#define SAFE_FD      16 /* where descriptors wait while 0..4 are arranged */
#define EXEC_FD      4
#define MAX_TO_CLOSE 65536

int
spawn_open(struct spawn_image *img, const char *dir, const char *name)
{
	int n;

	img->name = name;
	img->fd = -1;
	img->oom_adj = 0;
	n = snprintf(img->path, sizeof(img->path), "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= sizeof(img->path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (access(img->path, X_OK) == -1)
		return -1;
#ifdef O_PATH
	if ((img->fd = open(img->path, O_PATH | O_CLOEXEC)) == -1)
		return -1;
#endif
	return 0;
}

/* --- which process the kernel kills first when memory runs out --- */

/* Opened at the start: the parent's sandbox writes nowhere in /proc.  -1: nothing is adjusted. */
static int oom_fd = -1, oom_own;

static int
oom_set(int adj)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", adj);

	return pwrite(oom_fd, text, (size_t)n, 0) == n ? 0 : -1;
}

int
spawn_oom(int own)
{
#ifdef __linux__
	char text[16] = "";

	if ((oom_fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC)) == -1)
		return -1;
	if (pread(oom_fd, text, sizeof(text) - 1, 0) <= 0) {
		close(oom_fd);
		oom_fd = -1;
		return -1;
	}
	/* To raise it and to restore it needs no privilege. */
	oom_own = atoi(text);
	if (oom_own > own && oom_set(own) == 0)
		oom_own = own;
	return 0;
#else
	(void)own;
	errno = ENOTSUP;
	return -1;
#endif
}

/* --- between fork and exec: only async-signal-safe calls, no allocation --- */

static void
reset_signals(void)
{
	struct sigaction sa;
	sigset_t none;
	int i;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_DFL;
	for (i = 1; i < NSIG; i++)
		sigaction(i, &sa, NULL); /* fails for KILL, STOP and libc's own: nothing to reset there */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
close_from(int first)
{
	struct rlimit rl;
	rlim_t fd, end = MAX_TO_CLOSE;

#ifdef __OpenBSD__
	if (closefrom(first) == 0)
		return;
#else
	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return;
#endif
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < end)
		end = rl.rlim_cur;
	for (fd = (rlim_t)first; fd < end; fd++)
		close((int)fd);
}

/* Reports of a sanitizer or of the tracing sandbox go to the daemon's own stderr. */
static int
last_null(void)
{
#if defined(SANITIZED) || defined(SANDBOX_TRACE)
	return STDOUT_FILENO;
#else
	return STDERR_FILENO;
#endif
}

/* Puts 0..2, 3 and the program's descriptor in place, closes all others.  Returns the program's descriptor, or -1. */
static int
arrange_descriptors(int image, int channel, int out)
{
	int null, i;

	if (channel != -1 && (channel = fcntl(channel, F_DUPFD_CLOEXEC, SAFE_FD)) == -1)
		return -1;
	if (out != -1 && (out = fcntl(out, F_DUPFD_CLOEXEC, SAFE_FD)) == -1)
		return -1;
	if (image != -1 && (image = fcntl(image, F_DUPFD_CLOEXEC, SAFE_FD)) == -1)
		return -1;
	if ((null = open("/dev/null", O_RDWR)) == -1)
		return -1;
	for (i = 0; i <= last_null(); i++)
		if (dup2(i == 1 && out != -1 ? out : null, i) == -1)
			return -1;
	if (channel == -1)
		close(CHILD_FD);
	else if (dup2(channel, CHILD_FD) == -1)
		return -1;
	if (image == -1) {
		close_from(EXEC_FD);
		return EXEC_FD;
	}
	if (dup2(image, EXEC_FD) == -1 || fcntl(EXEC_FD, F_SETFD, FD_CLOEXEC) == -1)
		return -1;
	close_from(EXEC_FD + 1);
	return EXEC_FD;
}

static void
become(const struct spawn_image *img, int channel, int out, char *const argv[])
{
	static char *const no_environment[] = { NULL };
	int fd;

	setsid(); /* no terminal, and no signals meant for the daemon's process group */
	if ((fd = arrange_descriptors(img->fd, channel, out)) == -1)
		_exit(EXIT_NODESC);
	reset_signals();
#ifdef O_PATH
	fexecve(fd, argv, no_environment);
#else
	execve(img->path, argv, no_environment);
#endif
	_exit(EXIT_NOEXEC);
}

pid_t
spawn_start(const struct spawn_image *img, int channel, int out, const char *arg)
{
	char name[64], text[1024];
	char *argv[3] = { name, arg != NULL ? text : NULL, NULL };
	sigset_t all, before;
	pid_t pid;
	int saved;

	if (strlcpy(name, img->name, sizeof(name)) >= sizeof(name) ||
	    (arg != NULL && strlcpy(text, arg, sizeof(text)) >= sizeof(text))) {
		errno = E2BIG;
		return -1;
	}
	/* No handler of the parent may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if (oom_fd != -1)
		(void)oom_set(img->oom_adj); /* it is inherited */
	if ((pid = fork()) == 0)
		become(img, channel, out, argv);
	saved = errno;
	if (oom_fd != -1)
		(void)oom_set(oom_own);
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid;
}

/* --- how it ended --- */

static const char *
signal_means(int sig)
{
	switch (sig) {
	case SIGSYS: return ": it made a system call that its sandbox forbids";
	case SIGKILL: return ": by an administrator, or by the kernel when memory ran out (see the kernel's log)";
	case SIGXFSZ:
	case SIGXCPU: return ": a limit of its process (ulimit)";
	case SIGALRM: return ": it took too long";
#ifdef __OpenBSD__
	case SIGABRT: return ": an internal error, or pledge(2) (see dmesg, or run it under `ktrace -di`)";
#endif
	default: return "";
	}
}

static void
exit_text(const struct spawn_image *img, int code, char *out, size_t size)
{
	switch (code) {
	case EXIT_STARTUP: snprintf(out, size, "could not start (status %d): the log has its reason", code); break;
	case EXIT_BYHAND: snprintf(out, size, "was not given its channel (status %d)", code); break;
	case EXIT_VIOLATION: snprintf(out, size, "found what the parent sent broken (status %d)", code); break;
	case EXIT_SANDBOX:
		snprintf(out, size, "could not enter its sandbox (status %d): the log has the layer", code);
		break;
	case EXIT_BUILD:
		snprintf(out, size,
		    "was not built together with tailnetd (status %d): install all programs, then restart tailnetd",
		    code);
		break;
	case EXIT_MEMORY: snprintf(out, size, "ran out of memory (status %d)", code); break;
	case EXIT_NODESC:
		snprintf(out, size, "could not be given its descriptors (status %d): is /dev/null there?", code);
		break;
	case EXIT_NOEXEC:
		snprintf(out, size, "cannot be executed (status %d): see `ldd %.100s`", code, img->path);
		break;
	default: snprintf(out, size, "exited with status %d", code); break;
	}
}

void
spawn_end_text(const struct spawn_image *img, int status, char *out, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(out, size, "was killed by signal %d (%s)%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
		    signal_means(WTERMSIG(status)));
	else
		exit_text(img, WEXITSTATUS(status), out, size);
}
