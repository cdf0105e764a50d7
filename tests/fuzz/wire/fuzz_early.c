/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "early.h"

/* Whole and byte by byte must agree; without payload nothing may be lost. */
static int
run(const uint8_t *p, size_t n, size_t piece, struct buf *rest)
{
	struct early e;
	const char *err = NULL;
	size_t used, at = 0;
	int rc = 0;

	early_init(&e);
	buf_init(rest, n + 16);
	while (at < n && rc == 0) {
		rc = early_feed(&e, p + at, n - at < piece ? n - at : piece, &used, &err);
		at += used;
	}
	if ((rc == -1) != (err != NULL))
		abort();
	if (rc == 1) {
		buf_put(rest, e.hdr, e.have);
		buf_put(rest, p + at, n - at);
	}
	early_free(&e);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one, two;
	int a = run(data, size, size + 1, &one), b = run(data, size, 1, &two);

	if (a != b || buf_len(&one) != buf_len(&two))
		abort();
	if (a == 1 &&
	    memcmp(data,
		"\xff\xff\xff"
		"TS",
		size < 5 ? size : 5) != 0 &&
	    (buf_len(&one) != size || memcmp(buf_ptr(&one), data, size) != 0))
		abort();
	buf_free(&one);
	buf_free(&two);
	return 0;
}
