/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef OUT_H
#define OUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct ctl;

/* What is printed: text made safe, colours. */
enum color { COLOR_NONE, COLOR_GOOD, COLOR_WARN, COLOR_BAD, COLOR_DIM };
void	 out_safe(FILE *f, const char *s, size_t n);			/* text_sanitize() of any length */
/*
 * JSON text piece by piece: what JSON takes raw but terminals obey (control characters, overrides of the direction of
 * text) is escaped, and each byte that is no UTF-8 becomes \ufffd.  out_json_end() prints what is left of j.
 */
struct json_out {
	uint8_t	 part[4];	/* the beginning of a character */
	size_t	 n;		/* 0 at first */
};
void	 out_json(FILE *f, struct json_out *j, const char *s, size_t n);
void	 out_json_end(FILE *f, struct json_out *j);
void	 out_json_line(FILE *f, const char *s, size_t n);		/* a whole value, and a line break */
void	 out_color(const struct ctl *c, enum color color, const char *s);	/* s is made safe */
/*
 * "Label        value" with the label's column fixed; nothing is printed for an empty value.  On a terminal a long
 * value continues below its beginning.
 */
void	 out_field(const struct ctl *c, const char *label, const char *value);
void	 out_field_color(const struct ctl *c, const char *label, enum color color, const char *value);

#endif
