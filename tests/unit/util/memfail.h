/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MEMFAIL_H
#define MEMFAIL_H

/*
 * Linked to test_*_memory.c only: malloc, calloc and realloc replace those of libc, for the libraries too.  Allocations
 * of the processes that the test forks are counted; one of them fails.  Those of the test itself never do.
 */
void	 memfail_init(void);			/* first thing in the test */
void	 memfail_at(unsigned long n);		/* count from 0 again, let the n-th fail; 0: none */
unsigned long memfail_count(void);

#endif
