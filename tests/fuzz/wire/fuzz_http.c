/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "http1.h"
#include "http1body.h"

/* An answer's head and body: the same result whole and in pieces, fields inside the input, limits kept. */
static void
check_fields(const struct http1_head *h, const uint8_t *p, size_t used)
{
	for (unsigned i = 0; i < h->nfields; i++) {
		const struct http1_field *f = &h->fields[i];
		if ((const uint8_t *)f->name < p || f->name_len == 0 ||
		    (const uint8_t *)f->value + f->value_len > p + used)
			abort();
		for (size_t k = 0; k < f->value_len; k++)
			if ((uint8_t)f->value[k] < 0x20 && f->value[k] != '\t')
				abort();
	}
}

static int
body(const struct http1_head *h, const char *method, const uint8_t *p, size_t n, size_t piece, struct buf *out)
{
	struct http1_body b;
	char err[128];
	int rc = 0;

	buf_init(out, 65536);
	if (http1_body_init(&b, h, method, err, sizeof(err)) == -1)
		return -2;
	if ((rc = http1_body_feed(&b, p, 0, out, err, sizeof(err))) != 0)
		return rc;
	for (size_t at = 0; at < n && rc == 0; at += piece)
		rc = http1_body_feed(&b, p + at, n - at < piece ? n - at : piece, out, err, sizeof(err));
	return rc != 0 ? rc : 2 + http1_body_eof(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http1_head h, again;
	struct buf one, two;
	size_t used = 0, used2 = 0;
	char err[128] = "", err2[128] = "";
	int rc = http1_parse(&h, data, size, &used, err, sizeof(err)), first = 0;

	if ((rc == -1) != (err[0] != '\0'))
		abort();
	/* Growing input gives the answer as soon as it is complete, and the same one. */
	for (size_t n = 0; n <= size && n < 600 && first == 0; n++)
		first = http1_parse(&again, data, n, &used2, err2, sizeof(err2));
	if (first != 0 && (first != rc || (rc == 1 && (used2 != used || again.status != h.status))))
		abort();
	if (rc != 1)
		return 0;
	if (used > HTTP1_HEAD_MAX || used > size || h.nfields >= HTTP1_LINES_MAX || h.status < 101 || h.status > 599)
		abort();
	check_fields(&h, data, used);
	http1_check_upgrade(&h, "tailscale-control-protocol", err, sizeof(err));
	for (int m = 0; m < 2; m++) {
		const char *method = m ? "HEAD" : "GET";
		int a = body(&h, method, data + used, size - used, size + 1, &one);
		int b = body(&h, method, data + used, size - used, 1, &two);
		if (a != b || (a >= 0 && buf_len(&one) != buf_len(&two)) || buf_len(&one) > 65536)
			abort();
		buf_free(&one);
		buf_free(&two);
	}
	return 0;
}
