/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef LEX_H
#define LEX_H

#include "parse.h"

/* The inside of parse.h: values without members. */

/* The window ends here: more text may make it right, unless the byte is a NUL within the text. */
enum parse_result parse_ended(struct parser *ps, const char *why);
const char *kind_error(enum schema_kind k);		/* "not a node key" */

/* A string as escaped text into scratch (whole: *s, *n live until the next call); for names and map keys. */
enum parse_result parse_string(struct parser *ps, const uint8_t **s, size_t *n);

/* The value at p, which begins as its name says, as a value of kind k. */
enum parse_result lex_string(struct parser *ps, enum schema_kind k);
enum parse_result lex_number(struct parser *ps, enum schema_kind k);
enum parse_result lex_literal(struct parser *ps, enum schema_kind k);

/* n bytes of text are a whole number that fits (leading zeros are fine: it is a map key).  1 = *out is it. */
int	 lex_whole_number(const uint8_t *s, size_t n, int64_t *out);

#endif
