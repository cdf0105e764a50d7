/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jsonparse.h"
#include "scan.h"
#include "timefmt.h"

#define SOURCE_CAP   65536
#define NAME_MAX_LEN 256

static const struct json_limits scan_limits = { SCAN_VALUE_MAX, 32, 1 << 18, 1 << 20 };

void
source_init(struct source *s, int fd, int timeout_ms)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->timeout_ms = timeout_ms;
}

void
source_close(struct source *s)
{
	if (s->buf != NULL)
		explicit_bzero(s->buf, s->cap);
	free(s->buf);
	if (s->fd != -1)
		close(s->fd);
	source_init(s, -1, -1);
}

static int
trouble(struct source *s, int err, const char *why)
{
	s->err = err;
	snprintf(s->why, sizeof(s->why), "%s", why);
	return -1;
}

/* Milliseconds to wait for the next byte, -1 without limit. */
static int
patience(const struct source *s)
{
	uint64_t now, left;

	if (s->deadline_ms == 0)
		return s->timeout_ms;
	now = time_mono_ms();
	left = s->deadline_ms > now ? s->deadline_ms - now : 0;
	if (s->timeout_ms != -1 && left > (uint64_t)s->timeout_ms)
		return s->timeout_ms;
	return left > 1000000000 ? 1000000000 : (int)left;
}

int
source_fill(struct source *s)
{
	struct pollfd p = { s->fd, POLLIN, 0 };
	ssize_t n;
	int r;

	if (s->off < s->len)
		return 1;
	if (s->err != 0)
		return -1;
	if (s->fd == -1)
		return 0;
	if (s->buf == NULL && (s->buf = malloc(s->cap = SOURCE_CAP)) == NULL)
		return trouble(s, ENOMEM, "out of memory");
	do {
		while ((r = poll(&p, 1, patience(s))) == -1 && errno == EINTR)
			continue;
		if (r <= 0)
			return trouble(s, r == 0 ? ETIMEDOUT : errno, "");
		n = read(s->fd, s->buf, s->cap);
	} while (n == -1 && (errno == EINTR || errno == EAGAIN));
	if (n == -1 && errno == ECONNRESET)
		n = 0;
	if (n == -1)
		return trouble(s, errno, "");
	s->off = 0;
	s->len = (size_t)n;
	return n > 0;
}

/* The line break behind the last value is nothing to read. */
int
source_pending(struct source *s)
{
	while (s->off < s->len && strchr(" \n\r\t", s->buf[s->off]) != NULL && s->buf[s->off] != '\0')
		s->off++;
	return s->off < s->len;
}

int
source_peek(struct source *s)
{
	if (s->off == s->len && source_fill(s) != 1)
		return -1;
	return (unsigned char)s->buf[s->off];
}

int
scan_space(struct source *s)
{
	int c;

	while ((c = source_peek(s)) == ' ' || c == '\n' || c == '\r' || c == '\t')
		s->off++;
	return c;
}

static int
cut_short(struct source *s)
{
	return s->err != 0 ? -1 : trouble(s, EPROTO, "the answer ends in the middle");
}

struct extent { /* position of a scan through one value */
	unsigned depth;
	int in_string, escaped, started, over;
};

/* Takes bytes of s->buf from off on as long as they belong to the value; returns how many. */
static size_t
extend(struct extent *x, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && !x->over; i++) {
		char c = p[i];

		if (x->in_string) {
			if (x->escaped)
				x->escaped = 0;
			else if (c == '\\')
				x->escaped = 1;
			else if (c == '"')
				x->in_string = 0;
			x->over = !x->in_string && x->depth == 0;
		} else if (c == '"' && (x->depth > 0 || !x->started)) {
			x->in_string = 1;
		} else if ((c == '{' || c == '[') && (x->depth > 0 || !x->started)) {
			x->depth++;
		} else if (x->depth == 0) {
			/* A number or word ends before the first byte that cannot be in it. */
			if (strchr(" \n\r\t,:]}[{\"", c) != NULL) {
				x->over = 1;
				return i;
			}
		} else if (c == '}' || c == ']') {
			x->over = --x->depth == 0;
		}
		x->started = 1;
	}
	return i;
}

int
scan_value(struct source *s, struct buf *out)
{
	struct extent x = { 0 };
	size_t n, total = 0;

	if (scan_space(s) == -1)
		return s->err != 0 ? -1 : 0;
	while (!x.over) {
		if (source_peek(s) == -1) {
			/* Only a bare number or word may end with the input. */
			if (s->err != 0 || x.depth > 0 || x.in_string)
				return cut_short(s);
			break;
		}
		n = extend(&x, s->buf + s->off, s->len - s->off);
		if (out != NULL && buf_put(out, s->buf + s->off, n) == -1)
			return trouble(s, EPROTO, "a value is too large");
		s->off += n;
		total += n;
	}
	return total > 0 ? 1 : trouble(s, EPROTO, "a JSON value was expected");
}

int
scan_json(struct source *s, struct json_object **o)
{
	struct buf text;
	int r;

	*o = NULL;
	buf_init(&text, SCAN_VALUE_MAX);
	if ((r = scan_value(s, &text)) == 1) {
		*o = json_parse((char *)buf_ptr(&text), buf_len(&text), &scan_limits, s->why, sizeof(s->why));
		if (s->why[0] != '\0') {
			s->err = EPROTO;
			r = -1;
		}
	}
	buf_free(&text);
	return r;
}

static int
expect(struct source *s, char want)
{
	if (scan_space(s) != want) {
		if (s->off == s->len)
			return cut_short(s);
		return trouble(s, EPROTO, "unexpected character in a JSON value");
	}
	s->off++;
	return 1;
}

static int
scan_name(struct source *s, char name[NAME_MAX_LEN])
{
	struct json_object *o;
	int r;

	if (scan_space(s) != '"')
		return expect(s, '"');
	if ((r = scan_json(s, &o)) == 1)
		strlcpy(name, json_object_get_string(o), NAME_MAX_LEN);
	json_object_put(o);
	return r == 1 ? expect(s, ':') : -1;
}

static int
scan_compound(struct source *s, char open, char close, int (*each)(void *, const char *, struct source *), void *arg)
{
	char name[NAME_MAX_LEN] = "";

	if (expect(s, open) != 1)
		return -1;
	if (scan_space(s) == close) {
		s->off++;
		return 1;
	}
	for (;;) {
		if (open == '{' && scan_name(s, name) != 1)
			return -1;
		if (each(arg, name, s) != 1)
			return s->err != 0 ? -1 : cut_short(s);
		if (scan_space(s) != ',')
			return expect(s, close);
		s->off++;
	}
}

int
scan_object(struct source *s, int (*each)(void *, const char *, struct source *), void *arg)
{
	return scan_compound(s, '{', '}', each, arg);
}

int
scan_array(struct source *s, int (*each)(void *, const char *, struct source *), void *arg)
{
	return scan_compound(s, '[', ']', each, arg);
}
