/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "util_ipc.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
handle(void *arg, const struct ipc_msg *m)
{
	struct rig *r = arg;

	r->handled++;
	r->last = *m;
	assert_int_equal((uintptr_t)m->payload % 16, 0);
	memcpy(r->copy, m->payload, m->len);
	if (m->fd != -1)
		close(m->fd);
	if (r->free_in_handler) {
		ipc_free(r->c);
		r->c = NULL;
	}
	return r->answer;
}

static void
closed(void *arg, int violation, const char *why)
{
	struct rig *r = arg;

	r->closed++;
	r->violation = violation;
	strlcpy(r->why, why, sizeof(r->why));
	assert_true(why[0] != '\0');
	if (r->free_in_closed) {
		ipc_free(r->c);
		r->c = NULL;
	}
}

void
rig_open(struct rig *r, enum ipc_side side, enum ipc_role role)
{
	struct ipc_handlers h;
	int sv[2], t;

	memset(&h, 0, sizeof(h));
	for (t = 1; t < IPC_NTYPES; t++)
		h.on[t] = t == r->silent ? NULL : handle;
	h.closed = closed;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	r->base = event_base_new();
	assert_non_null(r->base);
	r->side = side;
	r->raw = sv[1];
	r->c = ipc_new(r->base, sv[0], side, role, GENERATION, &h, r);
	assert_non_null(r->c);
	assert_true(fcntl(sv[0], F_GETFL) & O_NONBLOCK);
}

void
rig_close(struct rig *r)
{
	ipc_free(r->c);
	event_base_free(r->base);
	if (r->raw != -1)
		close(r->raw);
}

void
rig_turn(struct rig *r)
{
	int i;

	for (i = 0; i < 8; i++)
		event_base_loop(r->base, EVLOOP_NONBLOCK);
}

void
raw_write(int fd, const void *p, size_t n, const int *fds, int nfds)
{
	char control[CMSG_SPACE(sizeof(int) * 8)];
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;

	if (nfds > 0) {
		memset(control, 0, sizeof(control));
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * (size_t)nfds);
	}
	assert_int_equal(sendmsg(fd, &mh, MSG_NOSIGNAL), n);
}

void
rig_put(struct rig *r, unsigned type, unsigned flags, uint32_t len, const void *payload, size_t n, const int *fds,
    int nfds)
{
	struct raw_hdr h = { (uint16_t)type, (uint16_t)flags, len, 42, GENERATION };
	uint8_t msg[sizeof(h) + IPC_MAX_MSG + 64];

	assert_true(n <= IPC_MAX_MSG + 64);
	memcpy(msg, &h, sizeof(h));
	if (n > 0)
		memcpy(msg + sizeof(h), payload, n);
	raw_write(r->raw, msg, sizeof(h) + n, fds, nfds);
}

int
open_descriptors(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}
