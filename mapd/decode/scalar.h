/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SCALAR_H
#define SCALAR_H

#include "pack.h"
#include "schema.h"

/* A string of a kind with a form; s is clean text of n bytes.  0 and packed, or -1. */
int	 scalar_pack(struct pb *out, enum schema_kind kind, const uint8_t *s, size_t n);
/* An even number of 32..120 lower-case hex digits as PK_HEX.  1 = done. */
int	 scalar_hex(struct pb *out, const uint8_t *s, size_t n);

#endif
