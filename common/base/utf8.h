/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>
#include <stdint.h>

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
int	 utf8_valid(const char *s, size_t n);
size_t	 utf8_prefix(const char *s, size_t n);	/* length of the longest well-formed beginning */
size_t	 utf8_next(const uint8_t *p, size_t n, uint32_t *cp);	/* length of the character at p, and which; 0: none */
size_t	 utf8_cut(const char *s, size_t n, size_t max);	/* at most max of n well-formed bytes, whole characters */
size_t	 utf8_encode(uint32_t cp, char out[4]);		/* length; cp is a code point, not checked */

#endif
