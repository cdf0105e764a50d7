/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "buf.h"
#include "codec.h"
#include "ipc.h"
#include "text.h"
#include "utf8.h"

/* The words of the list in msgs.h. */
enum { A = 1 << IPC_AUTHD, M = 1 << IPC_MAPD, AM = A | M };
enum { START = IPC_S_START, IDLE = IPC_S_IDLE, BUSY = IPC_S_BUSY };
#define P2C           IPC_P2C
#define C2P           IPC_C2P
#define NOFD          IPC_NOFD
#define FD            IPC_FD
#define OPTFD         IPC_OPTFD
#define SIZE_EXACT(t) .head = sizeof(t), .max = sizeof(t), .size = sizeof(t), .len_off = 0
#define SIZE_TAIL(t) \
	.head = offsetof(t, data), .max = offsetof(t, data) + sizeof(((t *)0)->data), .size = sizeof(t), \
	.len_off = offsetof(t, data_len)

enum { PLAIN, SECRET };

static const struct ipc_row rows[IPC_NTYPES] = {
#define X(n, h, d, r, f, s, t, sec, st) \
	[IPC_##n] = { .name = #n, .dir = d, .roles = r, .fd = f, SIZE_##s(t), .secret = sec, .states = st },
	IPC_MESSAGES(X)
#undef X
};

#define X(n, h, d, r, f, s, t, ...) \
	_Static_assert(sizeof(t) + 16 <= IPC_MAX_MSG, #n " is longer than a message may be");
IPC_MESSAGES(X)
#undef X

const struct ipc_row *
ipc_row(unsigned type)
{
	return type > IPC_NONE && type < IPC_NTYPES ? &rows[type] : NULL;
}

size_t
ipc_row_tail(const struct ipc_row *r, const void *payload)
{
	uint16_t n;

	memcpy(&n, (const char *)payload + r->len_off, sizeof(n));
	return n;
}

int
ipc_type_secret(unsigned type)
{
	const struct ipc_row *r = ipc_row(type);

	return r != NULL && r->secret;
}

const char *
ipc_type_name(enum ipc_type t)
{
	const struct ipc_row *r = ipc_row((unsigned)t);

	return r != NULL ? r->name : "?";
}

size_t
ipc_head_len(enum ipc_type t)
{
	const struct ipc_row *r = ipc_row((unsigned)t);

	return r != NULL ? r->head : 0;
}

uint16_t
ipc_text_put(char *dst, size_t cap, const char *s, size_t n)
{
	if (cap > UINT16_MAX)
		cap = UINT16_MAX;
	n = utf8_cut(s, n, cap);
	if (n > 0)
		memcpy(dst, s, n);
	return (uint16_t)n;
}

int
ipc_text_ok(const char *s, uint16_t len, size_t cap)
{
	return len <= cap && text_is_plain(s, len);
}

void
ipc_text_get(const char *s, uint16_t len, char *dst, size_t cap)
{
	size_t n = len < cap ? len : cap - 1;

	memcpy(dst, s, n);
	dst[n] = '\0';
}

int
ipc_chunk_add(struct buf *b, uint32_t *total, const struct ipc_chunk *m, size_t max)
{
	size_t have = buf_len(b);

	if (m->data_len > sizeof(m->data) || m->off != have || m->total > max)
		return -1;
	if (have == 0)
		*total = m->total;
	if (m->total != *total || m->data_len > m->total - have || (m->data_len == 0 && m->total != 0))
		return -1;
	if (buf_put(b, m->data, m->data_len) == -1)
		return -1;
	return buf_len(b) == m->total;
}
