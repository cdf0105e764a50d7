/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "b64.h"
#include "http1.h"
#include "keytext.h"
#include "text.h"

static int
bad(char *err, size_t errsize, const char *what)
{
	snprintf(err, errsize, "%s", what);
	return -1;
}

static int
is_token_byte(uint8_t c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return 1;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static int
is_text_byte(uint8_t c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static int
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Length of the line at p without its CRLF; -1: not ended yet; -2: a forbidden byte. */
static long
line_length(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\r') {
			if (i + 1 == n)
				return -1;
			return p[i + 1] == '\n' ? (long)i : -2;
		}
		if (!is_text_byte(p[i]))
			return -2;
	}
	return -1;
}

/* The bytes of "HTTP/1.x ddd" received must be right, so that another protocol is noticed at its first bytes. */
static int
status_prefix_ok(const uint8_t *p, size_t n)
{
	static const char pattern[] = "HTTP/1.d ddd";

	for (size_t i = 0; i < n && i < sizeof(pattern) - 1; i++)
		if (pattern[i] == 'd' ? !is_digit(p[i]) : p[i] != (uint8_t)pattern[i])
			return 0;
	return 1;
}

static int
parse_status(struct http1_head *h, const uint8_t *p, size_t n)
{
	size_t skip;

	if (n < 12 || (n > 12 && p[12] != ' '))
		return -1;
	h->minor = p[7] - '0';
	h->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
	if (h->status < 100 || h->status > 599)
		return -1;
	skip = n > 12 ? 13 : 12;
	text_sanitize((const char *)p + skip, n - skip, h->reason, sizeof(h->reason));
	return 0;
}

static int
parse_field(struct http1_field *f, const uint8_t *p, size_t n)
{
	const uint8_t *colon = memchr(p, ':', n);
	size_t len, from;

	if (colon == NULL || colon == p)
		return -1;
	len = (size_t)(colon - p);
	for (size_t i = 0; i < len; i++)
		if (!is_token_byte(p[i]))
			return -1;
	for (from = len + 1; from < n && (p[from] == ' ' || p[from] == '\t'); from++)
		;
	while (n > from && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	*f = (struct http1_field){ (const char *)p, (const char *)p + from, len, n - from };
	return 0;
}

/* One head; *lines counts over all heads of the answer. */
static int
parse_one(struct http1_head *h, const uint8_t *p, size_t n, size_t *used, unsigned *lines, char *err, size_t errsize)
{
	size_t at = 0;
	long len;

	h->status = 0;
	h->nfields = 0;
	if (!status_prefix_ok(p, n))
		return bad(err, errsize, "not an HTTP/1.1 answer");
	for (;;) {
		if ((len = line_length(p + at, n - at)) == -2)
			return bad(err, errsize, "control byte in the HTTP head");
		if (len == -1)
			return 0;
		if (len == 0 && h->status != 0)
			break;
		if (++*lines > HTTP1_LINES_MAX)
			return bad(err, errsize, "too many lines in the HTTP head");
		if (h->status == 0) {
			if (parse_status(h, p + at, (size_t)len) == -1)
				return bad(err, errsize, "malformed HTTP status line");
		} else if (parse_field(&h->fields[h->nfields++], p + at, (size_t)len) == -1)
			return bad(err, errsize, "malformed HTTP header field");
		at += (size_t)len + 2;
	}
	*used = at + 2;
	return 1;
}

int
http1_parse(struct http1_head *h, const uint8_t *p, size_t n, size_t *used, char *err, size_t errsize)
{
	size_t cap = n > HTTP1_HEAD_MAX ? HTTP1_HEAD_MAX : n, at = 0, one = 0;
	unsigned lines = 0;
	int rc;

	do {
		rc = parse_one(h, p + at, cap - at, &one, &lines, err, errsize);
		if (rc == -1)
			return -1;
		if (rc == 0 && n >= HTTP1_HEAD_MAX)
			return bad(err, errsize, "HTTP head larger than 8 KiB");
		if (rc == 0)
			return 0;
		at += one;
	} while (h->status < 200 && h->status != 101);
	*used = at;
	return 1;
}

const struct http1_field *
http1_get(const struct http1_head *h, const char *name, unsigned *count)
{
	const struct http1_field *first = NULL;
	size_t len = strlen(name);
	unsigned n = 0;

	for (unsigned i = 0; i < h->nfields; i++) {
		if (h->fields[i].name_len != len || strncasecmp(h->fields[i].name, name, len) != 0)
			continue;
		if (n++ == 0)
			first = &h->fields[i];
	}
	if (count != NULL)
		*count = n;
	return first;
}

static int
list_has(const char *p, size_t n, const char *token)
{
	size_t len = strlen(token), end;

	while (n > 0) {
		while (n > 0 && (*p == ' ' || *p == '\t' || *p == ',')) {
			p++;
			n--;
		}
		for (end = 0; end < n && p[end] != ',' && p[end] != ' ' && p[end] != '\t'; end++)
			;
		if (end == len && strncasecmp(p, token, len) == 0)
			return 1;
		p += end;
		n -= end;
	}
	return 0;
}

int
http1_has_token(const struct http1_head *h, const char *name, const char *token)
{
	size_t len = strlen(name);

	for (unsigned i = 0; i < h->nfields; i++) {
		const struct http1_field *f = &h->fields[i];
		if (f->name_len == len && strncasecmp(f->name, name, len) == 0 &&
		    list_has(f->value, f->value_len, token))
			return 1;
	}
	return 0;
}

int
http1_check_upgrade(const struct http1_head *h, const char *protocol, char *err, size_t errsize)
{
	const struct http1_field *f;
	unsigned count;

	if (h->status != 101) {
		snprintf(err, errsize, "unexpected HTTP response %d%s%s", h->status, *h->reason ? " " : "", h->reason);
		return -1;
	}
	f = http1_get(h, "Upgrade", &count);
	if (count != 1)
		return bad(err, errsize,
		    count == 0 ? "101 without an Upgrade header" : "101 with several Upgrade headers");
	if (f->value_len != strlen(protocol) || strncasecmp(f->value, protocol, f->value_len) != 0)
		return bad(err, errsize, "101 to another protocol");
	if (!http1_has_token(h, "Connection", "upgrade"))
		return bad(err, errsize, "101 without Connection: upgrade");
	return 0;
}

/* --- requests --- */

/* Some front ends refuse a request without it. */
#define USER_AGENT "User-Agent: tailnetd\r\n"

static int
printable(const char *s)
{
	for (; *s != '\0'; s++)
		if ((uint8_t)*s <= 0x20 || (uint8_t)*s >= 0x7f)
			return 0;
	return 1;
}

int
http1_hostport(struct buf *b, const char *host, unsigned port)
{
	int six = strchr(host, ':') != NULL;

	if (*host == '\0' || !printable(host))
		return -1;
	return buf_printf(b, "%s%s%s:%u", six ? "[" : "", host, six ? "]" : "", port);
}

int
http1_build_upgrade(struct buf *b, const char *host, unsigned port, const uint8_t init[101])
{
	char b64[160];

	if (b64_encode(init, 101, b64, sizeof(b64)) == -1)
		return -1;
	buf_puts(b, "POST /ts2021 HTTP/1.1\r\nHost: ");
	if (http1_hostport(b, host, port) == -1)
		return -1;
	buf_printf(b,
	    "\r\n" USER_AGENT
	    "Connection: upgrade\r\nUpgrade: tailscale-control-protocol\r\nX-Tailscale-Handshake: %s\r\n"
	    "Content-Length: 0\r\n\r\n",
	    b64);
	return b->failed ? -1 : 0;
}

int
http1_build_connect(struct buf *b, const char *host, unsigned port, const char *proxy_auth)
{
	char b64[400];

	buf_puts(b, "CONNECT ");
	if (http1_hostport(b, host, port) == -1)
		return -1;
	buf_puts(b, " HTTP/1.1\r\nHost: ");
	http1_hostport(b, host, port);
	buf_puts(b, "\r\n" USER_AGENT);
	if (proxy_auth != NULL && *proxy_auth != '\0') {
		if (b64_encode((const uint8_t *)proxy_auth, strlen(proxy_auth), b64, sizeof(b64)) == -1)
			return -1;
		buf_printf(b, "Proxy-Authorization: Basic %s\r\n", b64);
	}
	buf_puts(b, "\r\n");
	return b->failed ? -1 : 0;
}

int
http1_build_request(struct buf *b, const char *method, const char *authority, const char *path)
{
	if (*authority == '\0' || !printable(authority) || *path != '/' || !printable(path) || !printable(method))
		return -1;
	return buf_printf(b, "%s %s HTTP/1.1\r\nHost: %s\r\n" USER_AGENT "Connection: close\r\n\r\n", method, path,
	    authority);
}
