/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef B64_H
#define B64_H

#include <stddef.h>
#include <stdint.h>

/* Standard alphabet with padding.  Returns the length written without the NUL, or -1 if out is too small. */
int	 b64_encode(const uint8_t *p, size_t n, char *out, size_t outsize);
int	 b64_decode(const char *s, size_t n, uint8_t *out, size_t outsize);	/* bytes, or -1 */

#endif
