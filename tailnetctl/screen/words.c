/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "words.h"

static const char *
word_at(const void *words, size_t stride, size_t i)
{
	const char *w;

	memcpy(&w, (const char *)words + i * stride, sizeof(w));
	return w;
}

static void
list_words(const char *begin, const void *words, size_t n, size_t stride, char *err, size_t errsize)
{
	size_t i;
	int first = 1;

	for (i = 0; i < n; i++) {
		const char *w = word_at(words, stride, i);

		if (strncmp(w, begin, strlen(begin)) != 0)
			continue;
		strlcat(err, first ? "" : " ", errsize);
		strlcat(err, w, errsize);
		first = 0;
	}
}

int
word_match(const char *s, const void *words, size_t n, size_t stride, const char *kind, char *err, size_t errsize)
{
	size_t i, found = 0;
	int at = -1;

	for (i = 0; i < n && *s != '\0'; i++) {
		const char *w = word_at(words, stride, i);

		if (strcmp(w, s) == 0)
			return (int)i;
		if (strncmp(w, s, strlen(s)) == 0) {
			at = (int)i;
			found++;
		}
	}
	if (found == 1)
		return at;
	snprintf(err, errsize, found == 0 ? "unknown %s '%s'; there are: " : "%s '%s' may be: ", kind, s);
	list_words(found == 0 ? "" : s, words, n, stride, err, errsize);
	return found == 0 ? -1 : -2;
}

int
words_line(struct buf *b, const char *verb, int argc, char *const *argv, size_t max, const char **why)
{
	const unsigned char *p;
	int i;

	buf_puts(b, verb);
	for (i = 0; i < argc; i++) {
		if (argv[i][0] == '\0') {
			*why = "an argument is empty";
			return -1;
		}
		for (p = (const unsigned char *)argv[i]; *p != '\0'; p++) {
			if (*p < 0x20 || *p == 0x7f) {
				*why = "an argument holds a control character";
				return -1;
			}
		}
		buf_putc(b, ' ');
		buf_puts(b, argv[i]);
	}
	buf_putc(b, '\n');
	if (b->failed || buf_len(b) > max) {
		*why = "the request is too long";
		return -1;
	}
	return 0;
}
