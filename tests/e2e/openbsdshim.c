/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
/*
 * LD_PRELOAD shim: answers of OpenBSD's kernel and libc that differ from Linux's, for `make openbsd-answers` (I14 of
 * the faults).  By reading of OpenBSD's sources:
 *
 *   faccessat   knows AT_EACCESS only, else EINVAL
 *   sendmsg     EMFILE for every 5th with a descriptor: too many are in flight in the system
 *   connect     to a unix socket whose queue is full: ECONNREFUSED at once
 *   listen      at most 128 wait (kern.somaxconn)
 *   socket, socketpair   buffers of 32 KiB
 *   sigaction   setting a handler discards a signal that is held, as kqueue(2) and libevent do
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum { SOMAXCONN_THERE = 128, HALF_BUFFER = 16384, EVERY = 5 }; /* Linux doubles what SO_SNDBUF is given */

int
faccessat(int dirfd, const char *name, int mode, int flag)
{
	if ((flag & ~AT_EACCESS) != 0) {
		errno = EINVAL;
		return -1;
	}
	return REAL(faccessat)(dirfd, name, mode, flag);
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	static int sent;

	if (m->msg_controllen > 0 && ++sent % EVERY == 0) {
		errno = EMFILE;
		return -1;
	}
	return REAL(sendmsg)(fd, m, flags);
}

int
connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	int rv = REAL(connect)(fd, sa, len);

	if (rv == -1 && errno == EAGAIN && sa->sa_family == AF_UNIX)
		errno = ECONNREFUSED;
	return rv;
}

int
listen(int fd, int backlog)
{
	return REAL(listen)(fd, backlog < SOMAXCONN_THERE ? backlog : SOMAXCONN_THERE);
}

static int
small(int fd)
{
	int size = HALF_BUFFER, saved = errno;

	if (fd != -1) {
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	}
	errno = saved;
	return fd;
}

int
socket(int domain, int type, int protocol)
{
	int fd = REAL(socket)(domain, type, protocol);

	return domain == AF_UNIX || domain == AF_INET || domain == AF_INET6 ? small(fd) : fd;
}

int
socketpair(int domain, int type, int protocol, int sv[2])
{
	int rv = REAL(socketpair)(domain, type, protocol, sv);

	if (rv == 0) {
		(void)small(sv[0]);
		(void)small(sv[1]);
	}
	return rv;
}

int
sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;

	if (act == NULL || act->sa_handler == SIG_DFL || act->sa_handler == SIG_IGN)
		return REAL(sigaction)(sig, act, old);
	if (REAL(sigaction)(sig, &ignore, &before) == -1 || REAL(sigaction)(sig, act, NULL) == -1)
		return -1;
	if (old != NULL)
		*old = before;
	return 0;
}
