/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef FOLD_H
#define FOLD_H

#include <stdint.h>

/*
 * The step of every hash of what the server chooses: both halves of the product with a secret, one on the other.
 * A product of 64 bits is not enough, secret or not: with it, a difference in the highest bit stays one whatever the
 * seed is, and the next word can take it back.
 */
static inline uint64_t
fold(uint64_t v, uint64_t secret)
{
#ifdef __SIZEOF_INT128__
	__extension__ typedef unsigned __int128 wide;
	wide p = (wide)v * secret;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
#else
	uint64_t vl = v & 0xffffffffu, vh = v >> 32, sl = secret & 0xffffffffu, sh = secret >> 32;
	uint64_t low = vl * sl, a = vh * sl + (low >> 32), b = vl * sh + (a & 0xffffffffu);

	return (b << 32 | (low & 0xffffffffu)) ^ (vh * sh + (a >> 32) + (b >> 32));
#endif
}

#endif
