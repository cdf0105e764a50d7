/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "table.h"
#include "text.h"
#include "width.h"

#define GAP      2    /* between two columns */
#define CELL_MAX 8192 /* bytes, made safe: more than any caller has */

void
table_init(struct table *t, FILE *f, const char *const *heads, size_t ncols, unsigned right)
{
	size_t i;

	memset(t, 0, sizeof(*t));
	t->f = f;
	t->ncols = ncols;
	t->right = right;
	t->max = width_terminal(f);
	buf_init(&t->text, TABLE_BYTES + TABLE_COLS * CELL_MAX);
	for (i = 0; i < ncols; i++)
		table_str(t, heads[i]);
}

/* What the widths of all columns leave for the last one. */
static size_t
room_for_last(const struct table *t)
{
	size_t i, used = 0;

	for (i = 0; i + 1 < t->ncols; i++)
		used += t->width[i] + GAP;
	return t->max > used ? t->max - used : 0;
}

/* The widths that fit on the terminal: the widest column gives way first. */
static void
fit(struct table *t)
{
	size_t last = t->ncols - 1, i, widest, need;

	if (t->max == 0)
		return;
	need = t->width[last] < TABLE_LAST_MIN ? t->width[last] : TABLE_LAST_MIN;
	while (room_for_last(t) < need) {
		for (widest = i = 0; i < last; i++)
			if (t->width[i] > t->width[widest])
				widest = i;
		if (t->width[widest] <= TABLE_CELL_MIN)
			break;
		t->width[widest]--;
	}
}

/* The last cell of a row: *gap blanks, then its words, which continue below its beginning. */
static void
print_last(const struct table *t, const char *s, size_t gap)
{
	size_t room = room_for_last(t), at = t->max - room;

	fprintf(t->f, "%*s", (int)gap, "");
	if (t->max == 0 || room < TABLE_CELL_MIN)
		fputs(s, t->f);
	else
		width_wrap(t->f, s, at, at, t->max);
}

/* Prints a cell; *gap is the space to print before the next one, so that no line ends in blanks. */
static void
print_cell(const struct table *t, size_t col, const char *s, size_t *gap)
{
	size_t n = strlen(s), w = width_of(s, n), pad;
	int cut = w > t->width[col];

	if (cut) {
		n = width_fit(s, n, t->width[col] - 3);
		w = width_of(s, n) + 3;
	}
	pad = t->width[col] > w ? t->width[col] - w : 0;
	if (t->right >> col & 1) {
		*gap += pad;
		pad = 0;
	}
	if (n > 0 || cut) {
		fprintf(t->f, "%*s%.*s%s", (int)*gap, "", (int)n, s, cut ? "..." : "");
		*gap = 0;
	}
	*gap += pad + GAP;
}

static void
table_flush(struct table *t)
{
	const char *s = (const char *)buf_ptr(&t->text);
	size_t i, col, gap = 0;

	fit(t);
	for (i = 0; i < t->cells; i++, s += strlen(s) + 1) {
		if ((col = i % t->ncols) + 1 < t->ncols || (t->right >> col & 1)) {
			print_cell(t, col, s, &gap);
		} else if (*s != '\0')
			print_last(t, s, gap);
		if (col + 1 == t->ncols) {
			fputc('\n', t->f);
			gap = 0;
		}
	}
	t->cells = 0;
	t->text.off = t->text.end = 0;
}

void
table_str(struct table *t, const char *s)
{
	char safe[CELL_MAX];
	size_t col = t->cells % t->ncols, w;

	text_sanitize(s, strlen(s), safe, sizeof(safe));
	if (buf_put(&t->text, safe, strlen(safe) + 1) == -1)
		return;
	if ((w = width_of(safe, strlen(safe))) > t->width[col])
		t->width[col] = w;
	t->cells++;
	if (col + 1 == t->ncols && (t->cells == TABLE_BLOCK * t->ncols || buf_len(&t->text) > TABLE_BYTES))
		table_flush(t);
}

int
table_end(struct table *t)
{
	int failed = t->text.failed;

	table_flush(t);
	buf_free(&t->text);
	return failed ? -1 : 0;
}
