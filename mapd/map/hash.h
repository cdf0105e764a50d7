/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * Open hash table of numbers (slots of a recset) with their hashes.  The caller knows what a
 * number means: walk with hash_next() and compare.  Removal leaves no gaps behind.
 */
struct hash_entry {			/* 24 bits each, six bytes for both: there are four for each peer */
	uint16_t	w[3];		/* slot + 1 (0 = free), hash */
};
struct hash {
	struct hash_entry *e;
	size_t		 size, n;	/* size is a power of two, or 0 */
};
#define HASH_NONE	UINT32_MAX
#define HASH_BITS	0xffffffu	/* of a hash that count, and the most places there may be */
static inline uint32_t
hash_slot1(const struct hash_entry *e)
{
	return e->w[0] | (uint32_t)(e->w[1] & 0xff) << 16;
}
static inline uint32_t
hash_bits(const struct hash_entry *e)
{
	return (uint32_t)e->w[1] >> 8 | (uint32_t)e->w[2] << 8;
}

#define HASH_MAX	(HASH_BITS / 2)	/* entries; a caller checks a number that a server chooses before */

void	 hash_free(struct hash *h);
void	 hash_reserve(struct hash *h, size_t n);	/* room for n entries in all, at most HASH_MAX */
void	 hash_insert(struct hash *h, uint32_t hash, uint32_t slot);
int	 hash_remove(struct hash *h, uint32_t hash, uint32_t slot);	/* 1 = removed, 0 = there was none */
/* Slots with this hash: *i starts at hash; HASH_NONE ends. */
static inline uint32_t
hash_next(const struct hash *h, uint32_t *i, uint32_t hash)
{
	const struct hash_entry *e;

	if (h->size == 0)
		return HASH_NONE;
	for (;;) {
		e = &h->e[(*i)++ & (h->size - 1)];
		if (hash_slot1(e) == 0)
			return HASH_NONE;
		if (hash_bits(e) == (hash & HASH_BITS))
			return hash_slot1(e) - 1;
	}
}

#endif
