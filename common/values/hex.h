/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef HEX_H
#define HEX_H

#include <stddef.h>
#include <stdint.h>

static inline int
hex_value(int c)				/* of a hex digit in either case, else -1 */
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
static inline char
hex_digit(unsigned v)				/* of 0 to 15, lower case; no table, so no trace in the cache */
{
	return (char)('0' + v + (((9 - v) >> 8) & ('a' - '0' - 10)));
}
void	 hex_encode(const uint8_t *p, size_t n, char *out);		/* 2n digits and a NUL, lower case */
int	 hex_decode(const char *s, size_t digits, uint8_t *out);	/* digits even; 0 or -1 */

#endif
