/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MEM_H
#define MEM_H

#include <stddef.h>

/*
 * What happens when memory runs out (decisions: the parent never ends for it, a child always does, and is restarted).
 *
 *   parent, tailnetctl   MEM_FAIL, the default: functions of base, json and ipc report it with ENOMEM, the request at hand fails
 *   children             MEM_END, set first thing in main(): the process ends with EXIT_MEMORY, after one line in the log
 *
 * Limits on what a server or a user may make us hold are not this: they are checked before memory is spent, in every process.
 */
enum mem_policy { MEM_FAIL, MEM_END };

/* MEM_END also puts a little memory aside, for the last line.  Call it once. */
void	 mem_policy(enum mem_policy p);
/* An allocation has failed.  MEM_END: does not return.  MEM_FAIL: returns -1 with errno ENOMEM. */
int	 mem_failed(void);
void	 mem_exhausted(void) __attribute__((noreturn));	/* one line in the log, then _exit(EXIT_MEMORY) */

/*
 * For code that only children link (wire, child, authd, mapd, resolver; `make arrows` checks the others).  They never return NULL:
 * without memory they end the process as above, whatever the policy.  A size of 0 gives memory, too; n * size may not overflow:
 * that counts as not enough memory.  Free with free().
 */
void	*xmalloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void	*xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));	/* zeroed */
void	*xrealloc(void *p, size_t size) __attribute__((returns_nonnull, warn_unused_result));
void	*xreallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull, warn_unused_result));
char	*xstrdup(const char *s) __attribute__((malloc, returns_nonnull, warn_unused_result));

#endif
