/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>

#include "lex.h"

struct pv
member_text(const struct parser *ps, const struct parse_member *m)
{
	const uint8_t *s = ps->out.p + m->at;
	struct pv t;

	if (m->name != 0) {
		t.p = dict_text(ps->dict, m->name, &t.n);
		return t;
	}
	s++;
	t.n = (size_t)pk_varint(&s);
	t.p = s;
	return t;
}

struct sort_key {
	uint64_t hash;
	uint32_t index;
};

static int
by_hash(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

#define FEW 12 /* so many are compared one by one */

static int
mark_few(struct parser *ps, size_t from, size_t n)
{
	size_t i, k;
	int found = 0;

	for (i = 0; i + 1 < n; i++) {
		struct pv a = member_text(ps, &ps->stack[from + i]);

		for (k = i + 1; k < n; k++) {
			if (!pv_equal(a, member_text(ps, &ps->stack[from + k])))
				continue;
			ps->stack[from + i].value = 0;
			found = 1;
			break;
		}
	}
	return found;
}

/* Mark with value = 0 every member that comes again further on.  1 = there are some, -1 = out of memory. */
static int
mark_repeated(struct parser *ps, size_t from, size_t n)
{
	struct sort_key *k;
	struct pv a, b;
	size_t i;
	int found = 0;

	if (n <= FEW)
		return mark_few(ps, from, n);
	if ((k = malloc(n * sizeof(*k))) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		a = member_text(ps, &ps->stack[from + i]);
		k[i].hash = dict_hash(ps->dict, a.p, a.n);
		k[i].index = (uint32_t)i;
	}
	qsort(k, n, sizeof(*k), by_hash);
	for (i = 0; i + 1 < n; i++) {
		if (k[i].hash != k[i + 1].hash)
			continue;
		a = member_text(ps, &ps->stack[from + k[i].index]);
		b = member_text(ps, &ps->stack[from + k[i + 1].index]);
		if (pv_equal(a, b)) {
			ps->stack[from + k[i].index].value = 0;
			found = 1;
		}
	}
	free(k);
	return found;
}

/* D15: of members with one name the last wins. */
enum parse_result
drop_repeated(struct parser *ps, size_t from)
{
	size_t i, w = from;
	uint32_t to, len;

	switch (mark_repeated(ps, from, ps->nstack - from)) {
	case -1: return parse_fail(ps, "out of memory");
	case 0: return PARSE_OK;
	}
	to = ps->stack[from].at;
	for (i = from; i < ps->nstack; i++) {
		struct parse_member m = ps->stack[i];

		if (m.value == 0)
			continue;
		len = m.end - m.at;
		memmove(ps->out.p + to, ps->out.p + m.at, len);
		m.value -= m.at - to;
		m.at = to;
		m.end = to + len;
		to += len;
		ps->stack[w++] = m;
	}
	ps->nstack = w;
	ps->out.n = to;
	return PARSE_OK;
}
