/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef HTTP1_H
#define HTTP1_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * HTTP/1.1 as a client of few words: a strict, bounded parser for response heads, bodies, and the requests we send
 * (protocol.md B, C.1, C.2; security.md D15).  No I/O.  Strict: CRLF only, no folding, no control bytes, no space
 * before a colon, no conflicting lengths.
 */
#define HTTP1_HEAD_MAX	8192		/* all heads of one answer, skipped 1xx ones included */
#define HTTP1_LINES_MAX	64
#define HTTP1_REASON_MAX 64

struct http1_field {
	const char	*name, *value;	/* into the parsed bytes; not terminated */
	size_t		 name_len, value_len;
};

struct http1_head {
	int		 status;
	int		 minor;				/* HTTP/1.minor */
	char		 reason[HTTP1_REASON_MAX];	/* sanitised */
	unsigned	 nfields;
	struct http1_field fields[HTTP1_LINES_MAX];
};

/*
 * Parses the head at the start of p.  1xx answers but 101 are skipped.  Returns 1: complete, *used bytes belong to
 * heads and what follows does not; 0: more bytes are needed; -1: malformed or too large, err says why.  The fields
 * point into p.
 */
int	 http1_parse(struct http1_head *h, const uint8_t *p, size_t n, size_t *used, char *err, size_t errsize);
/* First field of that name (any case), or NULL; *count (may be NULL) gets how many there are. */
const struct http1_field *http1_get(const struct http1_head *h, const char *name, unsigned *count);
/* Does a comma list in any field of that name hold the token (any case)? */
int	 http1_has_token(const struct http1_head *h, const char *name, const char *token);
/* The 101 of an upgrade to `protocol`: 0, or -1 with the reason (DIAL-01, DIAL-05). */
int	 http1_check_upgrade(const struct http1_head *h, const char *protocol, char *err, size_t errsize);

/* --- requests; hosts are names or addresses without brackets.  0, or -1: too long, or has forbidden bytes --- */
int	 http1_hostport(struct buf *b, const char *host, unsigned port);		/* "h:80", "[::1]:80" */
int	 http1_build_upgrade(struct buf *b, const char *host, unsigned port, const uint8_t init[101]);
int	 http1_build_connect(struct buf *b, const char *host, unsigned port, const char *proxy_auth);
int	 http1_build_request(struct buf *b, const char *method, const char *authority, const char *path);

#endif
