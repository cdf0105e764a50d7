/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "zframe.h"

#define MAGIC          0xfd2fb528u
#define MAGIC_SKIP     0x184d2a50u /* ..5f */
#define SINGLE_SEGMENT 0x20

static uint64_t
le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

static size_t
dict_len(uint8_t desc)
{
	static const size_t len[4] = { 0, 1, 2, 4 };

	return len[desc & 3];
}

static size_t
content_len(uint8_t desc)
{
	if (desc >> 6 == 0)
		return desc & SINGLE_SEGMENT ? 1 : 0;
	return (size_t)1 << (desc >> 6);
}

size_t
zframe_need(const uint8_t *p, size_t n)
{
	uint32_t magic;

	if (n < 4)
		return 4;
	magic = (uint32_t)le(p, 4);
	if ((magic & ~0xfu) == MAGIC_SKIP)
		return 8;
	if (magic != MAGIC)
		return 0;
	if (n < 5)
		return 5;
	return (p[4] & SINGLE_SEGMENT ? 5 : 6) + dict_len(p[4]) + content_len(p[4]);
}

void
zframe_parse(const uint8_t *p, struct zframe *z)
{
	const uint8_t *at = p + 5;
	uint8_t desc = p[4];
	size_t n;

	memset(z, 0, sizeof(*z));
	if ((uint32_t)le(p, 4) != MAGIC) {
		z->skippable = 1;
		z->content = le(p + 4, 4);
		z->hdr_len = 8;
		return;
	}
	if (!(desc & SINGLE_SEGMENT)) {
		z->window = (uint64_t)1 << (10 + (*at >> 3));
		z->window += (z->window >> 3) * (*at & 7);
		at++;
	}
	z->dict = (uint32_t)le(at, dict_len(desc));
	at += dict_len(desc);
	n = content_len(desc);
	z->content = n == 0 ? ZFRAME_UNKNOWN : le(at, n) + (n == 2 ? 256 : 0);
	if (desc & SINGLE_SEGMENT)
		z->window = z->content;
	z->hdr_len = (size_t)(at + n - p);
}

size_t
zframe_set_window(uint8_t p[ZFRAME_HDR_MAX], unsigned log)
{
	size_t rest = dict_len(p[4]) + content_len(p[4]);

	/* A content size of one byte exists only in single-segment frames, but those are never large. */
	p[4] = (uint8_t)(p[4] & ~SINGLE_SEGMENT);
	memmove(p + 6, p + 5, rest);
	p[5] = (uint8_t)((log - 10) << 3);
	return 6 + rest;
}
