/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "blake2s.h"

#define ROUNDS 10

/* RFC 7693 2.6: the initialisation vector, which is that of SHA-256. */
static const uint32_t iv[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
	0x5be0cd19 };

/* RFC 7693 2.7: which word of the message enters where. */
static const uint8_t sigma[ROUNDS][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static uint32_t
rotate(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint32_t
load(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* RFC 7693 3.1. */
static void
mix(uint32_t *v, unsigned a, unsigned b, unsigned c, unsigned d, uint32_t x, uint32_t y)
{
	v[a] += v[b] + x;
	v[d] = rotate(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 12);
	v[a] += v[b] + y;
	v[d] = rotate(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 7);
}

/* RFC 7693 3.2: one block. */
static void
compress(struct blake2s *s, int last)
{
	uint32_t v[16], m[16];
	unsigned i;

	memcpy(v, s->h, sizeof(s->h));
	memcpy(v + 8, iv, sizeof(iv));
	v[12] ^= (uint32_t)s->count;
	v[13] ^= (uint32_t)(s->count >> 32);
	if (last)
		v[14] = ~v[14];
	for (i = 0; i < 16; i++)
		m[i] = load(s->block + 4 * i);
	for (i = 0; i < ROUNDS; i++) {
		const uint8_t *g = sigma[i];

		mix(v, 0, 4, 8, 12, m[g[0]], m[g[1]]);
		mix(v, 1, 5, 9, 13, m[g[2]], m[g[3]]);
		mix(v, 2, 6, 10, 14, m[g[4]], m[g[5]]);
		mix(v, 3, 7, 11, 15, m[g[6]], m[g[7]]);
		mix(v, 0, 5, 10, 15, m[g[8]], m[g[9]]);
		mix(v, 1, 6, 11, 12, m[g[10]], m[g[11]]);
		mix(v, 2, 7, 8, 13, m[g[12]], m[g[13]]);
		mix(v, 3, 4, 9, 14, m[g[14]], m[g[15]]);
	}
	for (i = 0; i < 8; i++)
		s->h[i] ^= v[i] ^ v[i + 8];
}

void
blake2s_start(struct blake2s *s)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->h, iv, sizeof(iv));
	s->h[0] ^= 0x01010000 ^ BLAKE2S_LEN; /* no key; one chunk (RFC 7693 2.5) */
}

void
blake2s_add(struct blake2s *s, const void *p, size_t n)
{
	const uint8_t *in = p;

	while (n > 0) {
		size_t piece = BLAKE2S_BLOCK - s->fill;

		if (piece == 0) { /* more follows, so this block is not the last one */
			s->count += BLAKE2S_BLOCK;
			compress(s, 0);
			s->fill = 0;
			continue;
		}
		if (piece > n)
			piece = n;
		memcpy(s->block + s->fill, in, piece);
		s->fill += piece;
		in += piece;
		n -= piece;
	}
}

void
blake2s_end(struct blake2s *s, uint8_t out[BLAKE2S_LEN])
{
	unsigned i;

	s->count += s->fill;
	memset(s->block + s->fill, 0, BLAKE2S_BLOCK - s->fill);
	compress(s, 1);
	for (i = 0; i < BLAKE2S_LEN; i++)
		out[i] = (uint8_t)(s->h[i / 4] >> 8 * (i % 4));
}
