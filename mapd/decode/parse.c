/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "lex.h"
#include "mem.h"
#include "vec.h"

static enum parse_result value(struct parser *ps, enum type_id t, int top);

void
parser_init(struct parser *ps, struct dict *d)
{
	memset(ps, 0, sizeof(*ps));
	ps->dict = d;
}

void
parser_free(struct parser *ps)
{
	pb_free(&ps->out);
	pb_free(&ps->scratch);
	free(ps->stack);
	memset(ps, 0, sizeof(*ps));
}

void
parse_path(struct parser *ps, const char *fmt, ...)
{
	char rest[sizeof(ps->path)], *c;
	va_list ap;
	int n;

	memcpy(rest, ps->path, sizeof(rest));
	va_start(ap, fmt);
	n = vsnprintf(ps->path, sizeof(ps->path), fmt, ap);
	va_end(ap);
	for (c = ps->path; *c != '\0'; c++)
		if ((uint8_t)*c < 0x20 || (uint8_t)*c >= 0x7f)
			*c = '?';
	if (n >= 0 && (size_t)n < sizeof(ps->path))
		snprintf(ps->path + n, sizeof(ps->path) - (size_t)n, "%s", rest);
}

/* --- names that occur twice in an object --- */

/* Text of a member's name, however it is packed. */
static struct pv
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

#define FEW 12 /* up to this number names are compared in pairs */

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

/* Mark with value = 0 every member whose name occurs again further on.  1 = there are some. */
static int
mark_repeated(struct parser *ps, size_t from, size_t n)
{
	struct sort_key *k;
	struct pv a, b;
	size_t i;
	int found = 0;

	if (n <= FEW)
		return mark_few(ps, from, n);
	k = xreallocarray(NULL, n, sizeof(*k));
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

/* Of the members from `from` of the stack on, which end what is packed, leave only the last of each name (D15). */
static void
drop_repeated(struct parser *ps, size_t from)
{
	size_t i, w = from;
	uint32_t to, len;

	if (!mark_repeated(ps, from, ps->nstack - from))
		return;
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
}

/* --- objects --- */

unsigned
parse_member_name(const struct parser *ps, const uint8_t *members, const uint8_t *s, size_t n)
{
	unsigned i = dict_find(ps->dict, s, n);
	const uint8_t *text;
	size_t len;

	if (i > 0 && i < NM_COUNT && members[i] != TY_NONE)
		return i;
	for (i = 1; i < NM_COUNT; i++) {
		if (members[i] == TY_NONE)
			continue;
		text = dict_text(ps->dict, i, &len);
		if (len == n && (text[0] | 0x20) == (s[0] | 0x20) &&
		    strncasecmp((const char *)text, (const char *)s, n) == 0)
			return i;
	}
	return NM_NONE;
}

static inline enum parse_result
colon(struct parser *ps, struct parse_member *m)
{
	parse_space(ps);
	if (*ps->p != ':')
		return parse_ended(ps, "no colon behind a name");
	ps->p++;
	m->value = (uint32_t)ps->out.n;
	return PARSE_OK;
}

/* Peers are similar: the name at this position in the previous peer is probably next.  Its index, or 0. */
static inline unsigned
guessed_name(struct parser *ps, const struct schema_type *jt, unsigned guess)
{
	const uint8_t *text;
	size_t n;

	if (guess == 0 || *ps->p != '"' || jt->kind == JK_INTMAP ||
	    (jt->kind == JK_OBJ && (guess >= NM_COUNT || jt->members[guess] == TY_NONE)))
		return 0;
	text = dict_text(ps->dict, guess, &n);
	if (n == 0 || (size_t)(ps->end - ps->p) < n + 2 || ps->p[n + 1] != '"' || memcmp(ps->p + 1, text, n) != 0)
		return 0;
	ps->p += n + 2;
	return guess;
}

/*
 * The name and colon; *t becomes the type of the value.  The name is packed; its index is in m->name, 0 = it has
 * none.
 */
static enum parse_result
member_name(struct parser *ps, const struct schema_type *jt, struct parse_member *m, enum type_id *t, uint16_t *guess)
{
	enum parse_result r;
	const uint8_t *s;
	int64_t whole;
	size_t n;
	unsigned idx;

	parse_space(ps);
	m->at = (uint32_t)ps->out.n;
	if ((idx = guessed_name(ps, jt, *guess)) != 0) {
		*t = jt->kind == JK_ANY ? TY_ANY : (enum type_id)(jt->kind == JK_OBJ ? jt->members[idx] : jt->elem);
		m->name = idx;
		pk_name_put(&ps->out, idx);
		return colon(ps, m);
	}
	if ((r = parse_string(ps, &s, &n)) != PARSE_OK)
		return r;
	*t = jt->kind == JK_ANY ? TY_ANY : (enum type_id)jt->elem;
	if (jt->kind == JK_OBJ) {
		idx = parse_member_name(ps, jt->members, s, n);
		*t = idx == NM_NONE ? TY_ANY : (enum type_id)jt->members[idx];
	} else if (jt->kind == JK_INTMAP && !lex_whole_number(s, n, &whole))
		return parse_fail(ps, "name is not a whole number");
	if (idx == 0 && jt->kind != JK_INTMAP)
		idx = ps->learn ? dict_learn(ps->dict, s, n) : dict_find(ps->dict, s, n);
	m->name = idx;
	*guess = (uint16_t)idx;
	if (idx != 0)
		pk_name_put(&ps->out, idx);
	else
		pk_name_text(&ps->out, s, n);
	return colon(ps, m);
}

static void
push_member(struct parser *ps, const struct parse_member *m)
{
	vec_grow(&ps->stack, &ps->stackcap, ps->nstack + 1, sizeof(*ps->stack));
	ps->stack[ps->nstack++] = *m;
}

static void
name_error(struct parser *ps, const struct parse_member *m)
{
	struct pv t = member_text(ps, m);

	parse_path(ps, ".%.*s", t.n > 40 ? 40 : (int)t.n, (const char *)t.p);
}

/* Limits that cost an item, not the message. */
static int
over_limit(const struct schema_type *jt, const struct parse_member *m, size_t count)
{
	if (jt->max != 0 && count >= jt->max)
		return 1;
	return jt->kind == JK_MAP && jt->elem == TY_CAPVALUES && m->end - m->value > PARSE_CAPVALUE;
}

static enum parse_result
members(struct parser *ps, const struct schema_type *jt, size_t from, int *maybe)
{
	uint64_t seen[4] = { 0 };
	struct parse_member m;
	enum parse_result r;
	enum type_id t;
	uint16_t *guess = &ps->guess[PK_DICT_MAX + (jt - schema_types)];

	for (;;) {
		if ((r = member_name(ps, jt, &m, &t, guess)) != PARSE_OK)
			return r;
		guess = &ps->guess[m.name];
		if ((r = value(ps, t, 0)) != PARSE_OK) {
			if (r == PARSE_BAD)
				name_error(ps, &m);
			return r;
		}
		m.end = (uint32_t)ps->out.n;
		if (over_limit(jt, &m, ps->nstack - from)) {
			ps->out.n = m.at;
			ps->dropped++;
		} else {
			uint64_t bit = (uint64_t)1 << (m.name & 63), *word = &seen[m.name >> 6 & 3];

			/* An id says it all for names of the schema; others are sorted out at the end. */
			if (m.name == 0 || m.name >= NM_COUNT || (*word & bit))
				*maybe = 1;
			*word |= bit;
			push_member(ps, &m);
		}
		parse_space(ps);
		if (*ps->p == '}')
			return PARSE_OK;
		if (*ps->p != ',')
			return parse_ended(ps, "no comma between members");
		ps->p++;
	}
}

static enum parse_result
object(struct parser *ps, const struct schema_type *jt, int top)
{
	size_t from = ps->nstack;
	enum parse_result r;
	int maybe = 0;

	ps->p++;
	pb_byte(&ps->out, PK_OBJ);
	parse_space(ps);
	if (*ps->p != '}') {
		if ((r = members(ps, jt, from, &maybe)) != PARSE_OK)
			return r;
		if (maybe && ps->nstack - from > 1)
			drop_repeated(ps, from);
	}
	ps->p++;
	pb_byte(&ps->out, PK_END);
	if (top) {
		ps->ntop = ps->nstack - from;
		ps->top = ps->ntop > 0 ? ps->stack + from : NULL;
	}
	ps->nstack = from;
	return PARSE_OK;
}

static enum parse_result
array(struct parser *ps, const struct schema_type *jt)
{
	enum type_id t = jt->kind == JK_ANY ? TY_ANY : (enum type_id)jt->elem;
	enum parse_result r;
	size_t at, n = 0;

	ps->p++;
	pb_byte(&ps->out, PK_ARR);
	parse_space(ps);
	if (*ps->p == ']') {
		ps->p++;
		pb_byte(&ps->out, PK_END);
		return PARSE_OK;
	}
	for (;; n++) {
		at = ps->out.n;
		if ((r = value(ps, t, 0)) != PARSE_OK) {
			if (r == PARSE_BAD)
				parse_path(ps, "[%zu]", n);
			return r;
		}
		if (schema_types[t].kind == JK_STR && ps->out.p[at] == PK_NULL)
			ps->out.p[at] = PK_SHORT; /* as Go reads it: an empty string */
		if (jt->max != 0 && n >= jt->max) {
			ps->out.n = at;
			ps->dropped++;
		}
		parse_space(ps);
		if (*ps->p == ']')
			break;
		if (*ps->p != ',')
			return parse_ended(ps, "no comma between elements");
		ps->p++;
	}
	ps->p++;
	pb_byte(&ps->out, PK_END);
	return PARSE_OK;
}

static enum parse_result
value(struct parser *ps, enum type_id t, int top)
{
	const struct schema_type *jt = &schema_types[t];
	enum schema_kind k = (enum schema_kind)jt->kind;
	enum parse_result r;

	parse_space(ps);
	if (++ps->values > PARSE_VALUES)
		return parse_limit(ps, "too many values");
	switch (*ps->p) {
	case '"': return lex_string(ps, k);
	case '{':
	case '[':
		if (k != JK_ANY && (k == JK_ARR) != (*ps->p == '['))
			return parse_fail(ps, kind_error(k));
		if (k != JK_ANY && k < JK_OBJ)
			return parse_fail(ps, kind_error(k));
		if (ps->depth >= PARSE_DEPTH)
			return parse_limit(ps, "nested too deeply");
		ps->depth++;
		r = *ps->p == '{' ? object(ps, jt, top) : array(ps, jt);
		ps->depth--;
		return r;
	case 't':
	case 'f':
	case 'n': return lex_literal(ps, k);
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9': return lex_number(ps, k);
	default: return parse_ended(ps, "not JSON");
	}
}

enum parse_result
parse_value(struct parser *ps, enum type_id t)
{
	size_t at = ps->out.n;
	unsigned depth = ps->depth;
	enum parse_result r;

	ps->values = 0;
	ps->nstack = ps->ntop = 0;
	ps->why = NULL;
	r = value(ps, t, 1);
	if (r == PARSE_OK && ps->p > ps->end)
		r = PARSE_MORE;
	if (r != PARSE_OK) {
		ps->out.n = at;
		ps->depth = depth;
	}
	return r;
}
