/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "unit.h"

#include <string.h>

#include "buf.h"
#include "early.h"

#define MAGIC \
	"\xff\xff\xff" \
	"TS"

/*
 * Feeds in[0..n) in pieces of `chunk`; http2 gets what belongs to HTTP/2.  Returns -1, 0 (undecided at the end) or 1.
 */
static int
run(const uint8_t *in, size_t n, size_t chunk, struct buf *http2, const char **err)
{
	struct early e;
	size_t used = 0, at = 0;
	int rc = 0;

	early_init(&e);
	buf_reset(http2);
	while (at < n && rc == 0) {
		size_t part = n - at < chunk ? n - at : chunk;
		rc = early_feed(&e, in + at, part, &used, err);
		assert_true(used <= part);
		if (rc == 0)
			assert_int_equal(used, part);
		at += used;
	}
	if (rc == 1) {
		buf_put(http2, e.hdr, e.have);
		buf_put(http2, in + at, n - at);
	}
	early_free(&e);
	return rc;
}

static size_t
payload(uint8_t *to, const char *json, const char *after)
{
	size_t n = strlen(json);
	uint8_t len[4] = { 0, 0, (uint8_t)(n >> 8), (uint8_t)n };

	memcpy(to, MAGIC, 5);
	memcpy(to + 5, len, 4);
	memcpy(to + 9, json, n);
	memcpy(to + 9 + n, after, strlen(after));
	return 9 + n + strlen(after);
}

/* rows: EARLY-01 EARLY-03 */
static void
test_payload_is_consumed(void **state)
{
	static const char *const good[] = {
		"{\"nodeKeyChallenge\":\"chalpub:00\"}",
		"{}",
		"{\"unknown\":[1,{\"x\":null}],\"nodeKeyChallenge\":7}",
		" {} ",
	};
	uint8_t in[300];
	const char *err = NULL;
	struct buf http2;

	(void)state;
	buf_init(&http2, 1000);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		size_t n = payload(in, good[i], "HTTP/2 starts here");
		for (size_t chunk = 1; chunk <= n; chunk++) {
			assert_int_equal(run(in, n, chunk, &http2, &err), 1);
			assert_int_equal(buf_len(&http2), 18);
			assert_memory_equal(buf_ptr(&http2), "HTTP/2 starts here", 18);
		}
	}
	buf_free(&http2);
}

/* rows: EARLY-02 EARLY-03 */
static void
test_without_payload_nothing_is_lost(void **state)
{
	static const uint8_t settings[] = { 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100, 0, 0, 0, 4, 1, 0, 0, 0, 0 };
	/* As near to the magic as can be. */
	static const uint8_t near[] = { 0xff, 0xff, 0xff, 'T', 'R', 0, 0, 0, 1, 'x' };
	const char *err = NULL;
	struct buf http2;

	(void)state;
	buf_init(&http2, 1000);
	for (size_t chunk = 1; chunk <= sizeof(settings); chunk++) {
		assert_int_equal(run(settings, sizeof(settings), chunk, &http2, &err), 1);
		assert_int_equal(buf_len(&http2), sizeof(settings));
		assert_memory_equal(buf_ptr(&http2), settings, sizeof(settings));
		assert_int_equal(run(near, sizeof(near), chunk, &http2, &err), 1);
		assert_int_equal(buf_len(&http2), sizeof(near));
		assert_memory_equal(buf_ptr(&http2), near, sizeof(near));
	}
	buf_free(&http2);
}

/* rows: EARLY-03 */
static void
test_bad_payloads(void **state)
{
	static const char *const bad[] = { "", "{", "[]", "7", "null", "{\"a\":}", "{} x", "{'a':1}" };
	static const uint8_t huge[][9] = {
		{ 0xff, 0xff, 0xff, 'T', 'S', 0, 0, 0x40, 1 }, /* 16 KiB + 1 */
		{ 0xff, 0xff, 0xff, 'T', 'S', 0, 0xa0, 0, 0 }, /* 10 MiB, upstream's cap */
		{ 0xff, 0xff, 0xff, 'T', 'S', 0xff, 0xff, 0xff, 0xff },
	};
	uint8_t in[300], deep[9 + 200];
	const char *err = NULL;
	struct buf http2;

	(void)state;
	buf_init(&http2, 1000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t n = payload(in, bad[i], "");
		for (size_t chunk = 1; chunk <= n; chunk += n - 1) {
			err = NULL;
			assert_int_equal(run(in, n, chunk, &http2, &err), -1);
			assert_non_null(err);
		}
	}
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(run(huge[i], 9, 9, &http2, &err), -1);
	/* Nested too deep. */
	memset(deep, '[', sizeof(deep));
	memcpy(deep, MAGIC "\0\0\0\xc8", 9);
	assert_int_equal(run(deep, sizeof(deep), sizeof(deep), &http2, &err), -1);
	/* The length is refused at once, the body only when it is whole. */
	memcpy(in, MAGIC "\0\0\x40\0", 9);
	assert_int_equal(run(in, 9, 9, &http2, &err), 0);
	buf_free(&http2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_payload_is_consumed),
		cmocka_unit_test(test_without_payload_nothing_is_lost),
		cmocka_unit_test(test_bad_payloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
