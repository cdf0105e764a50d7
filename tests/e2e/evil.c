/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evil.h"
#include "sandbox.h"

uint32_t generation;
int passed = -1;

void
must(int ok)
{
	if (!ok)
		_exit(0);
}

void
put(const void *p, size_t n)
{
	const char *c = p;

	while (n > 0) {
		ssize_t k = write(3, c, n);

		must(k > 0);
		c += k;
		n -= (size_t)k;
	}
}

void
get(void *p, size_t n)
{
	char *c = p;

	while (n > 0) {
		union {
			struct cmsghdr h;
			char buf[CMSG_SPACE(sizeof(int))];
		} ctl;
		struct iovec v = { c, n };
		struct msghdr m = { .msg_iov = &v,
			.msg_iovlen = 1,
			.msg_control = ctl.buf,
			.msg_controllen = sizeof(ctl.buf) };
		ssize_t k = recvmsg(3, &m, 0);

		must(k > 0);
		if (CMSG_FIRSTHDR(&m) != NULL)
			memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(passed));
		c += k;
		n -= (size_t)k;
	}
}

void
put_len(unsigned type, uint32_t id, const void *p, size_t n, uint32_t claimed)
{
	struct hdr h = { .type = (uint16_t)type, .len = claimed, .id = id, .generation = generation };

	put(&h, sizeof(h));
	if (n > 0)
		put(p, n);
}

void
send_msg(unsigned type, uint32_t id, const void *p, size_t n)
{
	put_len(type, id, p, n, (uint32_t)n);
}

void
say_ready(const struct ipc_hello *hello)
{
	struct ipc_ready r;

	memset(&r, 0, sizeof(r));
	memcpy(r.build, hello->build, sizeof(r.build));
	r.layers = SBX_UID | SBX_CHROOT | SBX_NNP | SBX_RLIMIT | SBX_DUMPABLE | SBX_PDEATHSIG | SBX_CAPS |
	    SBX_LANDLOCK | SBX_SECCOMP;
	send_msg(IPC_READY, IPC_ID_NONE, &r, sizeof(r));
}

void
evil_stream(uint32_t id, uint32_t what)
{
	struct ipc_stream s;

	memset(&s, 0, sizeof(s));
	s.what = what;
	send_msg(IPC_STREAM, id, &s, sizeof(s));
}

int
next_msg(struct hdr *h, union evil_msg *u)
{
	for (;;) {
		get(h, sizeof(*h));
		must(h->len <= sizeof(u->buf));
		get(u->buf, h->len);
		generation = h->generation;
		if (h->type == IPC_HELLO)
			say_ready(&u->hello);
		else
			return h->type != IPC_STOP;
	}
}
