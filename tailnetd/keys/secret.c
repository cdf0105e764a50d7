/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/mman.h>
#include <sys/syscall.h>
#if defined(SYS_memfd_secret)
#include <sys/random.h>
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#include "secret.h"

struct secret {
	uint8_t *mem;
	size_t size;
	size_t mapped; /* bytes at mem; 0: sodium_malloc() */
	unsigned opened;
};

#if defined(SYS_memfd_secret)
#define OWN_NAME "memfd_secret"
#elif defined(MAP_CONCEAL)
#define OWN_NAME "conceal"
#else
#define OWN_NAME ""
#endif

static int own_missing; /* the kernel has no such memory: do not ask again */

#if defined(SYS_memfd_secret)
/*
 * Takes the memory now.  The first write to a page would otherwise do that, and end the process with a signal if there
 * is none; a system call that writes there fails instead.  (MADV_POPULATE_WRITE refuses such memory.)
 */
static int
populate(uint8_t *mem, size_t mapped, size_t page)
{
	size_t at;

	for (at = 0; at < mapped; at += page)
		if (getrandom(mem + at, 1, 0) != 1)
			return -1;
	return 0;
}

/* A shared mapping of a secret memory file between two guard pages, or NULL. */
static uint8_t *
map_own(size_t mapped, size_t page)
{
	uint8_t *mem = NULL, *around;
	int fd;

	if ((fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC)) == -1)
		return NULL;
	around = mmap(NULL, mapped + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (around != MAP_FAILED && ftruncate(fd, (off_t)mapped) == 0) {
		mem = mmap(around + page, mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
		if (mem == MAP_FAILED || madvise(mem, mapped, MADV_DONTFORK) == -1 ||
		    populate(mem, mapped, page) == -1) {
			munmap(around, mapped + 2 * page);
			mem = NULL;
		}
	} else if (around != MAP_FAILED)
		munmap(around, mapped + 2 * page);
	close(fd);
	return mem;
}
#elif defined(MAP_CONCEAL)
/*
 * OpenBSD: in no core file, swap is encrypted there by default, and fork leaves it zeroed.  Not sodium_malloc():
 * handshakes begin behind pledge(2), which knows no mlock(2).
 */
static uint8_t *
map_own(size_t mapped, size_t page)
{
	uint8_t *around, *mem;

	around = mmap(NULL, mapped + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_CONCEAL, -1, 0);
	if (around == MAP_FAILED)
		return NULL;
	mem = around + page;
	if (mprotect(mem, mapped, PROT_READ | PROT_WRITE) == 0 && minherit(mem, mapped, MAP_INHERIT_ZERO) == 0)
		return mem;
	munmap(around, mapped + 2 * page);
	return NULL;
}
#else
static uint8_t *
map_own(size_t mapped, size_t page)
{
	(void)mapped;
	(void)page;
	return NULL;
}
#endif

static void
set_access(struct secret *s, int prot)
{
	if (s->mapped != 0) {
		if (mprotect(s->mem, s->mapped, prot) == -1)
			abort();
	} else if (prot == PROT_NONE)
		sodium_mprotect_noaccess(s->mem);
	else
		sodium_mprotect_readwrite(s->mem);
}

struct secret *
secret_new(size_t size)
{
	struct secret *s;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (sodium_init() == -1 || (s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->size = size;
	s->mapped = (size + page - 1) / page * page;
	if (!own_missing && (s->mem = map_own(s->mapped, page)) == NULL)
		own_missing = errno == ENOSYS;
	if (s->mem == NULL) {
		s->mapped = 0;
		if ((s->mem = sodium_malloc(size)) == NULL) {
			free(s);
			errno = ENOMEM;
			return NULL;
		}
#ifdef MADV_DONTFORK
		/* Best effort: exec'd children never see it, a fork that is about to exec should not either. */
		(void)madvise(s->mem - ((uintptr_t)s->mem % page), size + (uintptr_t)s->mem % page, MADV_DONTFORK);
#endif
	}
	sodium_memzero(s->mem, size);
	set_access(s, PROT_NONE);
	return s;
}

void
secret_free(struct secret *s)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (s == NULL)
		return;
	set_access(s, PROT_READ | PROT_WRITE);
	sodium_memzero(s->mem, s->size);
	if (s->mapped != 0)
		munmap(s->mem - page, s->mapped + 2 * page);
	else
		sodium_free(s->mem);
	free(s);
}

void *
secret_open(struct secret *s)
{
	if (s->opened++ == 0)
		set_access(s, PROT_READ | PROT_WRITE);
	return s->mem;
}

void
secret_close(struct secret *s)
{
	if (--s->opened == 0)
		set_access(s, PROT_NONE);
}

const char *
secret_backend(void)
{
	struct secret *s = secret_new(1); /* tries, so that the answer is true */
	const char *name = s != NULL && s->mapped != 0 ? OWN_NAME : "mlock";

	secret_free(s);
	return name;
}
