/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef OUT_H
#define OUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "buf.h"

struct ctl;

/* What is printed: text made safe, colours, tables. */
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
/* "Label        value" with the label's column fixed; nothing is printed for an empty value. */
void	 out_field(const struct ctl *c, const char *label, const char *value);
void	 out_field_color(const struct ctl *c, const char *label, enum color color, const char *value);

/* Rows with aligned columns, printed in blocks so that memory stays bounded.  The last column is not padded. */
#define TABLE_COLS	8
#define TABLE_BLOCK	4096	/* rows */
#define TABLE_CELL_MAX	64	/* columns of the terminal; longer text is cut and ends in "..." */
struct table {
	FILE		*f;
	size_t		 ncols, cells, width[TABLE_COLS];
	unsigned	 right;		/* bit per column */
	struct buf	 text;
};
void	 table_init(struct table *t, FILE *f, const char *const *heads, size_t ncols, unsigned right);
void	 table_str(struct table *t, const char *s);
int	 table_end(struct table *t);		/* prints, frees; -1 when memory was out */

#endif
