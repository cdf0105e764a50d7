/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exits.h"
#include "log.h"
#include "mem.h"

#define RESERVE 8192 /* enough to format a line and to queue it on the channel */

static enum mem_policy policy;
static void *reserve;
static int ending;

void
mem_policy(enum mem_policy p)
{
	policy = p;
	if (p == MEM_END && reserve == NULL)
		reserve = xmalloc(RESERVE);
}

int
mem_failed(void)
{
	if (policy == MEM_END)
		mem_exhausted();
	errno = ENOMEM;
	return -1;
}

void
mem_exhausted(void)
{
	/* Writing the line may fail in the same way. */
	if (!ending) {
		ending = 1;
		free(reserve);
		log_errorx("out of memory");
	}
	_exit(EXIT_MEMORY);
}

void *
xmalloc(size_t size)
{
	void *p = malloc(size > 0 ? size : 1);

	if (p == NULL)
		mem_exhausted();
	return p;
}

void *
xcalloc(size_t n, size_t size)
{
	void *p = n > 0 && size > 0 ? calloc(n, size) : calloc(1, 1);

	if (p == NULL)
		mem_exhausted();
	return p;
}

void *
xrealloc(void *p, size_t size)
{
	void *q = realloc(p, size > 0 ? size : 1);

	if (q == NULL)
		mem_exhausted();
	return q;
}

void *
xreallocarray(void *p, size_t n, size_t size)
{
	if (size > 0 && n > SIZE_MAX / size)
		mem_exhausted();
	return xrealloc(p, n * size);
}

char *
xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xmalloc(n), s, n);
}
