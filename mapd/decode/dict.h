/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DICT_H
#define DICT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Strings kept once: the names of protocol.md E and F (always the same index, see names.h) and, while a big list
 * is read, repeated texts (versions, tags, capabilities).  It only grows, up to its limit, and is freed with the
 * peers that use it.
 */
struct dict;

struct dict *dict_new(void);
void	 dict_free(struct dict *d);			/* NULL is fine */

uint64_t dict_hash(const struct dict *d, const uint8_t *s, size_t n);
/* Index of a text in its escaped form, 0 = not there. */
unsigned dict_find(const struct dict *d, const uint8_t *s, size_t n);
/* The same; a text that was seen recently is added. */
unsigned dict_learn(struct dict *d, const uint8_t *s, size_t n);
/* The same for a domain: the first few are added at once, so that the first peer is packed like the others. */
unsigned dict_learn_domain(struct dict *d, const uint8_t *s, size_t n);
const uint8_t *dict_text(const struct dict *d, unsigned idx, size_t *n);
size_t	 dict_bytes(const struct dict *d);

#endif
