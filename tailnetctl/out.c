/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "ctl.h"
#include "out.h"
#include "text.h"

#define LABEL_WIDTH 13

void
out_safe(FILE *f, const char *s, size_t n)
{
	char safe[8 * 256 + 1];
	size_t piece;

	while (n > 0) {
		piece = n;
		if (piece > 256) {
			/* Not in the middle of a character: at most three bytes of one can be at the end. */
			piece = 256;
			while (piece > 252 && ((unsigned char)s[piece] & 0xc0) == 0x80)
				piece--;
		}
		text_sanitize(s, piece, safe, sizeof(safe));
		fputs(safe, f);
		s += piece;
		n -= piece;
	}
}

void
out_json(FILE *f, const char *s, size_t n, int *half)
{
	const char *end = s + n, *run = s;

	for (; s < end; s++) {
		unsigned char c = (unsigned char)*s;

		if (*half) { /* 0xc2 was not printed yet */
			*half = 0;
			if (c >= 0x80 && c < 0xa0) {
				fprintf(f, "\\u%04x", (unsigned)c);
				run = s + 1;
				continue;
			}
			fputc(0xc2, f);
		}
		if (c == 0x7f || c == 0xc2) {
			fwrite(run, 1, (size_t)(s - run), f);
			run = s + 1;
			*half = c == 0xc2;
			if (c == 0x7f)
				fputs("\\u007f", f);
		}
	}
	fwrite(run, 1, (size_t)(end - run), f);
}

static const char *
color_code(enum color color)
{
	switch (color) {
	case COLOR_GOOD: return "\033[32m";
	case COLOR_WARN: return "\033[33m";
	case COLOR_BAD: return "\033[31m";
	case COLOR_DIM: return "\033[2m";
	case COLOR_NONE: break;
	}
	return "";
}

void
out_color(const struct ctl *c, enum color color, const char *s)
{
	int on = c->color && color != COLOR_NONE;

	if (on)
		fputs(color_code(color), c->out);
	out_safe(c->out, s, strlen(s));
	if (on)
		fputs("\033[0m", c->out);
}

void
out_field_color(const struct ctl *c, const char *label, enum color color, const char *value)
{
	if (value[0] == '\0')
		return;
	fprintf(c->out, "%-*s ", LABEL_WIDTH, label);
	out_color(c, color, value);
	fputc('\n', c->out);
}

void
out_field(const struct ctl *c, const char *label, const char *value)
{
	out_field_color(c, label, COLOR_NONE, value);
}

/* Terminal columns, taking each character for one. */
static size_t
columns(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Cuts s to max columns, the last three of them dots. */
static void
cut_columns(char *s, size_t max)
{
	size_t n = 0, i;

	if (columns(s) <= max)
		return;
	for (i = 0; n < max - 3 || ((unsigned char)s[i] & 0xc0) == 0x80; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	memcpy(s + i, "...", 4);
}

void
table_init(struct table *t, FILE *f, const char *const *heads, size_t ncols, unsigned right)
{
	size_t i;

	memset(t, 0, sizeof(*t));
	t->f = f;
	t->ncols = ncols;
	t->right = right;
	buf_init(&t->text, (size_t)TABLE_BLOCK * TABLE_COLS * (4 * TABLE_CELL_MAX + 64));
	for (i = 0; i < ncols; i++)
		table_str(t, heads[i]);
}

/* Prints a cell; *gap is the space to print before the next one, so that no line ends in blanks. */
static void
print_cell(const struct table *t, size_t col, const char *s, size_t *gap)
{
	size_t w = columns(s), pad = t->width[col] > w ? t->width[col] - w : 0;

	if (t->right >> col & 1) {
		*gap += pad;
		pad = 0;
	}
	if (*s != '\0') {
		fprintf(t->f, "%*s%s", (int)*gap, "", s);
		*gap = 0;
	}
	*gap += pad + 2;
}

static void
table_flush(struct table *t)
{
	const char *s = (const char *)buf_ptr(&t->text);
	size_t i, gap = 0;

	for (i = 0; i < t->cells; i++) {
		print_cell(t, i % t->ncols, s, &gap);
		s += strlen(s) + 1;
		if ((i + 1) % t->ncols == 0) {
			fputc('\n', t->f);
			gap = 0;
		}
	}
	t->cells = 0;
	t->text.off = t->text.end = 0;
}

static void
table_cell(struct table *t, const char *s, size_t n)
{
	char safe[4 * TABLE_CELL_MAX + 64];
	size_t w;

	text_sanitize(s, n, safe, sizeof(safe));
	/* The last one moves no other: it is not cut. */
	cut_columns(safe, (t->cells + 1) % t->ncols == 0 ? sizeof(safe) : TABLE_CELL_MAX);
	if (buf_put(&t->text, safe, strlen(safe) + 1) == -1)
		return;
	if ((w = columns(safe)) > t->width[t->cells % t->ncols])
		t->width[t->cells % t->ncols] = w;
	if (++t->cells == TABLE_BLOCK * t->ncols)
		table_flush(t);
}

void
table_str(struct table *t, const char *s)
{
	table_cell(t, s, strlen(s));
}

int
table_end(struct table *t)
{
	int failed = t->text.failed;

	table_flush(t);
	buf_free(&t->text);
	return failed ? -1 : 0;
}
