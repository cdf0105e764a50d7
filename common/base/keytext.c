/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "keytext.h"

static const char *
key_prefix(enum key_kind kind)
{
	switch (kind) {
	case KEY_MACHINE: return "mkey:";
	case KEY_NODE: return "nodekey:";
	case KEY_DISCO: return "discokey:";
	case KEY_NL: return "nlpub:";
	case KEY_CHALLENGE: return "chalpub:";
	}
	return "key:";
}

int
key_is_zero(const struct pubkey *k)
{
	static const struct pubkey zero;

	return key_equal(k, &zero);
}

int
key_equal(const struct pubkey *a, const struct pubkey *b)
{
	return memcmp(a->b, b->b, KEY_LEN) == 0;
}

char *
key_format(enum key_kind kind, const struct pubkey *k, char out[KEY_TEXT_MAX])
{
	const char *prefix = key_prefix(kind);
	size_t n = strlen(prefix);

	memcpy(out, prefix, n);
	hex_encode(k->b, KEY_LEN, out + n);
	return out;
}

static int
parse_with(const char *prefix, const char *s, size_t n, struct pubkey *out)
{
	struct pubkey k;
	size_t plen = strlen(prefix);

	if (n != plen + 2 * KEY_LEN || memcmp(s, prefix, plen) != 0)
		return -1;
	if (hex_decode(s + plen, 2 * KEY_LEN, k.b) == -1)
		return -1;
	*out = k;
	return 0;
}

int
key_parse(enum key_kind kind, const char *s, size_t n, struct pubkey *out)
{
	if (parse_with(key_prefix(kind), s, n, out) == 0)
		return 0;
	if (kind == KEY_NL) /* protocol.md A.2: decoders also take the other prefix */
		return parse_with("tlpub:", s, n, out);
	return -1;
}

char *
key_short(enum key_kind kind, const struct pubkey *k, char out[KEY_SHORT_MAX])
{
	const char *prefix = key_prefix(kind);
	char b64[48];

	b64_encode(k->b, KEY_LEN, b64, sizeof(b64));
	snprintf(out, KEY_SHORT_MAX, "%.*s [%.5s]", (int)strcspn(prefix, ":"), prefix, b64);
	return out;
}

void
hex_encode(const uint8_t *p, size_t n, char *out)
{
	static const char digit[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		*out++ = digit[p[i] >> 4];
		*out++ = digit[p[i] & 15];
	}
	*out = '\0';
}

int
hex_decode(const char *s, size_t digits, uint8_t *out)
{
	size_t i;
	int hi, lo;

	if (digits % 2 != 0)
		return -1;
	for (i = 0; i < digits; i += 2) {
		if ((hi = hex_value(s[i])) == -1 || (lo = hex_value(s[i + 1])) == -1)
			return -1;
		out[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

static const char b64_digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int
b64_encode(const uint8_t *p, size_t n, char *out, size_t outsize)
{
	size_t need, i;
	uint32_t v;
	char *o = out;

	if (n > 1U << 30)
		return -1;
	need = (n + 2) / 3 * 4;
	if (outsize < need + 1)
		return -1;
	for (i = 0; i < n; i += 3) {
		v = (uint32_t)p[i] << 16;
		if (i + 1 < n)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < n)
			v |= p[i + 2];
		*o++ = b64_digit[v >> 18];
		*o++ = b64_digit[v >> 12 & 63];
		*o++ = i + 1 < n ? b64_digit[v >> 6 & 63] : '=';
		*o++ = i + 2 < n ? b64_digit[v & 63] : '=';
	}
	*o = '\0';
	return (int)need;
}

static int
b64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Strict: whole quads, padding only at the end, and the bits that padding leaves over are zero. */
int
b64_decode(const char *s, size_t n, uint8_t *out, size_t outsize)
{
	size_t i, o = 0, pad = 0, len;
	uint32_t v;
	int d, k;

	if (n % 4 != 0 || n > 1U << 30)
		return -1;
	if (n > 0 && s[n - 1] == '=')
		pad = s[n - 2] == '=' ? 2 : 1;
	len = n / 4 * 3 - pad;
	if (len > outsize)
		return -1;
	for (i = 0; i < n; i += 4) {
		for (v = 0, k = 0; k < 4; k++) {
			if (i + (size_t)k >= n - pad)
				d = 0;
			else if ((d = b64_value(s[i + (size_t)k])) == -1)
				return -1;
			v = v << 6 | (uint32_t)d;
		}
		for (k = 16; k >= 0; k -= 8) {
			if (o < len)
				out[o++] = (uint8_t)(v >> k);
			else if ((uint8_t)(v >> k) != 0)
				return -1;
		}
	}
	return (int)len;
}
