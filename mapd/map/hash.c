/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "mem.h"

#define HASH_FIRST 64

void
hash_free(struct hash *h)
{
	free(h->e);
	memset(h, 0, sizeof(*h));
}

static void
place(struct hash *h, uint32_t hash, uint32_t slot1)
{
	size_t i = hash;

	while (hash_slot1(&h->e[i & (h->size - 1)]) != 0)
		i++;
	h->e[i & (h->size - 1)].w[0] = (uint16_t)slot1;
	h->e[i & (h->size - 1)].w[1] = (uint16_t)((slot1 >> 16 & 0xff) | (hash & 0xff) << 8);
	h->e[i & (h->size - 1)].w[2] = (uint16_t)(hash >> 8);
}

/* At most four fifths full. */
void
hash_reserve(struct hash *h, size_t n)
{
	struct hash old = *h;
	size_t size = old.size ? old.size : HASH_FIRST, i;

	if (n > HASH_MAX)
		mem_exhausted();
	while (size / 5 * 4 < n)
		size *= 2;
	if (size == old.size)
		return;
	h->e = xcalloc(size, sizeof(*h->e));
	h->size = size;
	for (i = 0; i < old.size; i++)
		if (hash_slot1(&old.e[i]) != 0)
			place(h, hash_bits(&old.e[i]), hash_slot1(&old.e[i]));
	free(old.e);
}

void
hash_insert(struct hash *h, uint32_t hash, uint32_t slot)
{
	hash_reserve(h, h->n + 1);
	place(h, hash, slot + 1);
	h->n++;
}

int
hash_remove(struct hash *h, uint32_t hash, uint32_t slot)
{
	size_t mask = h->size - 1, i = hash, gap, home;

	if (h->size == 0)
		return 0;
	for (;; i++) {
		if (hash_slot1(&h->e[i & mask]) == 0)
			return 0;
		if (hash_slot1(&h->e[i & mask]) == slot + 1 && hash_bits(&h->e[i & mask]) == (hash & HASH_BITS))
			break;
	}
	gap = i & mask;
	/* Entries that were pushed past the gap move back into it. */
	for (i = (gap + 1) & mask; hash_slot1(&h->e[i]) != 0; i = (i + 1) & mask) {
		home = hash_bits(&h->e[i]) & mask;
		if (((i - home) & mask) >= ((i - gap) & mask)) {
			h->e[gap] = h->e[i];
			gap = i;
		}
	}
	memset(&h->e[gap], 0, sizeof(h->e[gap]));
	h->n--;
	return 1;
}
