/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/ioctl.h>

#include <limits.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "text.h"
#include "utf8.h"
#include "width.h"

void
width_init(void)
{
	if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX == 1)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

/* Columns of the character at s; *len is its length. */
static size_t
one(const char *s, size_t n, size_t *len)
{
	uint32_t cp;
	int w;

	if ((*len = utf8_next((const uint8_t *)s, n, &cp)) == 0) {
		*len = 1;
		return 1;
	}
	w = cp < 0x80 ? 1 : wcwidth((wchar_t)cp);
	return w < 0 ? 1 : (size_t)w; /* unknown to the locale */
}

size_t
width_of(const char *s, size_t n)
{
	size_t w = 0, i, len;

	for (i = 0; i < n; i += len)
		w += one(s + i, n - i, &len);
	return w;
}

size_t
width_fit(const char *s, size_t n, size_t max)
{
	size_t i, w = 0, len;

	for (i = 0; i < n; i += len)
		if ((w += one(s + i, n - i, &len)) > max)
			return i;
	return n;
}

size_t
width_terminal(FILE *f)
{
	const char *text = getenv("COLUMNS");
	struct winsize ws;
	int64_t n;
	int fd = fileno(f);

	if (fd == -1 || !isatty(fd))
		return 0;
	if (text != NULL && text_to_i64(text, strlen(text), 1, INT_MAX, &n) == 0)
		return (size_t)n;
	return ioctl(fd, TIOCGWINSZ, &ws) == 0 ? ws.ws_col : 0;
}

void
width_wrap(FILE *f, const char *s, size_t at, size_t indent, size_t max)
{
	const char *gap = s;
	size_t n, w;

	for (; *s != '\0'; s += n) {
		n = strspn(s, " ");
		gap = s;
		s += n;
		n = strcspn(s, " ");
		w = width_of(gap, (size_t)(s - gap) + n);
		if (max > 0 && at + w > max && at > indent) {
			fprintf(f, "\n%*s", (int)indent, "");
			at = indent;
			gap = s;
			w = width_of(s, n);
		}
		fwrite(gap, 1, (size_t)(s - gap) + n, f);
		at += w;
	}
}
