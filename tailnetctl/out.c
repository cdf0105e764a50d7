/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "ctl.h"
#include "out.h"
#include "text.h"
#include "utf8.h"
#include "width.h"

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

static void
out_color_on(const struct ctl *c, enum color color)
{
	if (c->color && color != COLOR_NONE)
		fputs(color_code(color), c->out);
}

static void
out_color_off(const struct ctl *c, enum color color)
{
	if (c->color && color != COLOR_NONE)
		fputs("\033[0m", c->out);
}

void
out_color(const struct ctl *c, enum color color, const char *s)
{
	out_color_on(c, color);
	out_safe(c->out, s, strlen(s));
	out_color_off(c, color);
}

/* A value without blanks that is too long for the terminal behind its label, like a key, has a line of its own. */
void
out_field_color(const struct ctl *c, const char *label, enum color color, const char *value)
{
	size_t max = width_terminal(c->out), at = LABEL_WIDTH + 1;
	char safe[8192];

	if (value[0] == '\0')
		return;
	text_sanitize(value, strlen(value), safe, sizeof(safe));
	if (max > 0 && strchr(safe, ' ') == NULL && at + width_of(safe, strlen(safe)) > max) {
		fprintf(c->out, "%s\n  ", label);
		at = 2;
	} else
		fprintf(c->out, "%-*s ", LABEL_WIDTH, label);
	out_color_on(c, color);
	width_wrap(c->out, safe, at, LABEL_WIDTH + 1, max);
	out_color_off(c, color);
	fputc('\n', c->out);
}

void
out_field(const struct ctl *c, const char *label, const char *value)
{
	out_field_color(c, label, COLOR_NONE, value);
}
