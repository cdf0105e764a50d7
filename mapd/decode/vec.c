/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vec.h"

int
vec_grow(void *pp, size_t *cap, size_t n, size_t size)
{
	void *old, *mem;
	size_t want = *cap + *cap / 2;

	if (n <= *cap)
		return 0;
	if (want < n)
		want = n;
	if (want < 16)
		want = 16;
	memcpy(&old, pp, sizeof(old));
	if (want > SIZE_MAX / size || (mem = realloc(old, want * size)) == NULL)
		return -1;
	memcpy(pp, &mem, sizeof(mem));
	*cap = want;
	return 0;
}
