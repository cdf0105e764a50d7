/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "addr.h"
#include "scalar.h"
#include "timefmt.h"

#define X8  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define X16 X8, X8
/* Digit values; 0xff elsewhere. */
static const uint8_t hexval[256] = { X16, X16, X16, /* '0' */ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, /* 'A' */ 10, 11, 12, 13, 14, 15, 0xff, X8, X16, 0xff, /* 'a' */ 10, 11, 12, 13, 14, 15, 0xff,
	X8, X16, X16, X16, X16, X16, X16, X16, X16, X16 };

static int
hex_bytes(uint8_t *out, const uint8_t *s, size_t bytes)
{
	uint8_t bad = 0, hi, lo;
	size_t i;

	for (i = 0; i < bytes; i++) {
		hi = hexval[s[2 * i]];
		lo = hexval[s[2 * i + 1]];
		bad |= hi | lo;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return bad & 0xf0 ? -1 : 0;
}

static int
pack_key(struct pb *out, uint8_t tag, const char *prefix, size_t plen, const uint8_t *s, size_t n)
{
	if (n != plen + 64 || memcmp(s, prefix, plen) != 0)
		return -1;
	pb_need(out, 33);
	out->p[out->n] = tag;
	if (hex_bytes(out->p + out->n + 1, s + plen, 32) == -1) /* either case: protocol.md A.2 */
		return -1;
	out->n += 33;
	return 0;
}

int
scalar_hex(struct pb *out, const uint8_t *s, size_t n)
{
	size_t i;

	if (n < 32 || n > 120 || n % 2 != 0 || hexval[s[0]] == 0xff || hexval[s[n - 1]] == 0xff)
		return 0;
	pb_need(out, n / 2 + 2);
	for (i = 0; i < n; i++)
		if (s[i] >= 'A' && s[i] <= 'F')
			return 0;
	if (hex_bytes(out->p + out->n + 2, s, n / 2) == -1)
		return 0;
	out->p[out->n] = PK_HEX;
	out->p[out->n + 1] = (uint8_t)(n / 2);
	out->n += n / 2 + 2;
	return 1;
}

static int
pack_time(struct pb *out, const uint8_t *s, size_t n)
{
	struct wtime t;

	if (time_parse((const char *)s, n, &t) == -1)
		return -1;
	/* Only what time_format() gives back byte for byte is kept in binary. */
	if (s[n - 1] == 'Z' && s[10] == 'T' && (n == 20 || (n <= 30 && s[19] == '.' && s[n - 2] != '0')) &&
	    t.sec >= TIME_GO_ZERO)
		pb_time(out, t);
	else
		pb_str(out, s, n);
	return 0;
}

static int
pack_prefix(struct pb *out, const uint8_t *s, size_t n)
{
	char text[ADDR_TEXT_MAX];
	uint8_t addr[16];
	unsigned family, bits;

	if (n == 0) { /* Go's zero prefix */
		pb_str(out, s, n);
		return 0;
	}
	if (addr_parse_prefix((const char *)s, n, addr, &family, &bits) == -1)
		return -1;
	if (family == 6 && (addr_format_prefix(addr, 6, bits, text) != n || memcmp(text, s, n) != 0)) {
		pb_str(out, s, n);
		return 0;
	}
	pb_byte(out, family == 4 ? PK_PFX4 : PK_PFX6);
	pb_put(out, addr, family == 4 ? 4 : 16);
	pb_byte(out, (uint8_t)bits);
	return 0;
}

static size_t
ndigits(unsigned v)
{
	size_t n = 1;

	for (; v >= 10; v /= 10)
		n++;
	return n;
}

static int
pack_endpoint(struct pb *out, const uint8_t *s, size_t n)
{
	char text[ADDR_TEXT_MAX];
	uint8_t addr[16];
	unsigned family, port;
	int zone;

	if (n == 0) {
		pb_str(out, s, n);
		return 0;
	}
	if (addr_parse_endpoint((const char *)s, n, addr, &family, &port, &zone) == -1)
		return -1;
	/* IPv4 is parsed so strictly that only the port could have another form. */
	if (family == 4 ? s[n - 1 - ndigits(port)] != ':'
			: zone || addr_format_endpoint(addr, family, port, text) != n || memcmp(text, s, n) != 0) {
		pb_str(out, s, n);
		return 0;
	}
	pb_byte(out, family == 4 ? PK_EP4 : PK_EP6);
	pb_put(out, addr, family == 4 ? 4 : 16);
	pb_byte(out, (uint8_t)(port >> 8));
	pb_byte(out, (uint8_t)port);
	return 0;
}

static int
check_ip(const uint8_t *s, size_t n)
{
	uint8_t addr[16];
	unsigned family;
	int zone;

	return n == 0 ? 0 : addr_parse_ip((const char *)s, n, addr, &family, &zone);
}

static int
check_b64(const uint8_t *s, size_t n)
{
	size_t i;

	if (n % 4 != 0)
		return -1;
	if (n > 0 && s[n - 1] == '=')
		n -= s[n - 2] == '=' ? 2 : 1;
	for (i = 0; i < n; i++) {
		uint8_t c = s[i], l = c | 0x20;

		if (!((l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/'))
			return -1;
	}
	return 0;
}

int
scalar_pack(struct pb *out, enum schema_kind kind, const uint8_t *s, size_t n)
{
	switch (kind) {
	case JK_NODEKEY: return pack_key(out, PK_NODEKEY, "nodekey:", 8, s, n);
	case JK_MKEY: return pack_key(out, PK_MKEY, "mkey:", 5, s, n);
	case JK_DISCO: return pack_key(out, PK_DISCO, "discokey:", 9, s, n);
	case JK_TIME: return pack_time(out, s, n);
	case JK_PFX: return pack_prefix(out, s, n);
	case JK_ENDPOINT: return pack_endpoint(out, s, n);
	case JK_IP:
		if (check_ip(s, n) == -1)
			return -1;
		break;
	case JK_B64:
		if (check_b64(s, n) == -1)
			return -1;
		break;
	default: break;
	}
	pb_str(out, s, n);
	return 0;
}
