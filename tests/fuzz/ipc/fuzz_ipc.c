/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"
#include "ipc.h"
#include "codec.h"

/*
 * The dispatcher against a hostile other end (security.md 5.3).  The input is a little program, so that whole
 * messages are as likely as broken ones: first byte side, role and what handlers do; then operations, each { kind,
 * type, n }.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define GENERATION 5

struct hdr {
	uint16_t type, flags;
	uint32_t len, id, generation;
};

struct run {
	struct ipc *c;
	struct event_base *base;
	int raw;
	int closed, parent;
	int spite; /* the so-manieth handler call says -1, or frees */
	int frees;
	struct buf text;
	uint32_t total;
	volatile unsigned sum;
};

static int
handle(void *arg, const struct ipc_msg *m)
{
	struct run *r = arg;
	const struct ipc_row *row = ipc_row((unsigned)m->type);
	const uint8_t *p = m->payload;
	size_t i;

	/* what every handler relies on */
	if (row == NULL || m->len < row->head || m->len > row->max || (uintptr_t)p % 16 != 0)
		abort();
	if (row->len_off != 0 && ipc_row_tail(row, p) != m->len - row->head)
		abort();
	if ((row->fd == IPC_NOFD && m->fd != -1) || (row->fd == IPC_FD && m->fd == -1))
		abort();
	for (i = 0; i < row->size; i++)
		r->sum += p[i];
	if (m->fd != -1)
		close(m->fd);
	if (m->type == IPC_HOSTINFO || m->type == IPC_EVENT) {
		int rv = ipc_chunk_add(&r->text, &r->total, m->payload, 100000);

		if (rv == 1)
			buf_reset(&r->text);
		if (rv == -1)
			return -1;
	}
	if (m->type == IPC_LOG) {
		const struct ipc_log *l = m->payload;

		r->sum += (unsigned)ipc_text_ok(l->data, l->data_len, sizeof(l->data));
	}
	if (r->spite > 0 && --r->spite == 0) {
		if (!r->frees)
			return -1;
		ipc_free(r->c);
		r->c = NULL;
	}
	return 0;
}

static void
closed(void *arg, int violation, const char *why)
{
	struct run *r = arg;

	(void)violation;
	if (why == NULL || why[0] == '\0' || r->closed++)
		abort();
}

static void
turn(struct run *r)
{
	int i;

	for (i = 0; i < 4; i++)
		event_base_loop(r->base, EVLOOP_NONBLOCK);
}

static void
put(struct run *r, const void *p, size_t n, int nfds)
{
	char control[CMSG_SPACE(sizeof(int) * 3)];
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[3] = { 0, 0, 0 };

	if (n == 0)
		return;
	if (nfds > 0) {
		struct cmsghdr *cm;

		memset(control, 0, sizeof(control));
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * (size_t)nfds);
	}
	(void)!sendmsg(r->raw, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A message that conforms to its row, except for `bend`. */
static size_t
message(uint8_t *out, unsigned type, unsigned bend, const uint8_t *fill, size_t nfill)
{
	const struct ipc_row *row = ipc_row(type);
	struct hdr h = { .type = (uint16_t)type, .id = bend, .generation = GENERATION };
	size_t len = row != NULL ? row->head : 7, i;
	uint16_t tail;

	if (row != NULL && row->len_off != 0)
		len += nfill * 31 < row->max - row->head ? nfill * 31 : row->max - row->head;
	for (i = 0; i < len; i++)
		out[sizeof(h) + i] = nfill > 0 ? fill[i % nfill] : 0;
	if (row != NULL && row->len_off != 0) {
		tail = (uint16_t)(len - row->head);
		memcpy(out + sizeof(h) + row->len_off, &tail, sizeof(tail));
	}
	if (row != NULL && row->fd == IPC_FD)
		h.flags = 1;
	h.len = (uint32_t)len;
	switch (bend % 16) {
	case 1: h.len--; break;
	case 2: h.len++; break;
	case 3: h.len = UINT32_MAX; break;
	case 4: h.generation++; break;
	case 5: h.flags ^= 1; break;
	case 6: h.flags = 0x8000; break;
	default: break;
	}
	memcpy(out, &h, sizeof(h));
	return sizeof(h) + len;
}

/* op[1]: bit 0 one message from us, bit 1 many, bit 2 chunks, bit 3 the other end reads. */
static void
speak(struct run *r, const uint8_t *op, const uint8_t *fill, size_t nfill)
{
	static char text[70000], sink[65536];
	struct ipc_log log = { .level = 1 };
	struct ipc_empty none = { 0 };
	unsigned i;

	for (i = 0; i < sizeof(text); i++)
		text[i] = nfill > 0 ? (char)fill[i % nfill] : 'x';
	log.data_len = ipc_text_put(log.data, sizeof(log.data), text, op[2] * 3u);
	for (i = 0; r->c != NULL && i < ((op[1] & 2) != 0 ? 600u : op[1] & 1u); i++) {
		if (r->parent)
			(void)ipc_send(r->c, IPC_CA, i, &none, sizeof(none), dup(0));
		else
			(void)ipc_send(r->c, IPC_LOG, i, &log, offsetof(struct ipc_log, data) + log.data_len, -1);
	}
	for (i = 0; r->c != NULL && r->parent && (op[1] & 4) != 0 && i < ((op[1] & 2) != 0 ? 8u : 1u); i++)
		(void)ipc_send_chunks(r->c, IPC_HOSTINFO, 1, text, op[2] * 270u);
	if (r->c != NULL)
		ipc_flush(r->c, op[1] & 1);
	turn(r);
	if ((op[1] & 8) != 0)
		while (recv(r->raw, sink, sizeof(sink), MSG_DONTWAIT) > 0)
			turn(r);
	if (r->c != NULL)
		r->sum += (unsigned)ipc_queued(r->c) + (unsigned)ipc_type_name(op[2])[0];
}

static void
operate(struct run *r, const uint8_t *op, const uint8_t *fill, size_t nfill)
{
	uint8_t msg[sizeof(struct hdr) + IPC_MAX_MSG];
	const struct ipc_row *row = ipc_row(op[1]);
	size_t n, cut;

	switch (op[0] % 8) {
	case 0: /* bytes as they are */ put(r, fill, nfill, 0); break;
	case 1: /* another state */
		if (r->c != NULL)
			ipc_set_state(r->c, (enum ipc_state)(1 << op[1] % 3));
		break;
	case 2: /* our own end sends, if it may */ speak(r, op, fill, nfill); break;
	case 3: /* in two pieces */
		n = message(msg, op[1], op[2], fill, nfill);
		cut = op[2] < n ? op[2] : n;
		put(r, msg, cut, row != NULL && row->fd == IPC_FD);
		turn(r);
		put(r, msg + cut, n - cut, 0);
		break;
	default:
		n = message(msg, op[1], op[2], fill, nfill);
		put(r, msg, n, op[2] == 9 ? 0 : (row != NULL && row->fd == IPC_FD) + (op[2] == 7) + (op[2] == 8) * 2);
		break;
	}
	turn(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipc_handlers h;
	struct run r;
	size_t n;
	int sv[2], t;

	if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		return 0;
	memset(&r, 0, sizeof(r));
	memset(&h, 0, sizeof(h));
	for (t = 1; t < IPC_NTYPES; t++)
		h.on[t] = handle;
	h.closed = closed;
	r.base = event_base_new();
	r.raw = sv[1];
	r.parent = (data[0] & 1) == 0;
	r.spite = data[1] % 16;
	r.frees = data[1] >= 128;
	buf_init(&r.text, 100000);
	r.c = ipc_new(r.base, sv[0], data[0] & 1 ? IPC_CHILD_SIDE : IPC_PARENT_SIDE, data[0] & 2 ? IPC_MAPD : IPC_AUTHD,
	    data[0] & 4 ? 0 : GENERATION, &h, &r);
	ipc_set_state(r.c, (enum ipc_state)(1 << (data[0] >> 4) % 3));
	data += 2;
	size -= 2;
	while (size >= 4) {
		n = data[3] < size - 4 ? data[3] : size - 4;
		operate(&r, data, data + 4, n);
		data += 4 + n;
		size -= 4 + n;
	}
	close(r.raw);
	turn(&r);
	if (r.c != NULL && !r.closed)
		abort(); /* the end of the other side must show */
	ipc_free(r.c);
	event_base_free(r.base);
	buf_free(&r.text);
	return 0;
}
