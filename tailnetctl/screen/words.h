/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>

struct buf;

/* Words of commands and of requests.  Pure. */
/*
 * The index of the one word that s abbreviates (an exact match always wins); -1 none, -2 several: err then says which.
 * stride: bytes from one word pointer to the next, so that a table of structs whose first member is the name will do.
 */
int	 word_match(const char *s, const void *words, size_t n, size_t stride, const char *kind, char *err,
	    size_t errsize);
/* "verb arg arg\n" into b; -1 with a reason: empty argument, control character, longer than max. */
int	 words_line(struct buf *b, const char *verb, int argc, char *const *argv, size_t max, const char **why);

#endif
