/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef BLOB_H
#define BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "dict.h"

/* One packed value, or a struct node.  Immutable and counted. */
struct blob {
	unsigned	 refs;
	uint32_t	 is_node;
	size_t		 n;
	_Alignas(8) uint8_t p[];
};
struct blob *blob_new(const void *p, size_t n);
struct blob *blob_ref(struct blob *b);
void	 blob_unref(struct blob *b);			/* NULL is fine */
int	 blob_equal(const struct blob *a, const struct blob *b);

/* Named values in byte order of their names: filter chunks, display messages.  Immutable and counted. */
struct blobmap {
	unsigned	 refs;
	size_t		 n;
	size_t		 bytes;			/* of all names and values */
	struct blobmap_entry { struct blob *name, *value; } e[];	/* name: unescaped bytes */
};
/*
 * old (NULL = empty) with a patch: first base (if not NULL) is set under "base", then patch (packed object, NULL =
 * none): "*":null clears all, null removes, other values set, "*" itself never stays (protocol.md E.5).
 */
struct blobmap *blobmap_patch(const struct blobmap *old, struct blob *base, const uint8_t *patch, const struct dict *d);
struct blobmap *blobmap_ref(struct blobmap *m);
void	 blobmap_unref(struct blobmap *m);
int	 blobmap_equal(const struct blobmap *a, const struct blobmap *b);
size_t	 blobmap_bytes(const struct blobmap *m);	/* NULL: 0 */

#endif
