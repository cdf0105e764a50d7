/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/* 1 if the n bytes are UTF-8 without control characters (C0, DEL, C1). */
int	 text_is_plain(const char *s, size_t n);
/* 0: a control character (C0, DEL, C1), or one that overrides the direction of text or ends a line. */
int	 text_is_harmless(uint32_t cp);
/*
 * Make foreign text safe to print or to pass on: control characters (C0, DEL, C1), bad UTF-8 bytes and bidirectional
 * overrides become \xNN or \u{NNNN}; at most outsize-1 bytes are written, never half an escape or half a character.
 * Returns the length.  Always terminates out.
 */
size_t	 text_sanitize(const char *s, size_t n, char *out, size_t outsize);
/*
 * Replace by stars every run of text that equals the secret, or at least its first 8 bytes: a cut-off secret hides,
 * too.
 */
void	 text_hide(char *text, const char *secret, size_t n);
/* Decimal integers with a full-string and range check: 0, or -1. */
int	 text_to_i64(const char *s, size_t n, int64_t min, int64_t max, int64_t *out);

/* Just the quoted string, for writers that keep their own commas. */
int	 json_quote(struct buf *b, const char *s, size_t n);

#endif
