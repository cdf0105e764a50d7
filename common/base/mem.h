/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MEM_H
#define MEM_H

#include <stddef.h>

/*
 * What happens when memory runs out: the parent never ends for it, a child always does and is restarted.
 *
 *   parent, tailnetctl   MEM_FAIL, the default: functions of base, json and ipc report ENOMEM, the request fails
 *   children             MEM_END, set first in main(): the process ends with EXIT_MEMORY, after one line in the log
 *
 * Limits on what a server or a user may make a process hold are separate: every process checks them before it
 * allocates.
 */
enum mem_policy { MEM_FAIL, MEM_END };

/* MEM_END also reserves a little memory for the last line.  Call it once. */
void	 mem_policy(enum mem_policy p);
/* An allocation has failed.  MEM_END: does not return.  MEM_FAIL: returns -1 with errno ENOMEM. */
int	 mem_failed(void);
void	 mem_exhausted(void) __attribute__((noreturn));	/* one line in the log, then _exit(EXIT_MEMORY) */

/*
 * For code that only children link (wire, child, authd, mapd, resolver; `make arrows` checks the others).  They never
 * return NULL: without memory they end the process as above, whatever the policy.  A size of 0 gives memory, too.  An
 * overflow of n * size counts as not enough memory.  Free with free().
 */
void	*xmalloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void	*xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));	/* zeroed */
void	*xrealloc(void *p, size_t size) __attribute__((returns_nonnull, warn_unused_result));
void	*xreallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull, warn_unused_result));
char	*xstrdup(const char *s) __attribute__((malloc, returns_nonnull, warn_unused_result));

#endif
