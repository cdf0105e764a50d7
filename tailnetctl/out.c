/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "ctl.h"
#include "out.h"
#include "text.h"
#include "utf8.h"

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

/* The bytes that the character with this first byte has; 1: none begins so. */
static size_t
expected(uint8_t lead)
{
	return lead >= 0xc2 && lead < 0xe0 ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 1;
}

/* j->part may become a character with more bytes. */
static int
is_beginning(const struct json_out *j)
{
	uint8_t whole[4] = { j->part[0], 0x80, 0x80, 0x80 };
	size_t i, want = expected(j->part[0]);
	uint32_t cp;

	if (j->n >= want)
		return 0;
	if (j->n == 1)
		return 1;
	for (i = 1; i < j->n; i++)
		whole[i] = j->part[i];
	return utf8_next(whole, want, &cp) != 0;
}

/* Prints the character or the bad byte that j->part begins with; 0: it must wait for more bytes. */
static int
put_part(FILE *f, struct json_out *j, int last)
{
	uint32_t cp;
	size_t len;

	if (j->n == 0 || ((len = utf8_next(j->part, j->n, &cp)) == 0 && !last && is_beginning(j)))
		return 0;
	if (len == 0) {
		fputs("\\ufffd", f);
		len = 1;
	} else if (cp != '\n' && cp != '\t' && !text_is_harmless(cp))
		fprintf(f, "\\u%04x", (unsigned)cp);
	else
		fwrite(j->part, 1, len, f);
	j->n -= len;
	memmove(j->part, j->part + len, j->n);
	return 1;
}

void
out_json(FILE *f, struct json_out *j, const char *s, size_t n)
{
	const char *end = s + n, *run;

	while (s < end) {
		for (run = s; j->n == 0 && s < end && ((*s >= ' ' && *s < 0x7f) || *s == '\n'); s++)
			continue;
		fwrite(run, 1, (size_t)(s - run), f);
		if (s == end)
			return;
		j->part[j->n++] = (uint8_t)*s++;
		while (put_part(f, j, 0))
			continue;
	}
}

void
out_json_end(FILE *f, struct json_out *j)
{
	while (put_part(f, j, 1))
		continue;
}

void
out_json_line(FILE *f, const char *s, size_t n)
{
	struct json_out j = { 0 };

	out_json(f, &j, s, n);
	out_json_end(f, &j);
	fputc('\n', f);
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
