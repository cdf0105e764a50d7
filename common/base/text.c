/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "utf8.h"

static int
is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp <= 0x9f);
}

int
text_is_plain(const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + n;
	uint32_t cp;
	size_t len;

	for (; p < end; p += len)
		if ((len = utf8_next(p, (size_t)(end - p), &cp)) == 0 || is_control(cp))
			return 0;
	return 1;
}

/* Characters that reorder or break a line without being seen. */
static int
is_deceptive(uint32_t cp)
{
	return (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e || cp == 0x200f ||
	    cp == 0x061c || cp == 0x2028 || cp == 0x2029;
}

int
text_is_harmless(uint32_t cp)
{
	return !is_control(cp) && !is_deceptive(cp);
}

size_t
text_sanitize(const char *s, size_t n, char *out, size_t outsize)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t o = 0, len, piece;
	uint32_t cp;
	char esc[16];

	while (n > 0) {
		len = utf8_next(p, n, &cp);
		if (len == 0) {
			len = 1;
			piece = (size_t)snprintf(esc, sizeof(esc), "\\x%02x", p[0]);
		} else if (cp < 0x80 && is_control(cp)) {
			piece = (size_t)snprintf(esc, sizeof(esc), "\\x%02x", (unsigned)cp);
		} else if (is_control(cp) || is_deceptive(cp)) {
			piece = (size_t)snprintf(esc, sizeof(esc), "\\u{%04x}", (unsigned)cp);
		} else {
			memcpy(esc, p, len);
			piece = len;
		}
		if (piece + 1 > outsize || o > outsize - piece - 1)
			break;
		memcpy(out + o, esc, piece);
		o += piece;
		p += len;
		n -= len;
	}
	if (outsize > 0)
		out[o] = '\0';
	return o;
}

#define HIDE_MIN 8

void
text_hide(char *text, const char *secret, size_t n)
{
	size_t min = n < HIDE_MIN ? n : HIDE_MIN, len;

	for (; *text != '\0'; text += len < min || len == 0 ? 1 : len) {
		for (len = 0; len < n && text[len] == secret[len]; len++)
			;
		if (len >= min)
			memset(text, '*', len);
	}
}

int
text_to_i64(const char *s, size_t n, int64_t min, int64_t max, int64_t *out)
{
	uint64_t v = 0, limit = INT64_MAX;
	int neg = 0;
	int64_t r;

	if (n > 0 && *s == '-') {
		neg = 1;
		limit++;
		s++;
		n--;
	}
	if (n == 0)
		return -1;
	for (; n > 0; s++, n--) {
		unsigned d = (unsigned)(*s - '0');

		if (*s < '0' || *s > '9' || v > (limit - d) / 10)
			return -1;
		v = v * 10 + d;
	}
	r = neg ? (v > INT64_MAX ? INT64_MIN : -(int64_t)v) : (int64_t)v;
	if (r < min || r > max)
		return -1;
	*out = r;
	return 0;
}

static void
quote_char(struct buf *b, uint32_t cp)
{
	switch (cp) {
	case '"': buf_puts(b, "\\\""); break;
	case '\\': buf_puts(b, "\\\\"); break;
	case '\n': buf_puts(b, "\\n"); break;
	case '\r': buf_puts(b, "\\r"); break;
	case '\t': buf_puts(b, "\\t"); break;
	default: buf_printf(b, "\\u%04x", (unsigned)cp); break;
	}
}

int
json_quote(struct buf *b, const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + n, *run = p;
	uint32_t cp;
	size_t len;

	buf_putc(b, '"');
	while (p < end) {
		len = utf8_next(p, (size_t)(end - p), &cp);
		if (len != 0 && !is_control(cp) && cp != '"' && cp != '\\') {
			p += len;
			continue;
		}
		buf_put(b, run, (size_t)(p - run));
		if (len == 0)
			buf_puts(b, "\xef\xbf\xbd");
		else
			quote_char(b, cp);
		p += len ? len : 1;
		run = p;
	}
	buf_put(b, run, (size_t)(p - run));
	return buf_putc(b, '"') == -1 || b->failed ? -1 : 0;
}
