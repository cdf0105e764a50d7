/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "hex.h"
#include "parse.h"
#include "recode.h"
#include "utf8.h"

/*
 * Strings with escapes or bytes outside ASCII: unescaped as Go's decoder does it (bad bytes and lone surrogates
 * become U+FFFD, one each) and escaped again the one way we print: quote, backslash and control characters only.
 * Nothing is ever cut at a NUL (FLD-15).
 */

static int
hexquad(const uint8_t *s, const uint8_t *end)
{
	int v = 0, i, d;

	if (end - s < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		if ((d = hex_value(s[i])) == -1)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static void
put_rune(struct pb *out, unsigned r)
{
	char b[4];

	pb_put(out, b, utf8_encode(r, b));
}

/* A character, escaped for JSON text. */
static void
put_escaped(struct pb *out, unsigned r)
{
	static const char from[] = "\b\f\n\r\t", to[] = "bfnrt";
	const char *e;

	if (r == '"' || r == '\\') {
		pb_byte(out, '\\');
		pb_byte(out, (uint8_t)r);
	} else if (r >= 0x20) {
		put_rune(out, r);
	} else if (r != 0 && (e = strchr(from, (int)r)) != NULL) {
		pb_byte(out, '\\');
		pb_byte(out, (uint8_t)to[e - from]);
	} else {
		pb_put(out, "\\u00", 4);
		pb_byte(out, (uint8_t)hex_digit(r >> 4));
		pb_byte(out, (uint8_t)hex_digit(r & 15));
	}
}

/* \uXXXX at s (behind the u), perhaps with a second half. */
static const uint8_t *
unescape_unicode(const uint8_t *s, const uint8_t *end, unsigned *r)
{
	int a = hexquad(s, end), b;

	if (a < 0)
		return NULL;
	s += 4;
	*r = (unsigned)a;
	if (a < 0xd800 || a > 0xdfff)
		return s;
	*r = 0xfffd;
	if (a > 0xdbff || end - s < 6 || s[0] != '\\' || s[1] != 'u')
		return s;
	b = hexquad(s + 2, end);
	if (b < 0xdc00 || b > 0xdfff)
		return s;
	*r = 0x10000 + ((unsigned)(a - 0xd800) << 10) + (unsigned)(b - 0xdc00);
	return s + 6;
}

static const uint8_t *
unescape(const uint8_t *s, const uint8_t *end, unsigned *r)
{
	static const char from[] = "bfnrt\"\\/", to[] = "\b\f\n\r\t\"\\/";
	const char *e;

	if (s == end)
		return NULL;
	if (*s == 'u')
		return unescape_unicode(s + 1, end, r);
	if (*s == 0 || (e = strchr(from, *s)) == NULL)
		return NULL;
	*r = (uint8_t)to[e - from];
	return s + 1;
}

/* Length of the valid UTF-8 sequence at s, 0 if there is none. */
static size_t
sequence(const uint8_t *s, const uint8_t *end)
{
	size_t n, i;
	uint8_t lo = 0x80, hi = 0xbf;

	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef) {
		n = 3;
		lo = s[0] == 0xe0 ? 0xa0 : 0x80;
		hi = s[0] == 0xed ? 0x9f : 0xbf;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		n = 4;
		lo = s[0] == 0xf0 ? 0x90 : 0x80;
		hi = s[0] == 0xf4 ? 0x8f : 0xbf;
	} else
		return 0;
	if ((size_t)(end - s) < n || s[1] < lo || s[1] > hi)
		return 0;
	for (i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

int
recode_string(struct pb *out, const uint8_t *s, size_t len)
{
	const uint8_t *end = s + len, *from;
	unsigned r;
	size_t n;

	while (s < end) {
		for (from = s; s < end && *s != '\\' && *s < 0x80; s++)
			;
		pb_put(out, from, (size_t)(s - from));
		if (s == end)
			break;
		if (*s == '\\') {
			if ((s = unescape(s + 1, end, &r)) == NULL)
				return -1;
			put_escaped(out, r);
		} else if ((n = sequence(s, end)) > 0) {
			pb_put(out, s, n);
			s += n;
		} else {
			put_rune(out, 0xfffd);
			s++;
		}
	}
	return 0;
}
