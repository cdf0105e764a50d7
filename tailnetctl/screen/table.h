/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef TABLE_H
#define TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "buf.h"

/*
 * Rows with aligned columns, printed in blocks so that memory stays bounded.  The last column is not padded.  On a
 * terminal that is too narrow, long cells are cut and end in "...", and the last column continues on further lines; a
 * file or pipe has all of each cell.
 */
#define TABLE_COLS	8
#define TABLE_BLOCK	4096		/* rows at most */
#define TABLE_BYTES	(1u << 20)	/* of a block; then its row is the last */
#define TABLE_LAST_MIN	20		/* columns that the last column is left with */
#define TABLE_CELL_MIN	10		/* ... and each of the others */
struct table {
	FILE		*f;
	size_t		 ncols, cells, width[TABLE_COLS];
	size_t		 max;		/* columns of the terminal; 0: none */
	unsigned	 right;		/* bit per column */
	struct buf	 text;
};
void	 table_init(struct table *t, FILE *f, const char *const *heads, size_t ncols, unsigned right);
void	 table_str(struct table *t, const char *s);	/* s is made safe */
int	 table_end(struct table *t);		/* prints, frees; -1 when memory was out */

#endif
