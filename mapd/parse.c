/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "parse.h"

#define MANY_MEMBERS 64 /* objects with more are searched for repeated names by sorting */

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

/* The window ends here: more text may make it right, unless the byte is a NUL that stands in the text. */
static enum parse_result
ended(struct parser *ps, const char *why)
{
	return ps->p >= ps->end ? PARSE_MORE : parse_fail(ps, why);
}

/* --- strings --- */

/* From s, the first byte that is a quote, a backslash, a control character or not ASCII. */
static inline const uint8_t *
plain_run(const uint8_t *s)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), back = _mm_set1_epi8('\\'), low = _mm_set1_epi8(0x20);
	unsigned mask;

	for (;; s += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)s);
		__m128i m = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, back)), _mm_cmplt_epi8(v, low));

		if ((mask = (unsigned)_mm_movemask_epi8(m)) != 0)
			return s + __builtin_ctz(mask);
	}
#else
	while (*s != '"' && *s != '\\' && *s >= 0x20 && *s < 0x80)
		s++;
	return s;
#endif
}

/* p stands behind the opening quote; afterwards behind the closing one.  plain: nothing to unescape. */
static inline enum parse_result
raw_string(struct parser *ps, const uint8_t **s, size_t *n, int *plain)
{
	const uint8_t *from = ps->p, *q = from;

	*plain = 1;
	for (;;) {
		q = plain_run(q);
		if (*q == '"')
			break;
		if (*q >= 0x80) {
			*plain = 0;
			q++;
		} else if (*q == '\\') {
			*plain = 0;
			if (q + 1 >= ps->end)
				return PARSE_MORE;
			q += 2;
		} else {
			ps->p = q;
			return ended(ps, "control character in a string");
		}
	}
	if (q >= ps->end)
		return PARSE_MORE;
	*s = from;
	*n = (size_t)(q - from);
	ps->p = q + 1;
	return PARSE_OK;
}

static enum parse_result
clean_string(struct parser *ps, const uint8_t **s, size_t *n)
{
	enum parse_result r;
	int plain;

	if ((r = raw_string(ps, s, n, &plain)) != PARSE_OK)
		return r;
	if (*n > PARSE_STRING)
		return parse_fail(ps, "string too long");
	if (plain)
		return PARSE_OK;
	ps->scratch.n = 0;
	if (recode_string(&ps->scratch, *s, *n) == -1)
		return parse_fail(ps, ps->scratch.oom ? "out of memory" : "bad escape in a string");
	*s = ps->scratch.p;
	*n = ps->scratch.n;
	return PARSE_OK;
}

enum parse_result
parse_string(struct parser *ps, const uint8_t **s, size_t *n)
{
	parse_space(ps);
	if (*ps->p != '"')
		return ended(ps, "not a string");
	ps->p++;
	return clean_string(ps, s, n);
}

/* A string of any content: named by the dictionary, as hex, or as it is. */
static void
put_string(struct parser *ps, const uint8_t *s, size_t n)
{
	unsigned idx;

	if (n < 2) {
		pb_str(&ps->out, s, n);
		return;
	}
	if (scalar_hex(&ps->out, s, n))
		return;
	idx = ps->learn ? dict_learn(ps->dict, s, n) : dict_find(ps->dict, s, n);
	if (idx != 0) {
		pb_byte(&ps->out, (uint8_t)(PK_DICT0 + (idx >> 8)));
		pb_byte(&ps->out, (uint8_t)idx);
		return;
	}
	pb_str(&ps->out, s, n);
}

static const char *
kind_error(enum schema_kind k)
{
	static const char *const text[] = {
		[JK_ANY] = "not a value", [JK_STR] = "not a string", [JK_BOOL] = "not true or false", [JK_I64] = "not a whole number",
		[JK_U64] = "not a whole number", [JK_U16] = "not a number of 16 bits", [JK_F64] = "not a number", [JK_TIME] = "not a time",
		[JK_PFX] = "not an address prefix", [JK_IP] = "not an address", [JK_ENDPOINT] = "not an address with port",
		[JK_NODEKEY] = "not a node key", [JK_MKEY] = "not a machine key", [JK_DISCO] = "not a disco key", [JK_B64] = "not base64",
		[JK_OBJ] = "not an object", [JK_ARR] = "not an array", [JK_MAP] = "not an object", [JK_INTMAP] = "not an object",
	};

	return text[k];
}

static enum parse_result
string_value(struct parser *ps, enum schema_kind k)
{
	enum parse_result r;
	const uint8_t *s;
	size_t n;

	ps->p++;
	if ((r = clean_string(ps, &s, &n)) != PARSE_OK)
		return r;
	switch (k) {
	case JK_ANY:
	case JK_STR: put_string(ps, s, n); return PARSE_OK;
	case JK_TIME:
	case JK_PFX:
	case JK_IP:
	case JK_ENDPOINT:
	case JK_NODEKEY:
	case JK_MKEY:
	case JK_DISCO:
	case JK_B64: return scalar_pack(&ps->out, k, s, n) == 0 ? PARSE_OK : parse_fail(ps, kind_error(k));
	default: return parse_fail(ps, kind_error(k));
	}
}

/* --- numbers and literals --- */

static inline int
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Past the number at p by JSON's grammar; *whole: no fraction or exponent.  NULL: not a number. */
static const uint8_t *
number_end(const uint8_t *q, int *whole)
{
	*whole = 1;
	if (*q == '-')
		q++;
	if (!is_digit(*q))
		return NULL;
	if (*q == '0')
		q++;
	else
		while (is_digit(*q))
			q++;
	if (*q == '.') {
		*whole = 0;
		if (!is_digit(*++q))
			return NULL;
		while (is_digit(*q))
			q++;
	}
	if (*q == 'e' || *q == 'E') {
		*whole = 0;
		q++;
		if (*q == '+' || *q == '-')
			q++;
		if (!is_digit(*q))
			return NULL;
		while (is_digit(*q))
			q++;
	}
	return q;
}

/* v = the digits; 0 if they don't fit into 64 bits. */
static int
digits_u64(const uint8_t *s, const uint8_t *end, uint64_t *v)
{
	*v = 0;
	if (end - s > 20)
		return 0;
	for (; s < end; s++) {
		if (*v > (UINT64_MAX - (uint64_t)(*s - '0')) / 10)
			return 0;
		*v = *v * 10 + (uint64_t)(*s - '0');
	}
	return 1;
}

static int
f64_fits(const uint8_t *s, size_t n)
{
	char tmp[512];

	if (n < 300 && memchr(s, 'e', n) == NULL && memchr(s, 'E', n) == NULL)
		return 1;
	if (n >= sizeof(tmp))
		return 0;
	memcpy(tmp, s, n);
	tmp[n] = '\0';
	return isfinite(strtod(tmp, NULL));
}

static int
number_fits(enum schema_kind k, const uint8_t *s, const uint8_t *end, int whole, uint64_t v, int fits)
{
	int neg = *s == '-';

	switch (k) {
	case JK_ANY: return 1;
	case JK_F64: return f64_fits(s, (size_t)(end - s));
	case JK_I64: return whole && fits && v <= (uint64_t)INT64_MAX + (uint64_t)neg;
	case JK_U64: return whole && fits && !neg;
	case JK_U16: return whole && fits && !neg && v <= 65535;
	default: return 0;
	}
}

static enum parse_result
number(struct parser *ps, enum schema_kind k)
{
	const uint8_t *s = ps->p, *end;
	int whole, fits;
	uint64_t v = 0;

	end = number_end(s, &whole);
	if (end == NULL || end >= ps->end) {
		/* Only a byte behind a number shows that it is whole; inside a message there always is one. */
		while (is_digit(*ps->p) || (*ps->p != 0 && strchr("+-.eE", *ps->p) != NULL))
			ps->p++;
		return ended(ps, "bad number");
	}
	fits = whole && digits_u64(s + (*s == '-'), end, &v);
	if (!number_fits(k, s, end, whole, v, fits))
		return parse_fail(ps, kind_error(k));
	if (!fits || *s == '-' || v > INT64_MAX) {
		pb_byte(&ps->out, PK_NUM);
		pb_varint(&ps->out, (uint64_t)(end - s));
		pb_put(&ps->out, s, (size_t)(end - s));
	} else if (v < PK_NSMALL) {
		pb_byte(&ps->out, (uint8_t)(PK_SMALL + v));
	} else {
		pb_byte(&ps->out, PK_INT);
		pb_varint(&ps->out, v);
	}
	ps->p = end;
	return PARSE_OK;
}

static enum parse_result
literal(struct parser *ps, enum schema_kind k)
{
	static const struct {
		const char *text;
		size_t n;
		uint8_t tag;
	} lit[] = { { "true", 4, PK_TRUE }, { "false", 5, PK_FALSE }, { "null", 4, PK_NULL } };
	size_t i, have = (size_t)(ps->end - ps->p);

	for (i = 0; i < 3; i++) {
		if (memcmp(ps->p, lit[i].text, have < lit[i].n ? have : lit[i].n) != 0)
			continue;
		if (have < lit[i].n)
			return PARSE_MORE;
		if (k != JK_ANY && k != JK_BOOL && lit[i].tag != PK_NULL)
			return parse_fail(ps, kind_error(k));
		ps->p += lit[i].n;
		pb_byte(&ps->out, lit[i].tag);
		return PARSE_OK;
	}
	return parse_fail(ps, "not JSON");
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
		if (len == n && (text[0] | 0x20) == (s[0] | 0x20) && strncasecmp((const char *)text, (const char *)s, n) == 0)
			return i;
	}
	return NM_NONE;
}

static int
whole_number_name(const uint8_t *s, size_t n)
{
	uint64_t v;
	size_t i, neg = n > 0 && s[0] == '-';

	if (n == neg)
		return 0;
	for (i = neg; i < n; i++)
		if (!is_digit(s[i]))
			return 0;
	while (n - neg > 1 && s[neg] == '0') {
		s++;
		n--;
	}
	return digits_u64(s + neg, s + n, &v) && v <= (uint64_t)INT64_MAX + neg;
}

static inline enum parse_result
colon(struct parser *ps, struct parse_member *m)
{
	parse_space(ps);
	if (*ps->p != ':')
		return ended(ps, "no colon behind a name");
	ps->p++;
	m->value = (uint32_t)ps->out.n;
	return PARSE_OK;
}

/* Peers are much alike: the name that stood here in the last one most likely stands here again.  Its index, or 0. */
static inline unsigned
guessed_name(struct parser *ps, const struct schema_type *jt, unsigned guess)
{
	const uint8_t *text;
	size_t n;

	if (guess == 0 || *ps->p != '"' || jt->kind == JK_INTMAP || (jt->kind == JK_OBJ && (guess >= NM_COUNT || jt->members[guess] == TY_NONE)))
		return 0;
	text = dict_text(ps->dict, guess, &n);
	if (n == 0 || (size_t)(ps->end - ps->p) < n + 2 || ps->p[n + 1] != '"' || memcmp(ps->p + 1, text, n) != 0)
		return 0;
	ps->p += n + 2;
	return guess;
}

/* The name and colon; *t becomes the type of the value.  The name is packed; its index is in m->name, 0 = it has none. */
static enum parse_result
member_name(struct parser *ps, const struct schema_type *jt, struct parse_member *m, enum type_id *t, uint16_t *guess)
{
	enum parse_result r;
	const uint8_t *s;
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
	} else if (jt->kind == JK_INTMAP && !whole_number_name(s, n))
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

static enum parse_result
push_member(struct parser *ps, const struct parse_member *m)
{
	struct parse_member *mem;
	size_t cap;

	if (ps->nstack == ps->stackcap) {
		cap = ps->stackcap ? ps->stackcap * 2 : 128;
		if ((mem = realloc(ps->stack, cap * sizeof(*mem))) == NULL)
			return parse_fail(ps, "out of memory");
		ps->stack = mem;
		ps->stackcap = cap;
	}
	ps->stack[ps->nstack++] = *m;
	return PARSE_OK;
}

static void
name_error(struct parser *ps, const struct parse_member *m)
{
	const uint8_t *s = ps->out.p + m->at;
	size_t n;

	if (m->name != 0) {
		s = dict_text(ps->dict, m->name, &n);
	} else {
		s++;
		n = (size_t)pk_varint(&s);
	}
	parse_path(ps, ".%.*s", n > 40 ? 40 : (int)n, (const char *)s);
}

/* Text of a member's name, however it is packed. */
static struct pv
name_text(const struct parser *ps, const struct parse_member *m)
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

/* Mark with value = end = 0 every member that comes again further on. */
static int
mark_repeated(struct parser *ps, size_t from, size_t n)
{
	struct sort_key *k;
	struct pv a, b;
	size_t i;
	int found = 0;

	if ((k = malloc(n * sizeof(*k))) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		a = name_text(ps, &ps->stack[from + i]);
		k[i].hash = dict_hash(ps->dict, a.p, a.n);
		k[i].index = (uint32_t)i;
	}
	qsort(k, n, sizeof(*k), by_hash);
	for (i = 0; i + 1 < n; i++) {
		if (k[i].hash != k[i + 1].hash)
			continue;
		a = name_text(ps, &ps->stack[from + k[i].index]);
		b = name_text(ps, &ps->stack[from + k[i + 1].index]);
		if (pv_equal(a, b)) {
			ps->stack[from + k[i].index].value = 0;
			found = 1;
		}
	}
	free(k);
	return found;
}

/* D15: of members with one name the last wins. */
static enum parse_result
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

/* Limits that cost an item, not the message. */
static int
over_limit(const struct parser *ps, const struct schema_type *jt, const struct parse_member *m, size_t count)
{
	if (jt->max != 0 && count >= jt->max)
		return 1;
	return jt->kind == JK_MAP && jt->elem == TY_CAPVALUES && m->end - m->value > PARSE_CAPVALUE;
	(void)ps;
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
		if (over_limit(ps, jt, &m, ps->nstack - from)) {
			ps->out.n = m.at;
			ps->dropped++;
		} else {
			uint64_t bit = (uint64_t)1 << (m.name & 63), *word = &seen[m.name >> 6 & 3];

			/* An id says it all for names of the schema; others are sorted out at the end. */
			if (m.name == 0 || m.name >= NM_COUNT || (*word & bit))
				*maybe = 1;
			*word |= bit;
			if ((r = push_member(ps, &m)) != PARSE_OK)
				return r;
		}
		parse_space(ps);
		if (*ps->p == '}')
			return PARSE_OK;
		if (*ps->p != ',')
			return ended(ps, "no comma between members");
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
		if (maybe && ps->nstack - from > 1 && (r = drop_repeated(ps, from)) != PARSE_OK)
			return r;
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
		if (jt->max != 0 && n >= jt->max) {
			ps->out.n = at;
			ps->dropped++;
		}
		parse_space(ps);
		if (*ps->p == ']')
			break;
		if (*ps->p != ',')
			return ended(ps, "no comma between elements");
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
		return parse_fail(ps, "too many values");
	switch (*ps->p) {
	case '"': return string_value(ps, k);
	case '{':
	case '[':
		if (k != JK_ANY && (k == JK_ARR) != (*ps->p == '['))
			return parse_fail(ps, kind_error(k));
		if (k != JK_ANY && k < JK_OBJ)
			return parse_fail(ps, kind_error(k));
		if (ps->depth >= PARSE_DEPTH)
			return parse_fail(ps, "nested too deeply");
		ps->depth++;
		r = *ps->p == '{' ? object(ps, jt, top) : array(ps, jt);
		ps->depth--;
		return r;
	case 't':
	case 'f':
	case 'n': return literal(ps, k);
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
	case '9': return number(ps, k);
	default: return ended(ps, "not JSON");
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
	if (r == PARSE_OK && ps->out.oom)
		r = parse_fail(ps, "out of memory");
	if (r == PARSE_OK && ps->p > ps->end)
		r = PARSE_MORE;
	if (r != PARSE_OK) {
		ps->out.n = at;
		ps->out.oom = 0;
		ps->depth = depth;
	}
	return r;
}
