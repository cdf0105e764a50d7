/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "b64.h"

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
