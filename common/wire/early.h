/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EARLY_H
#define EARLY_H

#include <stddef.h>
#include <stdint.h>

/*
 * The optional early payload at the start of the server's plaintext (protocol.md C.6, rows EARLY).  Its JSON must parse
 * and is otherwise ignored.  No I/O.
 */
#define EARLY_HDR_LEN	9
#define EARLY_MAX	16384		/* security.md D15 */

struct early {
	uint8_t		 hdr[EARLY_HDR_LEN];
	size_t		 have;		/* bytes of hdr */
	uint8_t		*body;
	size_t		 want, got;	/* of the body */
	int		 limit;		/* refused because of its length */
};

void	 early_init(struct early *e);
void	 early_free(struct early *e);
/*
 * 1: decided.  What follows is HTTP/2: first e->hdr[0..e->have) - which may be nothing - then p + *used.
 * 0: all n bytes were used, more are needed.  -1: connection error, *err says why.
 */
int	 early_feed(struct early *e, const uint8_t *p, size_t n, size_t *used, const char **err);

#endif
