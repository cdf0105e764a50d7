/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon.h"
#include "exits.h"

/* The process that was started by hand: waits for the byte of daemon_ready(), or for the daemon's end. */
static void __attribute__((noreturn)) await_start(int fd, pid_t pid)
{
	char word;
	ssize_t n;
	int status;

	while ((n = read(fd, &word, 1)) == -1 && errno == EINTR)
		continue;
	if (n == 1)
		_exit(EXIT_OK);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			_exit(EXIT_STARTUP);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_STARTUP);
}

int
daemonise(void)
{
	int p[2], null;
	pid_t pid;

	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1 || pipe2(p, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		return -1;
	if (pid != 0) {
		close(p[1]);
		await_start(p[0], pid);
	}
	close(p[0]);
	if (setsid() == -1 || chdir("/") == -1 || dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1)
		return -1;
	close(null);
	return p[1];
}

void
daemon_ready(int fd)
{
	if (fd == -1)
		return;
	(void)dup2(STDOUT_FILENO, STDERR_FILENO);
	(void)!write(fd, "", 1);
	close(fd);
}
