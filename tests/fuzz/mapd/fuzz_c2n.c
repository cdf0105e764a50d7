/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "c2n.h"
#include "ping.h"
#include "url.h"

/*
 * A c2n payload, and the same bytes as a ping URL: an answer is complete and bounded, a URL's parts hold no odd byte.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_answer(const struct buf *b)
{
	if (buf_len(b) < 12 || memcmp(buf_ptr(b), "HTTP/1.1 ", 9) != 0 ||
	    memmem(buf_ptr(b), buf_len(b), "\r\n\r\n", 4) == NULL)
		abort();
}

static void
check_url(const uint8_t *data, size_t size)
{
	struct url u;
	char why[80];
	char *s = malloc(size + 1);
	const char *p;

	memcpy(s, data, size);
	s[size] = '\0';
	if (url_parse(s, URL_QUERY, &u, why, sizeof(why)) == 0) {
		if (u.host[0] == '\0' || u.path[0] != '/' || u.port > 65535)
			abort();
		for (p = u.path; *p != '\0'; p++)
			if (*p <= ' ' || *p >= 0x7f)
				abort();
	}
	free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out;

	buf_init(&out, C2N_MAX_BODY + 512);
	if (c2n_answer(data, size, &out) == 0)
		check_answer(&out);
	buf_free(&out);
	check_url(data, size);
	return 0;
}
