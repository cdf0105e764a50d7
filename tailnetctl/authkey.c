/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "authkey.h"

/* security.md D14. */
static int
check_file(int fd, const char *file, char *err, size_t errsize)
{
	struct stat st;

	if (fstat(fd, &st) == -1) {
		snprintf(err, errsize, "%s: %s", file, strerror(errno));
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(err, errsize, "%s: not a regular file", file);
		return -1;
	}
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		snprintf(err, errsize, "%s: owned by another user (uid %lu)", file, (unsigned long)st.st_uid);
		return -1;
	}
	if ((st.st_mode & 077) != 0) {
		snprintf(err, errsize, "%s: others may access it: chmod 600 %s", file, file);
		return -1;
	}
	return 0;
}

static volatile sig_atomic_t caught; /* while the terminal is without echo */

static void
on_signal(int sig)
{
	caught = sig;
}

/* The whole of fd, at most size bytes; -1 with errno. */
static ssize_t
read_all(int fd, char *p, size_t size, int one_line)
{
	size_t n = 0;
	ssize_t r;

	while (n < size) {
		if ((r = read(fd, p + n, size - n)) == -1 && errno == EINTR && !caught)
			continue;
		if (r == -1)
			return -1;
		if (r == 0)
			break;
		n += (size_t)r;
		if (one_line && p[n - 1] == '\n')
			break;
	}
	return (ssize_t)n;
}

static ssize_t
read_line_quietly(char *p, size_t size)
{
	struct termios was, quiet;
	ssize_t n;

	if (tcgetattr(STDIN_FILENO, &was) == -1)
		return -1;
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	fputs("Auth key: ", stderr);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	n = read_all(STDIN_FILENO, p, size, 1);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputc('\n', stderr);
	return n;
}

/* A signal at the prompt restores the echo of the terminal first; when the program continues it asks again. */
static ssize_t
read_terminal(char *p, size_t size)
{
	static const int sigs[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP };
	enum { NSIGS = sizeof(sigs) / sizeof(sigs[0]) };
	struct sigaction sa = { .sa_handler = on_signal }, was[NSIGS]; /* no SA_RESTART: read() has to end */
	ssize_t n;
	int i, sig;

	sigemptyset(&sa.sa_mask);
	do {
		caught = 0;
		for (i = 0; i < NSIGS; i++)
			if (sigaction(sigs[i], NULL, &was[i]) == 0 && was[i].sa_handler != SIG_IGN)
				sigaction(sigs[i], &sa, NULL);
		n = read_line_quietly(p, size);
		for (i = 0; i < NSIGS; i++)
			sigaction(sigs[i], &was[i], NULL);
		if ((sig = caught) != 0)
			raise(sig); /* all but SIGTSTP end here */
	} while (sig != 0);
	return n;
}

/* Without the white space around it; inside there must be none, nor anything else that cannot be in a key. */
static int
check_key(const char *p, size_t n, char key[AUTHKEY_MAX + 1], char *err, size_t errsize)
{
	size_t i;

	while (n > 0 && strchr(" \t\r\n", p[n - 1]) != NULL && p[n - 1] != '\0')
		n--;
	while (n > 0 && strchr(" \t\r\n", *p) != NULL && *p != '\0')
		p++, n--;
	if (n == 0 || n > AUTHKEY_MAX) {
		snprintf(err, errsize, n == 0 ? "the auth key is empty" : "the auth key is longer than %d characters",
		    AUTHKEY_MAX);
		return -1;
	}
	for (i = 0; i < n; i++) {
		if (p[i] <= ' ' || p[i] > '~') {
			snprintf(err, errsize, "the auth key holds a character that cannot be in one");
			return -1;
		}
	}
	memcpy(key, p, n);
	key[n] = '\0';
	return 0;
}

int
authkey_read(const char *file, char key[AUTHKEY_MAX + 1], char *err, size_t errsize)
{
	char raw[AUTHKEY_MAX + 64];
	int fd = STDIN_FILENO, from_stdin = strcmp(file, "-") == 0, r = -1;
	ssize_t n;

	err[0] = '\0';
	if (!from_stdin && (fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1) {
		snprintf(err, errsize, "%s: %s", file, strerror(errno));
		return -1;
	}
	if (from_stdin || check_file(fd, file, err, errsize) == 0) {
		n = from_stdin && isatty(fd) ? read_terminal(raw, sizeof(raw)) : read_all(fd, raw, sizeof(raw), 0);
		if (n == -1)
			snprintf(err, errsize, "%s: %s", file, strerror(errno));
		else
			r = check_key(raw, (size_t)n, key, err, errsize);
		explicit_bzero(raw, sizeof(raw));
	}
	if (!from_stdin)
		close(fd);
	return r;
}
