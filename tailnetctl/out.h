/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef OUT_H
#define OUT_H

#include <stddef.h>
#include <stdio.h>

#include "buf.h"

struct ctl;

/* What is printed: text made safe, colours, tables. */
enum color { COLOR_NONE, COLOR_GOOD, COLOR_WARN, COLOR_BAD, COLOR_DIM };
void	 out_safe(FILE *f, const char *s, size_t n);			/* text_sanitize() of any length */
/*
 * A piece of JSON text as received, except DEL and U+0080 to U+009F, which JSON takes raw and terminals obey.  *half: 0
 * at first.
 */
void	 out_json(FILE *f, const char *s, size_t n, int *half);
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
