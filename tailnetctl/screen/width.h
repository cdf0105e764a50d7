/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef WIDTH_H
#define WIDTH_H

#include <stddef.h>
#include <stdio.h>

/*
 * Columns of a terminal that texts have there: two for a character of East Asia and for an emoji, none for an accent
 * (wcwidth(3)).  A sequence of several characters that a terminal draws as one is counted as their sum.
 */
void	 width_init(void);			/* at the start: a locale that knows the characters */
size_t	 width_of(const char *s, size_t n);	/* of n bytes of UTF-8 without control characters */
/* The bytes of whole characters at s that have at most max columns. */
size_t	 width_fit(const char *s, size_t n, size_t max);
size_t	 width_terminal(FILE *f);		/* columns of the terminal; 0: it is no terminal, or does not say */

/*
 * Text for people, word by word: the first line begins in column `at`, each further one with `indent` blanks; no line
 * is longer than max columns (0: one line), except for a word that does not fit.  Ends without a line break.
 */
void	 width_wrap(FILE *f, const char *s, size_t at, size_t indent, size_t max);

#endif
