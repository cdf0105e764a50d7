/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_DIR_H
#define UTIL_DIR_H

#include <stddef.h>
#include <sys/types.h>

/* A directory of a test's own; path of a name in it. */
struct dir { char path[256]; };
void	 dir_make(struct dir *d);		/* mode 0700 */
void	 dir_remove(struct dir *d);		/* with everything in it */
const char *dir_path(const struct dir *d, const char *name, char out[512]);
void	 dir_write(const struct dir *d, const char *name, const char *text, size_t n, mode_t mode);
/* Fails the test when it is not there. */
size_t	 dir_read(const struct dir *d, const char *name, char *text, size_t size);
int	 dir_has(const struct dir *d, const char *name);

#endif
