/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "addr.h"
#include "hex.h"
#include "mem.h"
#include "packprint.h"

#define PB_FIRST 512

void
pb_grow(struct pb *b, size_t more)
{
	size_t cap = b->cap + b->cap / 2;

	if (more > SIZE_MAX / 4 - b->n)
		mem_exhausted();
	if (cap < b->n + more)
		cap = b->n + more;
	if (cap < PB_FIRST)
		cap = PB_FIRST;
	b->p = xrealloc(b->p, cap);
	b->cap = cap;
}

void
pb_free(struct pb *b)
{
	free(b->p);
	memset(b, 0, sizeof(*b));
}

void
pb_puts(struct pb *b, const char *s)
{
	pb_put(b, s, strlen(s));
}

void
pb_printf(struct pb *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	pb_need(b, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

static size_t
varint_put(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		p[n++] = (uint8_t)(v | 0x80);
	p[n++] = (uint8_t)v;
	return n;
}

uint64_t
pk_varint(const uint8_t **p)
{
	uint64_t v = 0;
	unsigned shift = 0;

	for (; **p & 0x80; shift += 7)
		v |= (uint64_t)(*(*p)++ & 0x7f) << shift;
	return v | (uint64_t) * (*p)++ << shift;
}

void
pb_varint(struct pb *b, uint64_t v)
{
	pb_need(b, 10);
	b->n += varint_put(b->p + b->n, v);
}

static size_t
u64_digits(char *out, uint64_t v)
{
	char tmp[20];
	size_t n = 0, i;

	do
		tmp[n++] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	for (i = 0; i < n; i++)
		out[i] = tmp[n - 1 - i];
	return n;
}

void
pb_i64(struct pb *b, int64_t v)
{
	pb_need(b, 21);
	if (v < 0)
		b->p[b->n++] = '-';
	b->n += u64_digits((char *)b->p + b->n, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void
pb_str(struct pb *b, const uint8_t *s, size_t n)
{
	if (n < PK_NSHORT) {
		pb_need(b, n + 1);
		b->p[b->n++] = (uint8_t)(PK_SHORT + n);
	} else {
		pb_byte(b, PK_STR);
		pb_varint(b, n);
	}
	pb_put(b, s, n);
}

void
pb_time(struct pb *b, struct wtime t)
{
	uint64_t v = (uint64_t)(t.sec - TIME_GO_ZERO);
	int i;

	pb_need(b, 10);
	b->p[b->n++] = t.nsec == 0 ? PK_TIME : PK_TIMEN;
	for (i = 0; i < 5; i++, v >>= 8)
		b->p[b->n++] = (uint8_t)v;
	if (t.nsec != 0) {
		memcpy(b->p + b->n, &t.nsec, 4);
		b->n += 4;
	}
}

static struct wtime
time_get(const uint8_t *p)
{
	struct wtime t = TIME_NONE;
	uint64_t v = 0;
	int i;

	for (i = 4; i >= 0; i--)
		v = v << 8 | p[1 + i];
	t.sec = TIME_GO_ZERO + (int64_t)v;
	if (p[0] == PK_TIMEN)
		memcpy(&t.nsec, p + 6, 4);
	return t;
}

void
pb_quote(struct pb *b, const char *s, size_t n)
{
	size_t i;

	pb_byte(b, '"');
	for (i = 0; i < n; i++) {
		uint8_t c = (uint8_t)s[i];

		if (c == '"' || c == '\\') {
			pb_byte(b, '\\');
			pb_byte(b, c);
		} else if (c < 0x20 || c == 0x7f) {
			pb_put(b, "\\u00", 4);
			pb_byte(b, (uint8_t)hex_digit(c >> 4));
			pb_byte(b, (uint8_t)hex_digit(c & 15));
		} else
			pb_byte(b, c);
	}
	pb_byte(b, '"');
}

void
pk_name_put(struct pb *b, unsigned name)
{
	pb_need(b, 2);
	if (name < PK_NAME_DICT2) {
		b->p[b->n++] = (uint8_t)name;
		return;
	}
	b->p[b->n++] = (uint8_t)(PK_NAME_DICT2 + (name >> 8));
	b->p[b->n++] = (uint8_t)name;
}

void
pk_name_text(struct pb *b, const uint8_t *s, size_t n)
{
	pb_byte(b, PK_NAME_TEXT);
	pb_varint(b, n);
	pb_put(b, s, n);
}

/* --- reading --- */

static const uint8_t *
skip_name(const uint8_t *p)
{
	size_t n;

	if (*p < PK_NAME_DICT2)
		return p + 1;
	if (*p < PK_NAME_TEXT)
		return p + 2;
	p++;
	n = (size_t)pk_varint(&p);
	return p + n;
}

static const uint8_t *
skip_container(const uint8_t *p)
{
	int obj = *p++ == PK_OBJ;

	while (*p != PK_END) {
		if (obj)
			p = skip_name(p);
		p = pk_skip(p);
	}
	return p + 1;
}

const uint8_t *
pk_skip(const uint8_t *p)
{
	size_t n;

	if (*p >= PK_SMALL)
		return p + 1;
	if (*p >= PK_SHORT)
		return p + 1 + (*p - PK_SHORT);
	if (*p >= PK_DICT0)
		return p + 2;
	switch (*p) {
	case PK_OBJ:
	case PK_ARR: return skip_container(p);
	case PK_HEX: return p + 2 + p[1];
	case PK_FQDN: return p + 4 + p[1];
	case PK_INT:
		p++;
		(void)pk_varint(&p);
		return p;
	case PK_NUM:
	case PK_STR:
		p++;
		n = (size_t)pk_varint(&p);
		return p + n;
	case PK_NODEKEY:
	case PK_MKEY:
	case PK_DISCO: return p + 33;
	case PK_TIME: return p + 6;
	case PK_TIMEN: return p + 10;
	case PK_PFX4: return p + 6;
	case PK_PFX6: return p + 18;
	case PK_EP4: return p + 7;
	case PK_EP6: return p + 19;
	default: return p + 1;
	}
}

int
pk_member(const uint8_t **p, unsigned *name, struct pv *text, const uint8_t **value)
{
	const uint8_t *q = *p;

	if (*q == PK_END)
		return 0;
	*name = 0;
	*text = (struct pv){ NULL, 0 };
	if (*q < PK_NAME_DICT2) {
		*name = *q++;
	} else if (*q < PK_NAME_TEXT) {
		*name = (unsigned)(q[0] - PK_NAME_DICT2) << 8 | q[1];
		q += 2;
	} else {
		q++;
		text->n = (size_t)pk_varint(&q);
		text->p = q;
		q += text->n;
	}
	*value = q;
	*p = pk_skip(q);
	return 1;
}

int
pk_element(const uint8_t **p, const uint8_t **value)
{
	if (**p == PK_END)
		return 0;
	*value = *p;
	*p = pk_skip(*p);
	return 1;
}

size_t
pk_count(const uint8_t *container)
{
	int obj = *container == PK_OBJ;
	const uint8_t *p = container + 1;
	size_t n = 0;

	for (; *p != PK_END; n++) {
		if (obj)
			p = skip_name(p);
		p = pk_skip(p);
	}
	return n;
}

const uint8_t *
pk_get(const uint8_t *obj, unsigned name)
{
	const uint8_t *p = pk_first(obj), *value;
	struct pv text;
	unsigned nm;

	if (*obj != PK_OBJ)
		return NULL;
	while (pk_member(&p, &nm, &text, &value))
		if (nm == name)
			return value;
	return NULL;
}

/* The digits of a number that is not in binary form. */
static int
num_text(const uint8_t *p, const uint8_t **s, size_t *n)
{
	if (*p++ != PK_NUM)
		return 0;
	*n = (size_t)pk_varint(&p);
	*s = p;
	return 1;
}

int
pk_i64(const uint8_t *p, const struct dict *d, int64_t *v)
{
	const uint8_t *s;
	uint64_t u;
	size_t n;
	char tmp[24];
	char *end;

	(void)d;
	if (*p >= PK_SMALL) {
		*v = *p - PK_SMALL;
		return 1;
	}
	if (*p == PK_INT) {
		p++;
		u = pk_varint(&p);
		*v = (int64_t)u;
		return u <= INT64_MAX;
	}
	if (!num_text(p, &s, &n) || n >= sizeof(tmp))
		return 0;
	memcpy(tmp, s, n);
	tmp[n] = '\0';
	*v = strtoll(tmp, &end, 10);
	return *end == '\0';
}

int
pk_f64(const uint8_t *p, double *v)
{
	const uint8_t *s;
	int64_t i;
	size_t n;
	char tmp[64];

	if (pk_i64(p, NULL, &i)) {
		*v = (double)i;
		return 1;
	}
	if (!num_text(p, &s, &n))
		return 0;
	if (n >= sizeof(tmp))
		n = sizeof(tmp) - 1;
	memcpy(tmp, s, n);
	tmp[n] = '\0';
	*v = strtod(tmp, NULL);
	return 1;
}

int
pk_time(const uint8_t *p, const struct dict *d, struct wtime *t)
{
	struct pv text;
	char tmp[PK_TMP];

	if (*p == PK_TIME || *p == PK_TIMEN) {
		*t = time_get(p);
		return 1;
	}
	return pk_text(p, d, tmp, &text) && time_parse((const char *)text.p, text.n, t) == 0;
}

int
pk_addr(const uint8_t *p, const struct dict *d, uint8_t addr[16], unsigned *family, unsigned *bits)
{
	struct pv text;
	char tmp[PK_TMP];

	if (*p == PK_PFX4) {
		memset(addr, 0, 16);
		memcpy(addr, p + 1, 4);
		*family = 4;
		*bits = p[5];
		return 1;
	}
	if (*p == PK_PFX6) {
		memcpy(addr, p + 1, 16);
		*family = 6;
		*bits = p[17];
		return 1;
	}
	return pk_text(p, d, tmp, &text) && addr_parse_prefix((const char *)text.p, text.n, addr, family, bits) == 0;
}
