/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "c2n.h"
#include "hex.h"
#include "keytext.h"
#include "text.h"

#define HEAD_MAX  8192
#define LINES_MAX 64

struct c2n {
	char method[16];
	char path[256];
	const uint8_t *rest; /* what follows the head */
	size_t rest_len;
	int chunked, has_length;
	int64_t length;
};

/* The next line without its end; CRLF or LF, as Go's reader takes both.  0, or -1: no complete line. */
static int
next_line(const uint8_t **p, size_t *n, const char **line, size_t *len)
{
	const uint8_t *nl = *n > 0 ? memchr(*p, '\n', *n) : NULL;

	if (nl == NULL)
		return -1;
	*line = (const char *)*p;
	*len = (size_t)(nl - *p);
	*n -= *len + 1;
	*p = nl + 1;
	if (*len > 0 && (*line)[*len - 1] == '\r')
		(*len)--;
	return 0;
}

static int
copy(char *dst, size_t size, const char *s, size_t n)
{
	size_t i;

	if (n == 0 || n >= size)
		return -1;
	for (i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] >= 0x7f)
			return -1;
	memcpy(dst, s, n);
	dst[n] = '\0';
	return 0;
}

/* "POST /echo?x HTTP/1.1" */
static int
request_line(struct c2n *r, const char *s, size_t n)
{
	const char *end = s + n, *target, *version, *query;
	size_t len;

	if ((target = memchr(s, ' ', n)) == NULL || copy(r->method, sizeof(r->method), s, (size_t)(target - s)) == -1)
		return -1;
	target++;
	if ((version = memchr(target, ' ', (size_t)(end - target))) == NULL)
		return -1;
	if (end - version != 9 || memcmp(version, " HTTP/1.", 8) != 0 || version[8] < '0' || version[8] > '9')
		return -1;
	len = (size_t)(version - target);
	if ((query = memchr(target, '?', len)) != NULL)
		len = (size_t)(query - target);
	return copy(r->path, sizeof(r->path), target, len);
}

static int
header_line(struct c2n *r, const char *s, size_t n)
{
	const char *colon = memchr(s, ':', n), *v;
	size_t name, len;

	if (colon == NULL || colon == s)
		return -1;
	name = (size_t)(colon - s);
	v = colon + 1;
	len = n - name - 1;
	for (; len > 0 && (*v == ' ' || *v == '\t'); v++)
		len--;
	while (len > 0 && (v[len - 1] == ' ' || v[len - 1] == '\t'))
		len--;
	if (name == 14 && strncasecmp(s, "content-length", 14) == 0) {
		if (r->has_length || text_to_i64(v, len, 0, C2N_MAX_BODY, &r->length) == -1)
			return -1;
		r->has_length = 1;
	} else if (name == 17 && strncasecmp(s, "transfer-encoding", 17) == 0) {
		if (r->chunked || len != 7 || strncasecmp(v, "chunked", 7) != 0)
			return -1;
		r->chunked = 1;
	}
	return 0;
}

static int
parse_head(struct c2n *r, const uint8_t *p, size_t n)
{
	const uint8_t *start = p;
	const char *line;
	size_t len;
	unsigned lines;

	memset(r, 0, sizeof(*r));
	if (next_line(&p, &n, &line, &len) == -1 || request_line(r, line, len) == -1)
		return -1;
	for (lines = 0; lines < LINES_MAX; lines++) {
		if (next_line(&p, &n, &line, &len) == -1 || p - start > HEAD_MAX)
			return -1;
		if (len == 0) {
			r->rest = p;
			r->rest_len = n;
			return r->chunked && r->has_length ? -1 : 0;
		}
		if (header_line(r, line, len) == -1)
			return -1;
	}
	return -1;
}

static int
chunk_size(const char *s, size_t n, size_t *size)
{
	size_t i;
	int d;

	*size = 0;
	for (i = 0; i < n && s[i] != ';'; i++) {
		if ((d = hex_value(s[i])) == -1 || i > 7)
			return -1;
		*size = *size * 16 + (size_t)d;
	}
	return i == 0 ? -1 : 0;
}

static int
dechunk(const struct c2n *r, struct buf *body)
{
	const uint8_t *p = r->rest;
	size_t n = r->rest_len, len, size;
	const char *line;

	for (;;) {
		if (next_line(&p, &n, &line, &len) == -1 || chunk_size(line, len, &size) == -1)
			return -1;
		if (size == 0)
			return 0;
		if (size > n || buf_put(body, p, size) == -1)
			return -1;
		p += size;
		n -= size;
		if (next_line(&p, &n, &line, &len) == -1 || len != 0)
			return -1;
	}
}

static int
get_body(const struct c2n *r, struct buf *body)
{
	if (r->chunked)
		return dechunk(r, body);
	if ((uint64_t)r->length > r->rest_len)
		return -1;
	return buf_put(body, r->rest, (size_t)r->length);
}

static int
write_answer(struct buf *out, const char *status, const void *body, size_t n)
{
	buf_printf(out, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n", status, n);
	buf_puts(out, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
	buf_put(out, body, n);
	return out->failed ? -1 : 0;
}

static int
is_http_method(const char *s)
{
	static const char *const known[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(s, known[i]) == 0)
			return 1;
	return 0;
}

int
c2n_answer(const uint8_t *request, size_t n, struct buf *out)
{
	struct c2n r;
	struct buf body;
	int rv = -1;

	if (parse_head(&r, request, n) == -1)
		return -1;
	buf_init(&body, C2N_MAX_BODY);
	if (get_body(&r, &body) == 0) {
		if (strcmp(r.path, "/echo") != 0)
			rv = write_answer(out, "400 Bad Request", "unknown c2n path\n", 17);
		else if (!is_http_method(r.method))
			rv = write_answer(out, "405 Method Not Allowed", "bad method\n", 11);
		else
			rv = write_answer(out, "200 OK", buf_ptr(&body), buf_len(&body));
	}
	buf_free(&body);
	return rv;
}
