/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "hex.h"
#include "http1body.h"
#include "keytext.h"
#include "text.h"

#define CHUNK_LINE_MAX 256 /* a chunk-size line with its extensions, or a trailer line */

enum { CH_SIZE, CH_EXT, CH_SIZE_LF, CH_DATA, CH_DATA_CR, CH_DATA_LF, CH_TRAILER, CH_TRAILER_LF, CH_END };

static int
bad(char *err, size_t errsize, const char *what)
{
	snprintf(err, errsize, "%s", what);
	return -1;
}

/* All Content-Length fields must say the same. */
static int
content_length(const struct http1_head *h, const struct http1_field *first, uint64_t *out)
{
	int64_t v, other;

	if (first->value_len == 0 || *first->value < '0' || *first->value > '9' ||
	    text_to_i64(first->value, first->value_len, 0, INT64_MAX, &v) == -1)
		return -1;
	for (const struct http1_field *f = first + 1; f < h->fields + h->nfields; f++) {
		struct http1_head one = { .nfields = 1 };
		one.fields[0] = *f;
		if (http1_get(&one, "Content-Length", NULL) == NULL)
			continue;
		if (text_to_i64(f->value, f->value_len, 0, INT64_MAX, &other) == -1 || other != v)
			return -1;
	}
	*out = (uint64_t)v;
	return 0;
}

int
http1_body_init(struct http1_body *b, const struct http1_head *h, const char *method, char *err, size_t errsize)
{
	const struct http1_field *te, *cl;
	unsigned nte;

	memset(b, 0, sizeof(*b));
	te = http1_get(h, "Transfer-Encoding", &nte);
	cl = http1_get(h, "Content-Length", NULL);
	b->kind = HTTP1_BODY_NONE;
	if (strcmp(method, "HEAD") == 0 || h->status == 204 || h->status == 304)
		return 0;
	if (te != NULL) {
		if (cl != NULL)
			return bad(err, errsize, "both Content-Length and Transfer-Encoding");
		if (nte != 1 || te->value_len != 7 || !http1_has_token(h, "Transfer-Encoding", "chunked"))
			return bad(err, errsize, "unknown Transfer-Encoding");
		b->kind = HTTP1_BODY_CHUNKED;
		b->state = CH_SIZE;
		return 0;
	}
	b->kind = HTTP1_BODY_CLOSE;
	if (cl == NULL)
		return 0;
	b->kind = HTTP1_BODY_LENGTH;
	if (content_length(h, cl, &b->left) == -1)
		return bad(err, errsize, "malformed Content-Length");
	return 0;
}

/* The size line after its digits: an extension is skipped. */
static int
chunk_size_byte(struct http1_body *b, uint8_t c)
{
	int v = hex_value(c);

	if (v >= 0) {
		if (++b->digits > 8)
			return -1;
		b->left = b->left << 4 | (unsigned)v;
		return 0;
	}
	if (b->digits == 0)
		return -1;
	if (c == '\r')
		b->state = CH_SIZE_LF;
	else if (c == ';' || c == ' ' || c == '\t')
		b->state = CH_EXT;
	else
		return -1;
	return 0;
}

/* One byte that is not chunk data.  -1: malformed. */
static int
chunk_byte(struct http1_body *b, uint8_t c)
{
	switch (b->state) {
	case CH_SIZE: return chunk_size_byte(b, c);
	case CH_EXT:
		if (c == '\r')
			b->state = CH_SIZE_LF;
		else if (++b->line_len > CHUNK_LINE_MAX || (c < 0x20 && c != '\t') || c == 0x7f)
			return -1;
		return 0;
	case CH_SIZE_LF:
		b->state = b->left == 0 ? CH_TRAILER : CH_DATA;
		b->digits = 0;
		b->line_len = 0;
		return c == '\n' ? 0 : -1;
	case CH_DATA_CR: b->state = CH_DATA_LF; return c == '\r' ? 0 : -1;
	case CH_DATA_LF:
		b->state = CH_SIZE;
		b->left = 0;
		return c == '\n' ? 0 : -1;
	case CH_TRAILER:
		if (c == '\r')
			b->state = CH_TRAILER_LF;
		else if (++b->line_len > CHUNK_LINE_MAX || (c < 0x20 && c != '\t') || c == 0x7f)
			return -1;
		return 0;
	default: /* CH_TRAILER_LF */
		if (c != '\n' || ++b->lines > HTTP1_LINES_MAX)
			return -1;
		b->state = b->line_len == 0 ? CH_END : CH_TRAILER;
		b->line_len = 0;
		return 0;
	}
}

static int
take(struct http1_body *b, const uint8_t **p, size_t *n, struct buf *out, char *err, size_t errsize)
{
	size_t part = *n;

	if (b->kind != HTTP1_BODY_CLOSE && part > b->left)
		part = (size_t)b->left;
	if (part == 0)
		return 0;
	if (buf_put(out, *p, part) == -1) {
		snprintf(err, errsize, "body larger than %zu bytes", out->max);
		return -1;
	}
	*p += part;
	*n -= part;
	if (b->kind != HTTP1_BODY_CLOSE)
		b->left -= part;
	return 0;
}

static int
feed_chunked(struct http1_body *b, const uint8_t *p, size_t n, struct buf *out, char *err, size_t errsize)
{
	while (n > 0 && b->state != CH_END) {
		if (b->state == CH_DATA) {
			if (take(b, &p, &n, out, err, errsize) == -1)
				return -1;
			if (b->left == 0)
				b->state = CH_DATA_CR;
			continue;
		}
		if (chunk_byte(b, *p) == -1)
			return bad(err, errsize, "malformed chunked body");
		p++;
		n--;
	}
	return b->state == CH_END;
}

int
http1_body_feed(struct http1_body *b, const uint8_t *p, size_t n, struct buf *out, char *err, size_t errsize)
{
	switch (b->kind) {
	case HTTP1_BODY_NONE: return 1;
	case HTTP1_BODY_CHUNKED: return feed_chunked(b, p, n, out, err, errsize);
	case HTTP1_BODY_LENGTH:
		if (b->left > out->max - buf_len(out)) {
			snprintf(err, errsize, "body larger than %zu bytes", out->max);
			return -1;
		}
		if (take(b, &p, &n, out, err, errsize) == -1)
			return -1;
		return b->left == 0;
	case HTTP1_BODY_CLOSE: return take(b, &p, &n, out, err, errsize);
	}
	return -1;
}

int
http1_body_eof(const struct http1_body *b)
{
	return b->kind == HTTP1_BODY_CLOSE || b->kind == HTTP1_BODY_NONE ? 1 : -1;
}
