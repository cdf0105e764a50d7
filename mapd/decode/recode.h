/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef RECODE_H
#define RECODE_H

#include "pack.h"

/*
 * Unescape the text between quotes and escape it our way (protocol.md A.3: bad UTF-8
 * becomes U+FFFD).
 */
int	 recode_string(struct pb *out, const uint8_t *s, size_t n);	/* 0, or -1: bad escape */

#endif
