/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * Open hash table of numbers (slots of a recset) with their hashes.  What a number stands for is the caller's
 * business: walk with hash_next() and compare.  Removal leaves no gaps behind.
 */
struct hash_entry {
	uint32_t	slot;		/* + 1; 0 = free */
	uint32_t	hash;
};
struct hash {
	struct hash_entry *e;
	size_t		 size, n;	/* size is a power of two, or 0 */
};
#define HASH_NONE	UINT32_MAX

void	 hash_free(struct hash *h);
int	 hash_reserve(struct hash *h, size_t n);	/* room for n entries in all; 0 / -1 */
void	 hash_insert(struct hash *h, uint32_t hash, uint32_t slot);	/* room must have been reserved */
int	 hash_remove(struct hash *h, uint32_t hash, uint32_t slot);	/* 1 = was there */
/* Slots with this hash: *i starts at hash; HASH_NONE ends. */
static inline uint32_t
hash_next(const struct hash *h, uint32_t *i, uint32_t hash)
{
	const struct hash_entry *e;

	if (h->size == 0)
		return HASH_NONE;
	for (;;) {
		e = &h->e[(*i)++ & (h->size - 1)];
		if (e->slot == 0)
			return HASH_NONE;
		if (e->hash == hash)
			return e->slot - 1;
	}
}

#endif
