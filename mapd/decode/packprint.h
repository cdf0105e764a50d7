/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PACKPRINT_H
#define PACKPRINT_H

#include "dict.h"
#include "pack.h"

/* Packed values back to text. */
void	 pack_hex(char *out, const uint8_t *p, size_t n);		/* 2n lower-case digits, no NUL */
size_t	 pack_time_text(char *out, struct wtime t);			/* no NUL; at most TIME_TEXT_MAX */

/*
 * Escaped text of a string value (without quotes), from memory or, for binary forms, from tmp (PK_TMP bytes).  0
 * if not a string.
 */
#define PK_TMP 128
int	 pk_text(const uint8_t *p, const struct dict *d, char *tmp, struct pv *out);
/* The same, unescaped into out (terminated, cut at outsize - 1, NUL bytes kept).  Length, or -1 if not a string. */
long	 pk_cstr(const uint8_t *p, const struct dict *d, char *out, size_t outsize);

/* JSON text of the value at p; returns past it. */
const uint8_t *pk_print(struct pb *b, const uint8_t *p, const struct dict *d);
const uint8_t *pk_print_name(struct pb *b, const uint8_t *p, const struct dict *d);	/* "name": */

#endif
