/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef HTTP1BODY_H
#define HTTP1BODY_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "http1.h"

/* Bodies of HTTP/1.1 answers. */
enum http1_body_kind { HTTP1_BODY_NONE, HTTP1_BODY_LENGTH, HTTP1_BODY_CHUNKED, HTTP1_BODY_CLOSE };
struct http1_body {
	enum http1_body_kind kind;
	uint64_t	 left;		/* of the body, or of the chunk */
	int		 state;		/* of the chunk parser */
	unsigned	 digits, lines;
	size_t		 line_len;
};
/* How the answer to `method` carries its body.  0, or -1: contradictory. */
int	 http1_body_init(struct http1_body *b, const struct http1_head *h, const char *method, char *err,
	    size_t errsize);
/*
 * Appends decoded bytes to `out`, whose max is the limit of the body.  1: complete (anything left over is ignored); 0:
 * more; -1: malformed or larger than out->max.
 */
int	 http1_body_feed(struct http1_body *b, const uint8_t *p, size_t n, struct buf *out, char *err, size_t errsize);
/* The stream ended: 1: the body is complete, -1: cut off. */
int	 http1_body_eof(const struct http1_body *b);

#endif
