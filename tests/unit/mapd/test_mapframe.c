/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "unit.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "buf.h"
#include "mapframe.h"

#define MIB       (1024u * 1024u)
#define KEEPALIVE "{\"KeepAlive\":true}"

struct sink {
	struct buf text; /* all frames, each ended by '\n' */
	uint64_t bytes;
	unsigned begun, ended, pieces;
	uint32_t wire_len;
	int keep, stop_at_end;
	size_t heap; /* largest seen */
};

static size_t
heap_now(void)
{
	struct mallinfo2 mi = mallinfo2();

	return mi.uordblks + mi.hblkhd;
}

static int
on_begin(void *arg, uint32_t wire_len)
{
	struct sink *s = arg;

	s->begun++;
	s->wire_len = wire_len;
	return 0;
}

static int
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct sink *s = arg;

	assert_true(n > 0);
	if (s->pieces++ % 256 == 0 && heap_now() > s->heap)
		s->heap = heap_now();
	s->bytes += n;
	return s->keep ? buf_put(&s->text, p, n) : 0;
}

static int
on_end(void *arg)
{
	struct sink *s = arg;

	s->ended++;
	if (s->keep)
		buf_putc(&s->text, '\n');
	return s->stop_at_end ? -1 : 0;
}

static const struct mapframe_ops ops = { on_begin, on_data, on_end };
static const struct mapframe_config config = { 64 * MIB, 512 * MIB, 1 };

static void
put_frame(struct buf *b, const void *p, size_t n)
{
	uint8_t len[4] = { (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24) };

	assert_int_equal(buf_put(b, len, 4), 0);
	assert_int_equal(buf_put(b, p, n), 0);
}

/* One zstd frame appended to b. */
static void
put_zstd(struct buf *b, const void *p, size_t n, int checksum, int content_size)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t cap = ZSTD_compressBound(n), len;
	ZSTD_inBuffer in = { p, n, 0 };
	uint8_t *out = malloc(cap);
	ZSTD_outBuffer to = { out, cap, 0 };

	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, checksum);
	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, content_size);
	if (content_size)
		len = ZSTD_compress2(c, out, cap, p, n);
	else {
		assert_int_equal(ZSTD_compressStream2(c, &to, &in, ZSTD_e_end), 0);
		len = to.pos;
	}
	assert_false(ZSTD_isError(len));
	assert_int_equal(buf_put(b, out, len), 0);
	free(out);
	ZSTD_freeCCtx(c);
}

/* The result of feeding b in pieces of `chunk` and then the end; err (may be NULL) gets the text. */
static int
feed(const struct mapframe_config *cfg, struct buf *b, size_t chunk, struct sink *s, char err[128])
{
	struct mapframe *m = mapframe_new(cfg, &ops, s);
	int rc = 0;

	assert_non_null(m);
	for (size_t at = 0; at < buf_len(b) && rc == 0; at += chunk)
		rc = mapframe_feed(m, buf_ptr(b) + at, buf_len(b) - at < chunk ? buf_len(b) - at : chunk);
	if (rc == 0)
		rc = mapframe_eof(m);
	else
		assert_int_equal(mapframe_feed(m, (const uint8_t *)"x", 1), -1);
	assert_true((rc == -1) == (mapframe_error(m)[0] != '\0'));
	if (err != NULL)
		snprintf(err, 128, "%s", mapframe_error(m));
	mapframe_free(m);
	return rc;
}

static void
expect_text(struct buf *b, const char *text, unsigned frames)
{
	for (size_t chunk = 1; chunk <= buf_len(b) + 1; chunk++) {
		struct sink s = { .keep = 1 };
		buf_init(&s.text, MIB);
		assert_int_equal(feed(&config, b, chunk, &s, NULL), 0);
		assert_int_equal(s.begun, frames);
		assert_int_equal(s.ended, frames);
		assert_int_equal(buf_len(&s.text), strlen(text));
		assert_memory_equal(buf_ptr(&s.text), text, strlen(text));
		buf_free(&s.text);
	}
}

static void
expect_error(struct buf *b, const char *why)
{
	for (size_t chunk = 1; chunk <= 70000; chunk = chunk * 9 + 1) {
		struct sink s = { .keep = 0 };
		char err[128];
		assert_int_equal(feed(&config, b, chunk, &s, err), -1);
		if (strstr(err, why) == NULL)
			fail_msg("\"%s\" instead of \"%s\"", err, why);
	}
}

/* rows: MAP-02 */
static void
test_every_encoding_and_split(void **state)
{
	static const char skippable[] = "\x5a\x2a\x4d\x18\x05\0\0\0skip!";
	static const char empty_skippable[] = "\x50\x2a\x4d\x18\0\0\0\0";
	struct buf b, body;

	(void)state;
	buf_init(&b, MIB);
	buf_init(&body, MIB);
	for (int checksum = 0; checksum < 2; checksum++) {
		for (int size = 0; size < 2; size++) {
			buf_reset(&body);
			put_zstd(&body, KEEPALIVE, strlen(KEEPALIVE), checksum, size);
			put_frame(&b, buf_ptr(&body), buf_len(&body));
		}
	}
	/* Several zstd frames with skippable ones around them: one map frame. */
	buf_reset(&body);
	buf_put(&body, skippable, sizeof(skippable) - 1);
	put_zstd(&body, "{\"Pe", 4, 1, 1);
	buf_put(&body, empty_skippable, sizeof(empty_skippable) - 1);
	put_zstd(&body, "", 0, 1, 1);
	put_zstd(&body, "ers\":[]}", 8, 0, 0);
	buf_put(&body, skippable, sizeof(skippable) - 1);
	put_frame(&b, buf_ptr(&body), buf_len(&body));
	expect_text(&b, KEEPALIVE "\n" KEEPALIVE "\n" KEEPALIVE "\n" KEEPALIVE "\n{\"Peers\":[]}\n", 5);
	buf_free(&b);
	buf_free(&body);
}

static void
test_plain_bodies(void **state)
{
	struct mapframe_config plain = config;
	struct sink s = { .keep = 1 };
	struct buf b;

	(void)state;
	plain.zstd = 0;
	plain.max_decoded = 20;
	buf_init(&b, 1000);
	buf_init(&s.text, 1000);
	put_frame(&b, "{}", 2);
	put_frame(&b, KEEPALIVE, 18);
	assert_int_equal(feed(&plain, &b, 3, &s, NULL), 0);
	assert_memory_equal(buf_ptr(&s.text), "{}\n" KEEPALIVE "\n", 22);
	put_frame(&b, "123456789012345678901", 21);
	assert_int_equal(feed(&plain, &b, 3, &s, NULL), -1);
	buf_free(&b);
	buf_free(&s.text);
}

/* rows: MAP-09 */
static void
test_lengths(void **state)
{
	struct sink s = { .keep = 0 };
	struct buf b;
	char err[128];

	(void)state;
	buf_init(&b, 1000);
	buf_put(&b, "\0\0\0\0", 4);
	expect_error(&b, "length 0");
	buf_reset(&b);
	buf_put(&b, "\x01\0\0\x04", 4); /* 64 MiB + 1 */
	expect_error(&b, "announces 67108865 bytes");
	buf_reset(&b);
	buf_put(&b, "\xff\xff\xff\xff", 4);
	expect_error(&b, "announces 4294967295 bytes");
	buf_reset(&b);
	buf_put(&b, "\0\0\0\x04", 4); /* 64 MiB: allowed, and then cut off */
	assert_int_equal(feed(&config, &b, 4, &s, err), -1);
	assert_non_null(strstr(err, "ends inside a frame"));
	assert_int_equal(s.begun, 1);
	assert_int_equal(s.wire_len, 64 * MIB);
	buf_free(&b);
}

/* rows: MAP-02 */
static void
test_damaged_frames(void **state)
{
	static const uint8_t dict[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 5 };
	static const uint8_t window31[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 1, 0, 0 };
	static const uint8_t window25[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 15 << 3, 0x11, 0, 0, 'a', 'b' };
	static const uint8_t window25more[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 15 << 3 | 1, 0x11, 0, 0, 'a', 'b' };
	struct buf b, body;

	(void)state;
	buf_init(&b, MIB);
	buf_init(&body, MIB);
	put_zstd(&body, KEEPALIVE, 18, 1, 1);
	put_frame(&b, buf_ptr(&body), buf_len(&body));
	b.mem[b.end - 1] ^= 1;
	expect_error(&b, "checksum");
	buf_reset(&b);
	put_frame(&b, buf_ptr(&body), buf_len(&body) - 1);
	expect_error(&b, "ends inside its zstd data");
	buf_reset(&b);
	put_frame(&b, buf_ptr(&body), 7);
	expect_error(&b, "ends inside its zstd data");
	buf_reset(&b);
	put_frame(&b, "{}", 2);
	expect_error(&b, "ends inside its zstd data");
	buf_reset(&b);
	put_frame(&b, KEEPALIVE, 18);
	expect_error(&b, "not zstd");
	buf_reset(&b);
	buf_put(&body, "garbage", 7);
	put_frame(&b, buf_ptr(&body), buf_len(&body));
	expect_error(&b, "not zstd");
	buf_reset(&b);
	put_frame(&b, dict, sizeof(dict));
	expect_error(&b, "dictionary");
	buf_reset(&b);
	put_frame(&b, window31, sizeof(window31));
	expect_error(&b, "window of 2147483648 bytes");
	buf_reset(&b);
	put_frame(&b, window25more, sizeof(window25more));
	expect_error(&b, "window of 37748736 bytes");
	buf_reset(&b);
	put_frame(&b, window25, sizeof(window25));
	expect_text(&b, "ab\n", 1);
	buf_free(&b);
	buf_free(&body);
}

static struct sink
feed_large(const struct mapframe_config *cfg, size_t n, int c, size_t announce, char err[128])
{
	uint8_t *zeros = malloc(n);
	struct sink s = { .keep = 0 };
	struct buf b, body;

	assert_non_null(zeros);
	memset(zeros, c, n);
	buf_init(&b, 16 * MIB);
	buf_init(&body, 16 * MIB);
	put_zstd(&body, zeros, n, 0, announce != 0);
	free(zeros);
	put_frame(&b, buf_ptr(&body), buf_len(&body));
	feed(cfg, &b, 4077, &s, err);
	buf_free(&b);
	buf_free(&body);
	return s;
}

/* rows: MAP-09 */
static void
test_bombs(void **state)
{
	struct mapframe_config small = { MIB, 2 * MIB, 1 };
	char err[128];
	struct sink s;

	(void)state;
	s = feed_large(&small, 3 * MIB, 0, 1, err); /* refused on its header */
	assert_non_null(strstr(err, "announces 3145728 decoded bytes"));
	assert_int_equal(s.bytes, 0);
	s = feed_large(&small, 3 * MIB, 0, 0, err); /* no size given: stopped before the end */
	assert_true(strstr(err, "compressed more than") != NULL || strstr(err, "more than 2097152") != NULL);
	assert_true(s.bytes <= 2 * MIB);
	s = feed_large(&config, 64 * MIB, 'x', 0, err); /* within all sizes, but no honest text is like that */
	assert_non_null(strstr(err, "compressed more than 512 to 1"));
	assert_true(s.bytes < 4 * MIB);
	s = feed_large(&config, 2 * MIB, 'x', 1, err);
	assert_non_null(strstr(err, "compressed more than 512 to 1"));
	s = feed_large(&config, MIB + 20000, 'x', 1,
	    err); /* small enough not to matter: a text of 1 MiB and what is around it */
	assert_string_equal(err, "");
	assert_int_equal(s.bytes, MIB + 20000);
}

/* rows: MAP-09 */
static void
test_budget_is_per_frame(void **state)
{
	struct mapframe_config small = { 4096, MIB, 1 };
	uint8_t text[MIB];
	struct sink s = { .keep = 0 };
	struct buf b, body;

	(void)state;
	memset(text, 'x', sizeof(text));
	buf_init(&b, MIB);
	buf_init(&body, MIB);
	put_zstd(&body, text, sizeof(text), 1, 1);
	for (int i = 0; i < 20; i++)
		put_frame(&b, buf_ptr(&body), buf_len(&body));
	assert_int_equal(feed(&small, &b, 1000, &s, NULL), 0);
	assert_int_equal(s.ended, 20);
	assert_int_equal(s.bytes, 20 * MIB);
	buf_free(&b);
	buf_free(&body);
}

/* Something that compresses about 6:1 and differs everywhere. */
static size_t
like_json(char *to, size_t size)
{
	size_t n = 0;

	for (unsigned i = 0; n + 200 < size; i++)
		n += (size_t)snprintf(to + n, 200,
		    "{\"ID\":%u,\"StableID\":\"n%08xCNTRL\",\"Name\":\"host-%u.tail.example.\",\"Key\":\"nodekey:%08x%"
		    "08x\"},",
		    i, i * 2654435761u, i, i * 40503u, i * 2246822519u);
	return n;
}

/*
 * How the Go servers write: one segment, so the window is as large as the content.  Decoding must not need that much
 * memory, and not refuse it either.
 */
/* rows: MAP-02 */
static void
test_large_single_segment(void **state)
{
	size_t cap = 80 * MIB, n, len;
	char *text = malloc(cap), err[128];
	uint8_t *out = malloc(cap), *single;
	struct sink s = { .keep = 0 };
	ZSTD_CCtx *c = ZSTD_createCCtx();
	struct buf b;
	size_t before;

	(void)state;
	n = like_json(text, cap);
	/* A stream with a window of 8 MiB ... */
	ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 23);
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
	len = ZSTD_compress2(c, out, cap, text, n);
	assert_false(ZSTD_isError(len));
	assert_int_equal(out[4] >> 6, 2); /* content size of four bytes */
	assert_int_equal(out[4] & 0x20, 0);
	/* ... made a single segment: the flag set, the window byte removed. */
	out[4] |= 0x20;
	single = out + 1;
	memmove(single, out, 5);
	buf_init(&b, 64 * MIB);
	put_frame(&b, single, len - 1);
	free(out);
	free(text);
	ZSTD_freeCCtx(c);
	before = heap_now();
	assert_int_equal(feed(&config, &b, 4077, &s, err), 0);
	assert_int_equal(s.bytes, n);
	assert_true(s.pieces > 1000);
	assert_true(s.heap < before + 40 * MIB);
	buf_free(&b);
}

static void
test_reader_stops(void **state)
{
	struct sink s = { .stop_at_end = 1 };
	struct buf b, body;
	char err[128];

	(void)state;
	buf_init(&b, MIB);
	buf_init(&body, MIB);
	put_zstd(&body, KEEPALIVE, 18, 1, 1);
	put_frame(&b, buf_ptr(&body), buf_len(&body));
	put_frame(&b, buf_ptr(&body), buf_len(&body));
	assert_int_equal(feed(&config, &b, 1000, &s, err), -1);
	assert_int_equal(s.ended, 1);
	buf_free(&b);
	buf_free(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_encoding_and_split),
		cmocka_unit_test(test_plain_bodies),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_damaged_frames),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_budget_is_per_frame),
		cmocka_unit_test(test_large_single_segment),
		cmocka_unit_test(test_reader_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
