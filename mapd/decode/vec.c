/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "mem.h"
#include "vec.h"

void
vec_grow(void *pp, size_t *cap, size_t n, size_t size)
{
	void *mem;
	size_t want = *cap + *cap / 2;

	if (n <= *cap)
		return;
	if (want < n)
		want = n;
	if (want < 16)
		want = 16;
	memcpy(&mem, pp, sizeof(mem));
	mem = xreallocarray(mem, want, size);
	memcpy(pp, &mem, sizeof(mem));
	*cap = want;
}
