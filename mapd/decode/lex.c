/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <math.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lex.h"
#include "recode.h"
#include "scalar.h"

/* Strings, numbers and literals. */

/* The window ends here: more text may make it right, unless the byte is a NUL within the text. */
enum parse_result
parse_ended(struct parser *ps, const char *why)
{
	return ps->p >= ps->end ? PARSE_MORE : parse_fail(ps, why);
}

/* From s, the first byte that is a quote, a backslash, a control character or not ASCII. */
static inline const uint8_t *
plain_run(const uint8_t *s)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), back = _mm_set1_epi8('\\'), low = _mm_set1_epi8(0x20);
	unsigned mask;

	for (;; s += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)s);
		__m128i m = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, back)),
		    _mm_cmplt_epi8(v, low));

		if ((mask = (unsigned)_mm_movemask_epi8(m)) != 0)
			return s + __builtin_ctz(mask);
	}
#else
	while (*s != '"' && *s != '\\' && *s >= 0x20 && *s < 0x80)
		s++;
	return s;
#endif
}

/* p is behind the opening quote; afterwards behind the closing one.  plain: nothing to unescape. */
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
			return parse_ended(ps, "control character in a string");
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
		return parse_limit(ps, "string too long");
	if (plain)
		return PARSE_OK;
	ps->scratch.n = 0;
	if (recode_string(&ps->scratch, *s, *n) == -1)
		return parse_fail(ps, "bad escape in a string");
	*s = ps->scratch.p;
	*n = ps->scratch.n;
	return PARSE_OK;
}

enum parse_result
parse_string(struct parser *ps, const uint8_t **s, size_t *n)
{
	parse_space(ps);
	if (*ps->p != '"')
		return parse_ended(ps, "not a string");
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

/* A name of a node: its domain is that of most others and named by the dictionary, with the dot in front. */
static void
put_fqdn(struct parser *ps, const uint8_t *s, size_t n)
{
	const uint8_t *dot = n > 0 ? memchr(s, '.', n < PK_FQDN_LABEL ? n : PK_FQDN_LABEL) : NULL;
	size_t label = dot != NULL ? (size_t)(dot - s) : 0;
	unsigned idx = 0;

	if (label > 0 && n - label > 3)
		idx = ps->learn ? dict_learn_domain(ps->dict, dot, n - label) : dict_find(ps->dict, dot, n - label);
	if (idx == 0) {
		pb_str(&ps->out, s, n);
		return;
	}
	pb_byte(&ps->out, PK_FQDN);
	pb_byte(&ps->out, (uint8_t)label);
	pb_put(&ps->out, s, label);
	pb_byte(&ps->out, (uint8_t)(idx >> 8));
	pb_byte(&ps->out, (uint8_t)idx);
}

const char *
kind_error(enum schema_kind k)
{
	static const char *const text[] = {
		[JK_ANY] = "not a value",
		[JK_STR] = "not a string",
		[JK_FQDN] = "not a string",
		[JK_BOOL] = "not true or false",
		[JK_I64] = "not a whole number",
		[JK_U64] = "not a whole number",
		[JK_U16] = "not a number of 16 bits",
		[JK_F64] = "not a number",
		[JK_TIME] = "not a time",
		[JK_PFX] = "not an address prefix",
		[JK_IP] = "not an address",
		[JK_ENDPOINT] = "not an address with port",
		[JK_NODEKEY] = "not a node key",
		[JK_MKEY] = "not a machine key",
		[JK_DISCO] = "not a disco key",
		[JK_B64] = "not base64",
		[JK_OBJ] = "not an object",
		[JK_ARR] = "not an array",
		[JK_MAP] = "not an object",
		[JK_INTMAP] = "not an object",
	};

	return text[k];
}

enum parse_result
lex_string(struct parser *ps, enum schema_kind k)
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
	case JK_FQDN: put_fqdn(ps, s, n); return PARSE_OK;
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

enum parse_result
lex_number(struct parser *ps, enum schema_kind k)
{
	const uint8_t *s = ps->p, *end;
	int whole, fits;
	uint64_t v = 0;

	end = number_end(s, &whole);
	if (end == NULL || end >= ps->end) {
		/* Only a byte behind a number shows that it is whole; inside a message there always is one. */
		while (is_digit(*ps->p) || (*ps->p != 0 && strchr("+-.eE", *ps->p) != NULL))
			ps->p++;
		return parse_ended(ps, "bad number");
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

enum parse_result
lex_literal(struct parser *ps, enum schema_kind k)
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

int
lex_whole_number(const uint8_t *s, size_t n, int64_t *out)
{
	const uint8_t *end = s + n;
	uint64_t v;
	int neg = n > 0 && *s == '-';

	s += neg;
	if (s == end)
		return 0;
	while (end - s > 1 && *s == '0')
		s++;
	for (const uint8_t *p = s; p < end; p++)
		if (!is_digit(*p))
			return 0;
	if (!digits_u64(s, end, &v) || v > (uint64_t)INT64_MAX + (uint64_t)neg)
		return 0;
	*out = (int64_t)(neg ? -v : v);
	return 1;
}
