/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "jsonparse.h"
#include "mem.h"
#include "text.h"
#include "utf8.h"

#define NUMBER_MAX 1024 /* characters of one number */

const struct json_limits json_limits_default = { 1 << 20, 32, 65536, 1 << 20 };

struct parser {
	const char *s, *end, *start;
	const struct json_limits *lim;
	size_t values;
	unsigned depth;
	struct buf text; /* scratch for strings with escapes or bad UTF-8 */
	const char *why;
	const char *where; /* of the trouble */
};

static int parse_value(struct parser *p, struct json_object **out);

static int
fail(struct parser *p, const char *why)
{
	if (p->why == NULL) {
		p->why = why;
		p->where = p->s;
	}
	return -1;
}

static const char out_of_memory[] = "out of memory";

/* A child ends here (mem.h). */
static int
no_memory(struct parser *p)
{
	(void)mem_failed();
	return fail(p, out_of_memory);
}

static void
skip_space(struct parser *p)
{
	while (p->s < p->end && (*p->s == ' ' || *p->s == '\t' || *p->s == '\n' || *p->s == '\r'))
		p->s++;
}

static int
next_is(struct parser *p, char c)
{
	skip_space(p);
	if (p->s == p->end || *p->s != c)
		return 0;
	p->s++;
	return 1;
}

static int
put_utf8(struct buf *b, uint32_t c)
{
	char u[4];

	return buf_put(b, u, utf8_encode(c, u));
}

/* The four digits at s, or -1. */
static int32_t
hex4(const char *s, const char *end)
{
	uint8_t b[2];

	if (end - s < 4 || hex_decode(s, 4, b) == -1)
		return -1;
	return b[0] << 8 | b[1];
}

/* p->s is behind "\u".  A surrogate without its partner becomes U+FFFD. */
static int
unescape_unicode(struct parser *p)
{
	int32_t hi = hex4(p->s, p->end), lo;

	if (hi == -1)
		return fail(p, "bad \\u escape");
	p->s += 4;
	if (hi >= 0xd800 && hi <= 0xdbff && p->end - p->s >= 6 && p->s[0] == '\\' && p->s[1] == 'u') {
		lo = hex4(p->s + 2, p->end);
		if (lo >= 0xdc00 && lo <= 0xdfff) {
			p->s += 6;
			return put_utf8(&p->text, 0x10000 + (uint32_t)((hi - 0xd800) << 10 | (lo - 0xdc00)));
		}
	}
	return put_utf8(&p->text, hi >= 0xd800 && hi <= 0xdfff ? 0xfffd : (uint32_t)hi);
}

static int
unescape(struct parser *p)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (p->s == p->end)
		return fail(p, "unfinished string");
	if (*p->s == 'u') {
		p->s++;
		return unescape_unicode(p);
	}
	if (*p->s == '\0' || (at = strchr(from, *p->s)) == NULL)
		return fail(p, "unknown escape in a string");
	p->s++;
	return buf_putc(&p->text, to[at - from]);
}

/* Length of the run of bytes that need no decoding; *high is set when some are not ASCII. */
static size_t
plain_run(const char *s, const char *end, int *high)
{
	const char *from = s;

	for (; s < end && *s != '"' && *s != '\\' && (unsigned char)*s >= 0x20; s++)
		*high |= *s & 0x80;
	return (size_t)(s - from);
}

/* Bad bytes become U+FFFD one by one. */
static int
put_mended(struct parser *p, const char *s, size_t n)
{
	size_t len;

	while (n > 0) {
		len = utf8_prefix(s, n);
		if (buf_put(&p->text, s, len) == -1)
			return -1;
		s += len;
		n -= len;
		if (n > 0) {
			if (put_utf8(&p->text, 0xfffd) == -1)
				return -1;
			s++;
			n--;
		}
	}
	return 0;
}

/*
 * p->s is behind the opening quote.  *str is in the input, or in p->text until the next string.  The limit is on the
 * length of the source text, which bounds the result's within a factor of three.
 */
static int
parse_string(struct parser *p, const char **str, size_t *n)
{
	const char *from = p->s;
	int high = 0;
	size_t run = plain_run(p->s, p->end, &high);

	if (run <= p->lim->max_string && run < (size_t)(p->end - p->s) && p->s[run] == '"' &&
	    (!high || utf8_valid(p->s, run))) {
		*str = p->s;
		*n = run;
		p->s += run + 1;
		return 0;
	}
	buf_reset(&p->text);
	for (;;) {
		run = plain_run(p->s, p->end, &high);
		if ((size_t)(p->s - from) + run > p->lim->max_string)
			return fail(p, "string too long");
		if (put_mended(p, p->s, run) == -1)
			return no_memory(p);
		p->s += run;
		if (p->s == p->end)
			return fail(p, "unfinished string");
		if ((unsigned char)*p->s < 0x20)
			return fail(p, "control character in a string");
		if (*p->s++ == '"')
			break;
		if (unescape(p) == -1)
			return no_memory(p);
	}
	*str = buf_len(&p->text) ? (const char *)buf_ptr(&p->text) : "";
	*n = buf_len(&p->text);
	return 0;
}

static size_t
digits(const char *s, const char *end)
{
	const char *from = s;

	while (s < end && *s >= '0' && *s <= '9')
		s++;
	return (size_t)(s - from);
}

/* The length of the number at s by the grammar, 0 if there is none; *integer: no fraction, no exponent. */
static size_t
number_length(const char *s, const char *end, int *integer)
{
	const char *from = s;
	size_t n;

	*integer = 1;
	if (s < end && *s == '-')
		s++;
	if ((n = digits(s, end)) == 0 || (n > 1 && *s == '0'))
		return 0;
	s += n;
	if (s < end && *s == '.') {
		*integer = 0;
		if ((n = digits(++s, end)) == 0)
			return 0;
		s += n;
	}
	if (s < end && (*s == 'e' || *s == 'E')) {
		*integer = 0;
		if (++s < end && (*s == '+' || *s == '-'))
			s++;
		if ((n = digits(s, end)) == 0)
			return 0;
		s += n;
	}
	return (size_t)(s - from);
}

/* What int64 or uint64 holds exactly becomes a json-c integer; any other number is a double that remembers its text. */
static int
parse_number(struct parser *p, struct json_object **out)
{
	char text[NUMBER_MAX + 1];
	int integer;
	size_t n = number_length(p->s, p->end, &integer);
	int64_t i;
	uint64_t u;

	if (n == 0)
		return fail(p, "not a JSON value");
	if (n > NUMBER_MAX)
		return fail(p, "number too long");
	memcpy(text, p->s, n);
	text[n] = '\0';
	errno = 0;
	if (integer && strcmp(text, "-0") != 0 && text_to_i64(text, n, INT64_MIN, INT64_MAX, &i) == 0)
		*out = json_object_new_int64(i);
	else if (integer && text[0] != '-' && (u = strtoull(text, NULL, 10), errno == 0))
		*out = json_object_new_uint64(u);
	else
		*out = json_object_new_double_s(strtod(text, NULL), text);
	if (*out == NULL)
		return no_memory(p);
	p->s += n;
	return 0;
}

static int
parse_member(struct parser *p, struct json_object *o)
{
	struct json_object *v;
	const char *s;
	size_t n;
	char *key;
	int r;

	if (!next_is(p, '"'))
		return fail(p, "member name expected");
	if (parse_string(p, &s, &n) == -1)
		return -1;
	if (memchr(s, '\0', n) != NULL)
		return fail(p, "NUL in a member name");
	if ((key = strndup(s, n)) == NULL)
		return no_memory(p);
	if (!next_is(p, ':'))
		r = fail(p, "':' expected");
	else if ((r = parse_value(p, &v)) == 0 && json_object_object_add(o, key, v) != 0) {
		json_object_put(v);
		r = no_memory(p);
	}
	free(key);
	return r;
}

static int
parse_element(struct parser *p, struct json_object *a)
{
	struct json_object *v;

	if (parse_value(p, &v) == -1)
		return -1;
	if (json_object_array_add(a, v) == 0)
		return 0;
	json_object_put(v);
	return no_memory(p);
}

/* p->s is behind the opening bracket. */
static int
parse_compound(struct parser *p, struct json_object *into, char close,
    int (*item)(struct parser *, struct json_object *))
{
	if (into == NULL)
		return no_memory(p);
	if (++p->depth > p->lim->max_depth)
		return fail(p, "nested too deeply");
	if (!next_is(p, close)) {
		do {
			if (item(p, into) == -1)
				return -1;
		} while (next_is(p, ','));
		if (!next_is(p, close))
			return fail(p, "',' or the closing bracket expected");
	}
	p->depth--;
	return 0;
}

static int
parse_word(struct parser *p, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(p->end - p->s) < n || memcmp(p->s, word, n) != 0)
		return fail(p, "not a JSON value");
	p->s += n;
	return 0;
}

static int
parse_boolean(struct parser *p, struct json_object **out)
{
	int yes = *p->s == 't';

	if (parse_word(p, yes ? "true" : "false") == -1)
		return -1;
	if ((*out = json_object_new_boolean(yes)) == NULL)
		return no_memory(p);
	return 0;
}

static int
parse_text(struct parser *p, struct json_object **out)
{
	const char *s;
	size_t n;

	p->s++;
	if (parse_string(p, &s, &n) == -1)
		return -1;
	if (n > INT_MAX || (*out = json_object_new_string_len(s, (int)n)) == NULL)
		return no_memory(p);
	return 0;
}

static int
parse_kind(struct parser *p, struct json_object **out)
{
	switch (*p->s) {
	case '{': p->s++; return parse_compound(p, *out = json_object_new_object(), '}', parse_member);
	case '[': p->s++; return parse_compound(p, *out = json_object_new_array_ext(4), ']', parse_element);
	case '"': return parse_text(p, out);
	case 't':
	case 'f': return parse_boolean(p, out);
	case 'n': return parse_word(p, "null");
	default: return parse_number(p, out);
	}
}

/* 0 with a value (NULL for null), or -1 with nothing left to free.  Recursion ends at max_depth. */
static int
parse_value(struct parser *p, struct json_object **out)
{
	*out = NULL;
	skip_space(p);
	if (p->s == p->end)
		return fail(p, "unexpected end");
	if (++p->values > p->lim->max_values)
		return fail(p, "too many values");
	if (parse_kind(p, out) == -1) {
		json_object_put(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}

struct json_object *
json_parse(const char *s, size_t n, const struct json_limits *lim, char *err, size_t errsize)
{
	struct parser p = { .s = s, .end = n > 0 ? s + n : s, .start = s, .lim = lim ? lim : &json_limits_default };
	struct json_object *o = NULL;

	if (errsize > 0)
		err[0] = '\0';
	if (n > p.lim->max_bytes) {
		snprintf(err, errsize, "JSON text too long: %zu bytes, at most %zu", n, p.lim->max_bytes);
		return NULL;
	}
	buf_init(&p.text, 3 * p.lim->max_string);
	if (parse_value(&p, &o) == 0) {
		skip_space(&p);
		if (p.s != p.end) {
			fail(&p, "text after the value");
			json_object_put(o);
			o = NULL;
		}
	}
	buf_free(&p.text);
	if (p.why == out_of_memory)
		snprintf(err, errsize, "%s", p.why);
	else if (p.why != NULL)
		snprintf(err, errsize, "bad JSON at byte %zu: %s", (size_t)(p.where - p.start), p.why);
	errno = p.why == out_of_memory ? ENOMEM : EINVAL;
	return o;
}
