/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "peerfd.h"

#if defined(__linux__) && !defined(SO_PASSRIGHTS) && \
    (defined(__x86_64__) || defined(__aarch64__) || defined(__arm__) || defined(__riscv))
#define SO_PASSRIGHTS 83
#endif

#define EVERY_US 200          /* a client may attach hundreds, one wait each */
#define READ_MAX (512u << 10) /* more than a socket holds */

static int guarded; /* for the whole process, as the signal is */

#ifdef __linux__
static void
wake(int sig)
{
	(void)sig;
}
#endif

void
peerfd_listener(int fd)
{
#ifdef __linux__
	struct sigaction sa;
#ifdef SO_PASSRIGHTS
	const int no = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no)) == 0)
		return;
#endif
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = wake;
	sa.sa_flags = SA_RESTART;
	guarded = sigaction(SIGALRM, &sa, NULL) == 0;
#endif
	(void)fd;
}

static void
guard(int on)
{
	const struct timeval every = { 0, on ? EVERY_US : 0 };
	const struct itimerval it = { every, every };
	int saved = errno;

	if (guarded)
		(void)setitimer(ITIMER_REAL, &it, NULL);
	errno = saved;
}

ssize_t
peerfd_recv(int fd, void *p, size_t n)
{
	ssize_t rv;

	guard(1);
	rv = recv(fd, p, n, MSG_DONTWAIT);
	guard(0);
	return rv;
}

void
peerfd_close(int fd)
{
	guard(1);
	close(fd);
	guard(0);
}

void
peerfd_hand_over(int fd)
{
	char junk[4096];
	size_t left = READ_MAX;
	ssize_t n;

	if (!guarded)
		return;
	(void)shutdown(fd, SHUT_RD);
	while (left > 0 && (n = peerfd_recv(fd, junk, sizeof(junk))) > 0)
		left -= (size_t)n < left ? (size_t)n : left;
}
