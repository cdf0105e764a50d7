/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "register.h"
#include "text.h"
#include "utf8.h"

/*
 * First byte: the status and the scheme; then the Retry-After value up to a newline; the rest is the body.  Whatever
 * comes, the verdict is one of the list and every text in it is safe to print and fits its destination.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_be_safe(const char *s, size_t size)
{
	char again[4096];
	size_t n = strnlen(s, size);

	if (n == size || !utf8_valid(s, n))
		abort();
	/* Escaping safe text changes nothing. */
	if (text_sanitize(s, n, again, sizeof(again)) != n || memcmp(s, again, n) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = { 200, 200, 429, 500 };
	struct register_answer a;
	char retry[64];
	const uint8_t *nl;
	size_t n;
	int https;

	if (size == 0)
		return 0;
	https = *data >> 2 & 1;
	nl = memchr(data + 1, '\n', size - 1);
	n = nl != NULL ? (size_t)(nl - data - 1) : 0;
	if (n >= sizeof(retry))
		n = sizeof(retry) - 1;
	memcpy(retry, data + 1, n);
	retry[n] = '\0';
	if (nl == NULL)
		nl = data;
	register_judge(&a, statuses[*data & 3], n > 0 ? retry : NULL, 1700000000, nl + 1,
	    (size_t)(data + size - nl - 1), https);
	must_be_safe(a.login_name, sizeof(a.login_name));
	must_be_safe(a.display_name, sizeof(a.display_name));
	must_be_safe(a.profile_pic, sizeof(a.profile_pic));
	must_be_safe(a.url, sizeof(a.url));
	must_be_safe(a.err, sizeof(a.err));
	if (a.outcome > REGISTER_BAD || (a.outcome == REGISTER_URL) != (a.url[0] != '\0'))
		abort();
	if (a.outcome == REGISTER_LIMITED && (a.retry_after_ms < 1000 || a.retry_after_ms > 3600000))
		abort();
	return 0;
}
