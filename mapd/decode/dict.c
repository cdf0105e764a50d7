/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "dict.h"
#include "fold.h"
#include "mem.h"
#include "names.h"
#include "pack.h"

#define TABLE_SIZE (PK_DICT_MAX * 2) /* power of two: at most half full */
#define SEEN_SIZE  4096              /* power of two */
#define DOMAINS    32                /* learnt when they are first seen */
#define TEXT_MAX   96                /* longer strings are rarely repeated and cost more to look at */

struct dict {
	unsigned n; /* strings; index 0 is none */
	unsigned domains;
	uint64_t seed[2];
	uint16_t table[TABLE_SIZE]; /* hash -> index */
	uint32_t off[PK_DICT_MAX + 1];
	uint32_t seen[SEEN_SIZE]; /* hashes of strings seen once */
	struct pb text;
};

static const char *const static_names[] = { NULL,
#define N(x)                              #x,
#define T(x, text)                        text,
#define F(member, name, type, none, kind) #member,
	NAMES(N, T) NETMAP_FIELDS(F)
#undef N
#undef T
#undef F
};

static inline uint64_t
load_upto8(const uint8_t *s, size_t n)
{
	uint64_t v = 0;
	uint32_t a, b;

	if (n >= 8) {
		memcpy(&v, s, 8);
		return v;
	}
	if (n >= 4) {
		memcpy(&a, s, 4);
		memcpy(&b, s + n - 4, 4);
		return (uint64_t)a << 32 | b;
	}
	if (n > 0)
		v = (uint64_t)s[0] << 16 | (uint64_t)s[n / 2] << 8 | s[n - 1];
	return v;
}

/* Seeded: a server that likes to choose colliding strings cannot. */
uint64_t
dict_hash(const struct dict *d, const uint8_t *s, size_t n)
{
	uint64_t h = d->seed[0] ^ n;

	for (; n > 16; s += 8, n -= 8)
		h = fold(h ^ load_upto8(s, 8), d->seed[1]);
	h = fold(h ^ load_upto8(s, n), d->seed[1]);
	if (n > 8)
		h = fold(h ^ load_upto8(s + n - 8, 8), d->seed[1]);
	h *= 0xbf58476d1ce4e5b9u; /* to all bits */
	return h ^ h >> 32;
}

const uint8_t *
dict_text(const struct dict *d, unsigned idx, size_t *n)
{
	if (idx == 0 || idx >= d->n) {
		*n = 0;
		return d->text.p;
	}
	*n = d->off[idx + 1] - d->off[idx];
	return d->text.p + d->off[idx];
}

/* The table's place of s, or the free place where it would be. */
static inline uint16_t *
place(const struct dict *d, const uint8_t *s, size_t n, uint64_t h)
{
	uint16_t *slot;
	size_t i = h & (TABLE_SIZE - 1);

	for (;; i = (i + 1) & (TABLE_SIZE - 1)) {
		slot = (uint16_t *)(uintptr_t)&d->table[i];
		if (*slot == 0)
			return slot;
		if (d->off[*slot + 1] - d->off[*slot] == n && memcmp(d->text.p + d->off[*slot], s, n) == 0)
			return slot;
	}
}

_Static_assert(NM_COUNT < PK_DICT_MAX, "the dictionary holds every name");

static unsigned
add(struct dict *d, uint16_t *slot, const uint8_t *s, size_t n)
{
	if (d->n >= PK_DICT_MAX)
		return 0;
	pb_put(&d->text, s, n);
	*slot = (uint16_t)d->n;
	d->off[d->n + 1] = (uint32_t)d->text.n;
	return d->n++;
}

struct dict *
dict_new(void)
{
	struct dict *d = xcalloc(1, sizeof(*d));
	unsigned i;
	size_t n;

	d->n = 1;
	arc4random_buf(d->seed, sizeof(d->seed));
	d->seed[1] |= 1;
	for (i = 1; i < NM_COUNT; i++) {
		const uint8_t *s = (const uint8_t *)static_names[i];

		n = strlen(static_names[i]);
		(void)add(d, place(d, s, n, dict_hash(d, s, n)), s, n); /* as index i */
	}
	return d;
}

void
dict_free(struct dict *d)
{
	if (d == NULL)
		return;
	pb_free(&d->text);
	free(d);
}

unsigned
dict_find(const struct dict *d, const uint8_t *s, size_t n)
{
	if (n == 0 || n > TEXT_MAX)
		return 0;
	return *place(d, s, n, dict_hash(d, s, n));
}

static unsigned
learn(struct dict *d, const uint8_t *s, size_t n, int at_once)
{
	uint16_t *slot;
	uint64_t h;
	uint32_t *seen;

	if (n == 0 || n > TEXT_MAX)
		return 0;
	h = dict_hash(d, s, n);
	slot = place(d, s, n, h);
	if (*slot != 0)
		return *slot;
	seen = &d->seen[h >> 40 & (SEEN_SIZE - 1)];
	if (!at_once && *seen != (uint32_t)h) {
		*seen = (uint32_t)h;
		return 0;
	}
	return add(d, slot, s, n);
}

unsigned
dict_learn(struct dict *d, const uint8_t *s, size_t n)
{
	return learn(d, s, n, 0);
}

unsigned
dict_learn_domain(struct dict *d, const uint8_t *s, size_t n)
{
	unsigned idx = learn(d, s, n, d->domains < DOMAINS), new = idx != 0 && idx + 1 == d->n;

	d->domains += new;
	return idx;
}

size_t
dict_bytes(const struct dict *d)
{
	return sizeof(*d) + d->text.cap;
}
