/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "standing.h"

static int
same_addr(const struct ipc_addr *a, const struct ipc_addr *b)
{
	return a->family == b->family && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/* The place of an address on trial, or s->n. */
static unsigned
on_trial(const struct standings *s, const struct ipc_addr *a, unsigned port)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (s->e[i].port == port && same_addr(&s->e[i].addr, a))
			break;
	return i;
}

/* The entry to be overwritten: a free one, else the one that was used longest ago. */
static struct standing *
place(struct standings *s)
{
	struct standing *oldest = &s->e[0];
	unsigned i;

	if (s->n < STANDING_MAX)
		return &s->e[s->n++];
	for (i = 1; i < s->n; i++)
		if (s->e[i].last_ms < oldest->last_ms)
			oldest = &s->e[i];
	return oldest;
}

void
standing_given(struct standings *s, const struct ipc_addr *a, unsigned port, const void *owner, uint32_t attempt,
    uint64_t now_ms)
{
	unsigned i = on_trial(s, a, port);
	int known = i < s->n;
	struct standing *e = known ? &s->e[i] : place(s);

	if (!known)
		*e = (struct standing){ .addr = *a, .port = port, .first_ms = now_ms };
	e->owner = owner;
	e->attempt = attempt;
	e->last_ms = now_ms;
}

static void
off_trial(struct standings *s, unsigned i)
{
	s->e[i] = s->e[--s->n];
}

void
standing_proved(struct standings *s, const void *owner, uint32_t attempt)
{
	unsigned i;

	for (i = s->n; i-- > 0;)
		if (s->e[i].owner == owner && s->e[i].attempt == attempt)
			off_trial(s, i);
}

void
standing_proved_port(struct standings *s, const void *owner, unsigned port)
{
	unsigned i;

	for (i = s->n; i-- > 0;)
		if (s->e[i].owner == owner && s->e[i].port == port)
			off_trial(s, i);
}

/* 0 = nothing against it, else when it was used last, for the order. */
static uint64_t
rank(const struct standings *s, const struct ipc_addr *a, unsigned port, const void *owner, uint64_t now_ms)
{
	unsigned i = on_trial(s, a, port);

	if (i == s->n || (s->e[i].owner != owner && now_ms - s->e[i].first_ms < STANDING_PATIENCE_MS))
		return 0;
	return s->e[i].last_ms + 1;
}

void
standing_order(const struct standings *s, struct ipc_addr *a, unsigned n, unsigned port, const void *owner,
    uint64_t now_ms)
{
	struct ipc_addr x;
	uint64_t r;
	unsigned i, k;

	for (i = 1; i < n; i++) {
		x = a[i];
		r = rank(s, &x, port, owner, now_ms);
		for (k = i; k > 0 && rank(s, &a[k - 1], port, owner, now_ms) > r; k--)
			a[k] = a[k - 1];
		a[k] = x;
	}
}

unsigned
standing_others(const struct standings *s, struct ipc_addr *a, unsigned n, unsigned port)
{
	unsigned i, left = 0;

	for (i = 0; i < n; i++)
		if (on_trial(s, &a[i], port) == s->n)
			a[left++] = a[i];
	return left;
}
