/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/mman.h>
#include <sys/types.h>

#include <stdlib.h>
#include <unistd.h>

#include "memfail.h"

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static pid_t tester;
static volatile struct {
	unsigned long at, count;
} * shared; /* with the processes that it forks */

static int
fails(void)
{
	return shared != NULL && getpid() != tester && ++shared->count == shared->at;
}

void *
malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}

void
memfail_init(void)
{
	void *p = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	tester = getpid();
	shared = p;
}

void
memfail_at(unsigned long n)
{
	shared->at = n;
	shared->count = 0;
}

unsigned long
memfail_count(void)
{
	return shared->count;
}
