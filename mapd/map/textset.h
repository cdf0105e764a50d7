/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef TEXTSET_H
#define TEXTSET_H

#include "dict.h"
#include "hash.h"
#include "pack.h"

/* Texts met so far, for lists of any length that a server sends: each is looked up in constant time. */
struct textset {
	struct pb	 text;
	size_t		*end;		/* of each in text */
	size_t		 n, cap;
	struct hash	 hash;
};
/* Begin with a zeroed set. d: for its seed; always the same one. */
int	 textset_has(const struct textset *ts, const struct dict *d, const uint8_t *s, size_t n);
/* 1 = added (copied), 0 = it was in the set already. */
int	 textset_add(struct textset *ts, const struct dict *d, const uint8_t *s, size_t n);
void	 textset_free(struct textset *ts);

#endif
