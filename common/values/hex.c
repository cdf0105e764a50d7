/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "hex.h"

void
hex_encode(const uint8_t *p, size_t n, char *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		*out++ = hex_digit(p[i] >> 4);
		*out++ = hex_digit(p[i] & 15);
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
