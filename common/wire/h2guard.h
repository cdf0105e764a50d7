/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef H2GUARD_H
#define H2GUARD_H

#include <stddef.h>
#include <stdint.h>

/*
 * Looks at HTTP/2 frame headers before nghttp2 does and keeps the budgets of security.md D15, so that they hold for
 * every version of the library.  It also keeps headers together: nghttp2 counts a CONTINUATION once for each piece of
 * its header.
 */
struct h2guard {
	uint8_t		 hdr[9];
	size_t		 have;
	uint32_t	 left;		/* payload bytes of the current frame */
	unsigned	 continuations;
	uint64_t	*ring;		/* times of the last H2_BUDGET control frames */
	unsigned	 at, count;
	unsigned	 earned;	/* WINDOW_UPDATEs that what we sent gives reason for: not counted */
	int		 limit;		/* what was wrong is that a budget was used up */
};

void	 h2guard_init(struct h2guard *g);
void	 h2guard_free(struct h2guard *g);
/*
 * Takes the next part of *p, *n (both move on): a whole frame header or a piece of payload, in *part, *len, for
 * nghttp2.  1: there is one; 0: all was used; -1: *why says what is wrong.
 */
int	 h2guard_next(struct h2guard *g, const uint8_t **p, size_t *n, const uint8_t **part, size_t *len,
	    uint64_t now_ms, const char **why);
/* We sent one more DATA frame: the server may answer it for its stream and for the connection. */
void	 h2guard_sent(struct h2guard *g);
const char *h2guard_count(struct h2guard *g, uint64_t now_ms);	/* one more control frame */

#endif
