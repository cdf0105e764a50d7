/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "hash.h"

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

	while (h->e[i & (h->size - 1)].slot != 0)
		i++;
	h->e[i & (h->size - 1)] = (struct hash_entry){ slot1, hash };
}

/* At most four fifths full. */
int
hash_reserve(struct hash *h, size_t n)
{
	struct hash old = *h;
	size_t size = old.size ? old.size : HASH_FIRST, i;

	while (size / 5 * 4 < n)
		size *= 2;
	if (size == old.size)
		return 0;
	if ((h->e = calloc(size, sizeof(*h->e))) == NULL) {
		*h = old;
		return -1;
	}
	h->size = size;
	for (i = 0; i < old.size; i++)
		if (old.e[i].slot != 0)
			place(h, old.e[i].hash, old.e[i].slot);
	free(old.e);
	return 0;
}

void
hash_insert(struct hash *h, uint32_t hash, uint32_t slot)
{
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
		if (h->e[i & mask].slot == 0)
			return 0;
		if (h->e[i & mask].slot == slot + 1 && h->e[i & mask].hash == hash)
			break;
	}
	gap = i & mask;
	/* Entries that were pushed past the gap move back into it. */
	for (i = (gap + 1) & mask; h->e[i].slot != 0; i = (i + 1) & mask) {
		home = h->e[i].hash & mask;
		if (((i - home) & mask) >= ((i - gap) & mask)) {
			h->e[gap] = h->e[i];
			gap = i;
		}
	}
	h->e[gap] = (struct hash_entry){ 0, 0 };
	h->n--;
	return 1;
}
