/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "mem.h"

#define BUF_FIRST 256

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void
buf_free(struct buf *b)
{
	size_t max = b->max;

	free(b->mem);
	buf_init(b, max);
}

void
buf_reset(struct buf *b)
{
	b->off = b->end = 0;
	b->failed = 0;
}

static int
buf_fail(struct buf *b, int err)
{
	b->failed = 1;
	errno = err;
	return -1;
}

static void
buf_pull(struct buf *b)
{
	if (b->off == 0)
		return;
	memmove(b->mem, b->mem + b->off, buf_len(b));
	b->end -= b->off;
	b->off = 0;
}

/* Room for n more bytes and, for vsnprintf, one that is never counted. */
static int
buf_room(struct buf *b, size_t n)
{
	size_t len = buf_len(b), want;
	uint8_t *mem;

	if (n > b->max || len > b->max - n || len + n == SIZE_MAX)
		return buf_fail(b, ENOBUFS);
	if (b->cap - b->end > n)
		return 0;
	/*
	 * Move only when the free space in front has at least the size of the contents: appends stay O(1) on average.
	 */
	if (b->off >= len && b->cap - len > n) {
		buf_pull(b);
		return 0;
	}
	want = b->cap + b->cap / 2;
	if (want < len + n + 1)
		want = len + n + 1;
	if (want < BUF_FIRST)
		want = BUF_FIRST;
	buf_pull(b);
	if ((mem = realloc(b->mem, want)) == NULL) {
		(void)mem_failed();
		return buf_fail(b, ENOMEM);
	}
	b->mem = mem;
	b->cap = want;
	return 0;
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	if (buf_room(b, n) == -1)
		return NULL;
	return b->mem + b->end;
}

void
buf_commit(struct buf *b, size_t n)
{
	if (n > b->cap - b->end)
		abort();
	b->end += n;
}

int
buf_put(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return 0;
	if (buf_room(b, n) == -1)
		return -1;
	memcpy(b->mem + b->end, p, n);
	b->end += n;
	return 0;
}

int
buf_puts(struct buf *b, const char *s)
{
	return buf_put(b, s, strlen(s));
}

int
buf_putc(struct buf *b, char c)
{
	return buf_put(b, &c, 1);
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	char tmp[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	if (n < 0)
		return buf_fail(b, EINVAL);
	if ((size_t)n < sizeof(tmp))
		return buf_put(b, tmp, (size_t)n);
	if (buf_room(b, (size_t)n) == -1)
		return -1;
	va_start(ap, fmt);
	vsnprintf((char *)b->mem + b->end, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->end += (size_t)n;
	return 0;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n > buf_len(b))
		abort();
	b->off += n;
	if (b->off == b->end)
		b->off = b->end = 0;
}

void
buf_shrink(struct buf *b)
{
	uint8_t *mem;

	if (buf_len(b) == 0) {
		free(b->mem);
		b->mem = NULL;
		b->off = b->end = b->cap = 0;
		return;
	}
	buf_pull(b);
	if ((mem = realloc(b->mem, b->end)) != NULL) {
		b->mem = mem;
		b->cap = b->end;
	}
}
