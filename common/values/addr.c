/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "addr.h"
#include "hex.h"

/* A decimal number of at most max; leading zeros only when lax.  Returns past it, NULL if there is none. */
static const char *
parse_dec(const char *s, const char *end, unsigned max, int lax, unsigned *out)
{
	const char *from = s;
	unsigned v = 0;

	for (; s < end && *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (unsigned)(*s - '0');
		if (v > max)
			return NULL;
	}
	if (s == from || (!lax && s - from > 1 && *from == '0'))
		return NULL;
	*out = v;
	return s;
}

static int
parse_v4(const char *s, const char *end, uint8_t *addr)
{
	unsigned i, v;

	for (i = 0; i < 4; i++) {
		if (i > 0 && (s == end || *s++ != '.'))
			return -1;
		if ((s = parse_dec(s, end, 255, 0, &v)) == NULL)
			return -1;
		addr[i] = (uint8_t)v;
	}
	return s == end ? 0 : -1;
}

/* Move the groups that follow "::" to the end. */
static int
expand_v6(uint8_t *addr, unsigned have, int gap)
{
	unsigned tail;

	if (gap < 0)
		return have == 16 ? 0 : -1;
	if (have == 16)
		return -1;
	tail = have - (unsigned)gap;
	memmove(addr + 16 - tail, addr + gap, tail);
	memset(addr + gap, 0, 16 - have);
	return 0;
}

static int
parse_v6(const char *s, const char *end, uint8_t *addr)
{
	unsigned n = 0;
	int gap = -1, digits, v, h;
	const char *group;

	if (end - s >= 2 && s[0] == ':' && s[1] == ':') {
		gap = 0;
		s += 2;
	}
	while (s < end) {
		if (n == 16)
			return -1;
		group = s;
		for (v = 0, digits = 0; s < end && (h = hex_value(*s)) >= 0; s++) {
			v = v << 4 | h;
			if (++digits > 4)
				return -1;
		}
		if (digits == 0)
			return -1;
		if (s < end && *s == '.') {
			if (n > 12 || parse_v4(group, end, addr + n) == -1)
				return -1;
			n += 4;
			break;
		}
		addr[n++] = (uint8_t)(v >> 8);
		addr[n++] = (uint8_t)v;
		if (s == end)
			break;
		if (*s++ != ':' || s == end)
			return -1;
		if (*s == ':') {
			if (gap >= 0)
				return -1;
			gap = (int)n;
			s++;
		}
	}
	return expand_v6(addr, n, gap);
}

int
addr_parse_ip(const char *s, size_t n, uint8_t addr[16], unsigned *family, int *zone)
{
	const char *end = s + n, *pct;

	*zone = 0;
	memset(addr, 0, 16);
	if (memchr(s, ':', n) == NULL) {
		*family = 4;
		return parse_v4(s, end, addr);
	}
	*family = 6;
	if ((pct = memchr(s, '%', n)) != NULL) {
		if (pct + 1 == end)
			return -1;
		*zone = 1;
		end = pct;
	}
	return parse_v6(s, end, addr);
}

int
addr_parse_prefix(const char *s, size_t n, uint8_t addr[16], unsigned *family, unsigned *bits)
{
	const char *end = s + n, *slash;
	int zone;

	if ((slash = memchr(s, '/', n)) == NULL)
		return -1;
	if (addr_parse_ip(s, (size_t)(slash - s), addr, family, &zone) == -1 || zone)
		return -1;
	return parse_dec(slash + 1, end, *family == 4 ? 32 : 128, 0, bits) == end ? 0 : -1;
}

int
addr_parse_endpoint(const char *s, size_t n, uint8_t addr[16], unsigned *family, unsigned *port, int *zone)
{
	const char *end = s + n, *colon = end, *last;

	while (colon > s && colon[-1] != ':')
		colon--;
	if (colon == s || parse_dec(colon, end, 65535, 1, port) != end)
		return -1;
	last = colon - 1;
	if (*s == '[') {
		if (last - s < 2 || last[-1] != ']')
			return -1;
		return addr_parse_ip(s + 1, (size_t)(last - s - 2), addr, family, zone) == 0 && *family == 6 ? 0 : -1;
	}
	return addr_parse_ip(s, (size_t)(last - s), addr, family, zone) == 0 && *family == 4 ? 0 : -1;
}

static char *
put_dec(char *o, unsigned v)
{
	char tmp[10];
	int n = 0;

	do
		tmp[n++] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	while (n > 0)
		*o++ = tmp[--n];
	return o;
}

static char *
put_v4(char *o, const uint8_t *a)
{
	int i;

	for (i = 0; i < 4; i++) {
		if (i > 0)
			*o++ = '.';
		o = put_dec(o, a[i]);
	}
	return o;
}

static char *
put_group(char *o, unsigned v)
{
	int shift = 12;

	while (shift > 0 && (v >> shift) == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*o++ = hex_digit(v >> shift & 15);
	return o;
}

/* Longest run of two or more zero groups, the first of equals. */
static void
zero_run(const unsigned g[8], int *from, int *len)
{
	int i, j;

	*from = -1;
	*len = 1;
	for (i = 0; i < 8; i = j + 1) {
		for (j = i; j < 8 && g[j] == 0; j++)
			;
		if (j - i > *len) {
			*from = i;
			*len = j - i;
		}
	}
}

static char *
put_v6(char *o, const uint8_t *a)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	unsigned g[8];
	int i, from, len;

	if (memcmp(a, mapped, 12) == 0) {
		memcpy(o, "::ffff:", 7);
		return put_v4(o + 7, a + 12);
	}
	for (i = 0; i < 8; i++)
		g[i] = (unsigned)a[2 * i] << 8 | a[2 * i + 1];
	zero_run(g, &from, &len);
	for (i = 0; i < 8; i++) {
		if (i == from) {
			*o++ = ':';
			*o++ = ':';
			i += len - 1;
			continue;
		}
		if (i > 0 && i != from + len)
			*o++ = ':';
		o = put_group(o, g[i]);
	}
	return o;
}

static char *
put_ip(char *o, const uint8_t *a, unsigned family)
{
	return family == 4 ? put_v4(o, a) : put_v6(o, a);
}

size_t
addr_format_ip(const uint8_t addr[16], unsigned family, char out[ADDR_TEXT_MAX])
{
	char *o = put_ip(out, addr, family);

	*o = '\0';
	return (size_t)(o - out);
}

size_t
addr_format_prefix(const uint8_t addr[16], unsigned family, unsigned bits, char out[ADDR_TEXT_MAX])
{
	char *o = put_ip(out, addr, family);

	*o++ = '/';
	o = put_dec(o, bits);
	*o = '\0';
	return (size_t)(o - out);
}

size_t
addr_format_endpoint(const uint8_t addr[16], unsigned family, unsigned port, char out[ADDR_TEXT_MAX])
{
	char *o = out;

	if (family == 6)
		*o++ = '[';
	o = put_ip(o, addr, family);
	if (family == 6)
		*o++ = ']';
	*o++ = ':';
	o = put_dec(o, port);
	*o = '\0';
	return (size_t)(o - out);
}

int
addr_prefix_masked(const uint8_t addr[16], unsigned family, unsigned bits)
{
	unsigned i, len = family == 4 ? 4 : 16;

	for (i = bits / 8; i < len; i++) {
		uint8_t behind = (uint8_t)(i == bits / 8 ? 0xff >> (bits % 8) : 0xff);

		if (addr[i] & behind)
			return 0;
	}
	return 1;
}

int
addr_prefix_contains(const uint8_t net[16], unsigned bits, const uint8_t addr[16])
{
	unsigned full = bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> (bits % 8));

	if (memcmp(net, addr, full) != 0)
		return 0;
	return bits % 8 == 0 || ((net[full] ^ addr[full]) & mask) == 0;
}

int
addr_in_nets(const struct addr_net *nets, size_t n, const uint8_t addr[16], unsigned family)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (nets[i].family == family && addr_prefix_contains(nets[i].addr, nets[i].bits, addr))
			return (int)i;
	return -1;
}
