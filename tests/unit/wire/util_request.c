/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "util_request.h"

static void
on_head(void *arg, int status)
{
	struct treq *r = arg;
	const char *h = request_header(r->r, "x-test");

	r->status = status;
	snprintf(r->header, sizeof(r->header), "%s", h != NULL ? h : "");
	assert_null(request_header(r->r, "x-none"));
	if (r->on_head != NULL)
		r->on_head(r);
}

static int
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct treq *r = arg;

	assert_int_equal(r->done, 0);
	r->pieces++;
	r->got += n;
	buf_put(&r->text, p, n);
	if (r->on_data != NULL)
		r->on_data(r);
	return 0;
}

static void
on_done(void *arg, enum request_err err, const char *why)
{
	struct treq *r = arg;

	r->done++;
	r->r = NULL;
	r->err = err;
	snprintf(r->why, sizeof(r->why), "%s", why != NULL ? why : "");
	if (r->on_done != NULL)
		r->on_done(r);
}

void
tr_send(struct treq *r, struct session *s, const struct request_spec *spec)
{
	static const struct request_ops ops = { on_head, on_data, on_done };

	memset(r, 0, sizeof(*r));
	buf_init(&r->text, 65536);
	r->r = session_request(s, spec, &ops, r);
	assert_non_null(r->r);
}

void
tr_post(struct treq *r, struct session *s, const char *path, const void *body, size_t n, const struct pubkey *lb1,
    const struct pubkey *lb2)
{
	struct request_spec spec = { .method = "POST", .path = path, .lb = { lb1, lb2 }, .body = body, .body_len = n };

	tr_send(r, s, &spec);
}

void
tr_cancel(struct treq *r)
{
	if (r->r != NULL)
		request_cancel(r->r);
	r->r = NULL;
}

void
tr_free(struct treq *r)
{
	buf_free(&r->text);
}

void
tr_text(struct treq *r, const char *text)
{
	buf_putc(&r->text, '\0');
	assert_string_equal(buf_ptr(&r->text), text);
	r->text.end--;
}
