/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "command_line.h"
#include "text.h"
#include "utf8.h"

const struct command command_table[COMMAND_COUNT] = {
#define C(id, name, class, min, max, tail, usage, run, args, help, words) \
	[COMMAND_##id] = { name, IPC_CLASS_##class, min, max, COMMAND_##tail, usage },
#define T(name, run, args, help, words)
	COMMANDS(C, T)
#undef C
#undef T
};

static int
line_clean(const char *line, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			return 0;
	return utf8_valid(line, n);
}

static char *
skip_blanks(char *s)
{
	return s + strspn(s, " \t");
}

/* Ends the argument at s; returns what follows it. */
static char *
cut_word(char *s)
{
	s += strcspn(s, " \t");
	if (*s != '\0')
		*s++ = '\0';
	return skip_blanks(s);
}

static int
count_words(const char *s)
{
	int n = 0;

	for (s += strspn(s, " \t"); *s != '\0'; s += strspn(s, " \t")) {
		n++;
		s += strcspn(s, " \t");
	}
	return n;
}

static void
cut_end(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		s[--n] = '\0';
}

int
command_line_read(struct command_line *cl, char *line, size_t n)
{
	char *rest;
	unsigned id;

	memset(cl, 0, sizeof(*cl));
	if (!line_clean(line, n))
		return -1;
	cl->name = skip_blanks(line);
	rest = cut_word(cl->name);
	for (id = 0; id < COMMAND_COUNT && strcmp(command_table[id].name, cl->name) != 0; id++)
		;
	cl->id = (enum command_id)id;
	if (id == COMMAND_COUNT)
		return 0;
	if (command_table[id].tail == COMMAND_SPLIT) {
		for (; *rest != '\0' && cl->n < COMMAND_ARGS; rest = cut_word(rest))
			cl->args[cl->n++] = rest;
		return 0;
	}
	cl->args[0] = rest;
	if (command_table[id].tail == COMMAND_WHOLE) {
		cl->n = *rest != '\0';
	} else {
		cut_end(rest);
		cl->n = count_words(rest);
		cl->private = id == COMMAND_wgconf && strcmp(rest, "private") == 0;
	}
	return 0;
}

int
command_line_fits(const struct command_line *cl)
{
	const struct command *c = &command_table[cl->id];

	return cl->n >= c->min && cl->n <= c->max;
}
