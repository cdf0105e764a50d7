/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "hex.h"
#include "unit.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "keytext.h"
#include "noiserec.h"

/* protocol.md appendix 1 */
#define K1        "d9811dd6a320dc8484bb37ea989640c99f99a8582f50b829e347bd75da510717"
#define K2        "8561e3fd4551ed82ee22220925e41e923d64b1c04b856f8ec1eaa544a511a427"
#define HELLO_0   "0400153eb7c70f517b459ce906fe831d0a1cc7d9d8bf3725"
#define HELLO_1   "04001506247a9f9b8d4f68a2fe2e148d0b8612cfd0d21146"
#define HELLO_256 "04001542e59d2189721d0e3fa6a58a66b6d14504fb3c392e"
#define EMPTY_0   "040010fbde4e938ecd0006827e71948355a71e"

struct sink {
	struct buf b;
	unsigned calls;
};

static int
to_sink(void *arg, const uint8_t *p, size_t n)
{
	struct sink *s = arg;

	s->calls++;
	assert_true(n > 0);
	return buf_put(&s->b, p, n);
}

static int
stop(void *arg, const uint8_t *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
	return -1;
}

static void
key(const char *hex, uint8_t out[32])
{
	assert_int_equal(hex_decode(hex, 64, out), 0);
}

static void
client(struct noiserec *n)
{
	uint8_t k1[32], k2[32];

	key(K1, k1);
	key(K2, k2);
	noiserec_init(n, k1, k2);
}

static void
server(struct noiserec *n)
{
	uint8_t k1[32], k2[32];

	key(K1, k1);
	key(K2, k2);
	noiserec_init(n, k2, k1);
}

static void
check_hex(struct buf *b, const char *hex)
{
	char text[200];

	hex_encode(buf_ptr(b), buf_len(b), text);
	assert_string_equal(text, hex);
}

/* rows: NOISE-02 */
static void
test_vector(void **state)
{
	struct noiserec c, s;
	struct sink got = { .calls = 0 };
	struct buf b;

	(void)state;
	client(&c);
	server(&s);
	buf_init(&b, 100000);
	buf_init(&got.b, 100000);
	for (unsigned i = 0; i <= 256; i++) {
		buf_reset(&b);
		assert_int_equal(noiserec_seal(&c, (const uint8_t *)"hello", 5, &b), 0);
		if (i == 0)
			check_hex(&b, HELLO_0);
		if (i == 1)
			check_hex(&b, HELLO_1);
		if (i == 256)
			check_hex(&b, HELLO_256);
		assert_int_equal(noiserec_feed(&s, buf_ptr(&b), buf_len(&b), to_sink, &got), 0);
	}
	assert_int_equal(got.calls, 257);
	assert_int_equal(buf_len(&got.b), 257 * 5);
	/* The server's empty record. */
	buf_reset(&b);
	assert_int_equal(noiserec_seal(&s, NULL, 0, &b), 0);
	check_hex(&b, EMPTY_0);
	got.calls = 0;
	assert_int_equal(noiserec_feed(&c, buf_ptr(&b), buf_len(&b), to_sink, &got), 0);
	assert_int_equal(got.calls, 0);
	assert_null(c.error);
	buf_free(&b);
	buf_free(&got.b);
}

/* The record of a little-endian nonce (the Noise specification's) must not open. */
/* rows: NOISE-02 */
static void
test_little_endian_refused(void **state)
{
	static const char wrong[] = "0400152f387cae078a71b8157013d9e58067830d2fbc2e78";
	uint8_t rec[24];
	struct noiserec s;
	struct sink got = { .calls = 0 };

	(void)state;
	server(&s);
	buf_init(&got.b, 100);
	assert_int_equal(hex_decode(HELLO_0, 48, rec), 0);
	assert_int_equal(noiserec_feed(&s, rec, 24, to_sink, &got), 0);
	assert_int_equal(hex_decode(wrong, 48, rec), 0);
	assert_int_equal(noiserec_feed(&s, rec, 24, to_sink, &got), -1);
	assert_int_equal(got.calls, 1);
	buf_free(&got.b);
}

static void
make_stream(struct noiserec *from, struct buf *b, uint8_t *plain, size_t n)
{
	static const size_t parts[] = { 0, 1, 4077, 17, 0, 0, 300, 4076 };
	size_t at = 0;

	for (size_t i = 0; at < n; i++) {
		size_t part = parts[i % 8];
		if (part > n - at)
			part = n - at;
		assert_int_equal(noiserec_seal(from, plain + at, part, b), 0);
		at += part;
	}
}

/* rows: NOISE-06 */
static void
test_every_split(void **state)
{
	static const size_t chunks[] = { 1, 2, 3, 19, 20, 4095, 4096, 4097, 100000 };
	uint8_t plain[20000];
	struct noiserec c, s;
	struct sink got;
	struct buf b;

	(void)state;
	randombytes_buf(plain, sizeof(plain));
	buf_init(&b, 100000);
	for (size_t k = 0; k < sizeof(chunks) / sizeof(chunks[0]); k++) {
		client(&c);
		server(&s);
		buf_reset(&b);
		buf_init(&got.b, 100000);
		make_stream(&s, &b, plain, sizeof(plain));
		for (size_t at = 0; at < buf_len(&b); at += chunks[k]) {
			size_t n = buf_len(&b) - at < chunks[k] ? buf_len(&b) - at : chunks[k];
			assert_int_equal(noiserec_feed(&c, buf_ptr(&b) + at, n, to_sink, &got), 0);
		}
		assert_int_equal(buf_len(&got.b), sizeof(plain));
		assert_memory_equal(buf_ptr(&got.b), plain, sizeof(plain));
		assert_false(noiserec_partial(&c));
		buf_free(&got.b);
	}
	/* Two pieces, cut at every byte of the first records. */
	for (size_t cut = 1; cut < 4200; cut++) {
		client(&c);
		buf_init(&got.b, 100000);
		assert_int_equal(noiserec_feed(&c, buf_ptr(&b), cut, to_sink, &got), 0);
		assert_int_equal(noiserec_feed(&c, buf_ptr(&b) + cut, buf_len(&b) - cut, to_sink, &got), 0);
		assert_int_equal(buf_len(&got.b), sizeof(plain));
		buf_free(&got.b);
	}
	buf_free(&b);
}

/* rows: NOISE-05 */
static void
test_large_writes_are_split(void **state)
{
	uint8_t plain[10000];
	struct noiserec c;
	struct buf b;
	size_t frames = 0;

	(void)state;
	client(&c);
	memset(plain, 7, sizeof(plain));
	buf_init(&b, 100000);
	assert_int_equal(noiserec_seal(&c, plain, sizeof(plain), &b), 0);
	for (size_t at = 0; at < buf_len(&b); frames++) {
		const uint8_t *f = buf_ptr(&b) + at;
		size_t size = 3 + ((size_t)f[1] << 8 | f[2]);
		assert_int_equal(f[0], 4);
		assert_true(size <= 4096);
		if (frames < 2)
			assert_int_equal(size, 4096);
		at += size;
	}
	assert_int_equal(frames, 3);
	buf_free(&b);
}

static void
assert_dead(struct noiserec *n)
{
	static const uint8_t zero[32];
	struct buf b;

	buf_init(&b, 1000);
	assert_non_null(n->error);
	assert_memory_equal(n->tx, zero, 32);
	assert_memory_equal(n->rx, zero, 32);
	assert_int_equal(noiserec_seal(n, (const uint8_t *)"x", 1, &b), -1);
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(noiserec_feed(n, (const uint8_t *)"", 1, stop, NULL), -1);
	buf_free(&b);
}

/* rows: NOISE-05 NOISE-07 */
static void
test_bad_headers(void **state)
{
	static const struct {
		uint8_t h[3];
		int ok;
	} t[] = {
		{ { 4, 0x0f, 0xfd }, 1 }, /* 4093: the largest */
		{ { 4, 0x0f, 0xfe }, 0 }, /* 4094 */
		{ { 4, 0xff, 0xff }, 0 },
		{ { 4, 0, 15 }, 0 },
		{ { 4, 0, 16 }, 1 },
		{ { 4, 0, 0 }, 0 },
		{ { 3, 0, 16 }, 0 },
		{ { 2, 0, 48 }, 0 },
		{ { 0, 0, 16 }, 0 },
	};
	struct noiserec c;
	struct sink got = { .calls = 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (size_t chunk = 1; chunk <= 3; chunk += 2) {
			int rc = 0;
			client(&c);
			/* Refused on the header alone, before any of the rest is read. */
			for (size_t at = 0; at < 3 && rc == 0; at += chunk)
				rc = noiserec_feed(&c, t[i].h + at, chunk, to_sink, &got);
			assert_int_equal(rc, t[i].ok ? 0 : -1);
			if (!t[i].ok)
				assert_dead(&c);
		}
	}
}

/* rows: NOISE-07 */
static void
test_any_changed_byte_kills(void **state)
{
	struct noiserec c, s;
	struct sink got = { .calls = 0 };
	struct buf b;

	(void)state;
	server(&s);
	buf_init(&b, 1000);
	assert_int_equal(noiserec_seal(&s, (const uint8_t *)"hello world", 11, &b), 0);
	buf_init(&got.b, 1000);
	for (size_t i = 3; i < buf_len(&b); i++) {
		client(&c);
		buf_ptr(&b)[i] ^= 1;
		assert_int_equal(noiserec_feed(&c, buf_ptr(&b), buf_len(&b), to_sink, &got), -1);
		assert_dead(&c);
		buf_ptr(&b)[i] ^= 1;
		/* Never again, not even with the right bytes. */
		assert_int_equal(noiserec_feed(&c, buf_ptr(&b), buf_len(&b), to_sink, &got), -1);
	}
	assert_int_equal(got.calls, 0);
	/* Replayed and skipped records. */
	client(&c);
	assert_int_equal(noiserec_feed(&c, buf_ptr(&b), buf_len(&b), to_sink, &got), 0);
	assert_int_equal(noiserec_feed(&c, buf_ptr(&b), buf_len(&b), to_sink, &got), -1);
	assert_dead(&c);
	buf_reset(&b);
	assert_int_equal(noiserec_seal(&s, (const uint8_t *)"second", 6, &b), 0);
	client(&c);
	assert_int_equal(noiserec_feed(&c, buf_ptr(&b), buf_len(&b), to_sink, &got), -1);
	buf_free(&b);
	buf_free(&got.b);
}

/* rows: NOISE-07 */
static void
test_no_room_to_send_kills(void **state)
{
	uint8_t plain[5000] = { 0 };
	struct noiserec c;
	struct buf b;

	(void)state;
	client(&c);
	buf_init(&b, 4500);
	assert_int_equal(noiserec_seal(&c, plain, sizeof(plain), &b), -1);
	assert_dead(&c);
	buf_free(&b);
}

static void
test_empty_records(void **state)
{
	struct noiserec c, s;
	struct sink got = { .calls = 0 };
	struct buf b;

	(void)state;
	client(&c);
	server(&s);
	buf_init(&b, 100000);
	buf_init(&got.b, 100);
	for (int i = 0; i < 64; i++)
		noiserec_seal(&s, NULL, 0, &b);
	noiserec_seal(&s, (const uint8_t *)"x", 1, &b);
	for (int i = 0; i < 64; i++)
		noiserec_seal(&s, NULL, 0, &b);
	assert_int_equal(noiserec_feed(&c, buf_ptr(&b), buf_len(&b), to_sink, &got), 0);
	assert_int_equal(got.calls, 1);
	buf_reset(&b);
	noiserec_seal(&s, NULL, 0, &b);
	assert_int_equal(noiserec_feed(&c, buf_ptr(&b), buf_len(&b), to_sink, &got), -1);
	assert_dead(&c);
	assert_true(c.limit);
	buf_free(&b);
	buf_free(&got.b);
}

static void
test_exhaustion(void **state)
{
	struct noiserec c, s;
	struct sink got = { .calls = 0 };
	struct buf b;

	(void)state;
	client(&c);
	server(&s);
	c.ntx = s.nrx = UINT64_MAX - 1;
	buf_init(&b, 1000);
	buf_init(&got.b, 100);
	assert_int_equal(noiserec_seal(&c, (const uint8_t *)"x", 1, &b), 0);
	assert_int_equal(noiserec_feed(&s, buf_ptr(&b), buf_len(&b), to_sink, &got), 0);
	assert_int_equal(got.calls, 1);
	assert_int_equal(noiserec_seal(&c, (const uint8_t *)"x", 1, &b), -1);
	assert_string_equal(c.error, "send counter exhausted");
	assert_dead(&c);
	assert_int_equal(noiserec_feed(&s, buf_ptr(&b), buf_len(&b), to_sink, &got), -1);
	assert_string_equal(s.error, "receive counter exhausted");
	buf_free(&b);
	buf_free(&got.b);
}

static void
test_reader_stops(void **state)
{
	struct noiserec c, s;
	struct buf b;

	(void)state;
	client(&c);
	server(&s);
	buf_init(&b, 1000);
	noiserec_seal(&s, (const uint8_t *)"x", 1, &b);
	assert_int_equal(noiserec_feed(&c, buf_ptr(&b), buf_len(&b), stop, NULL), -1);
	assert_dead(&c);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_little_endian_refused),
		cmocka_unit_test(test_every_split),
		cmocka_unit_test(test_large_writes_are_split),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_any_changed_byte_kills),
		cmocka_unit_test(test_no_room_to_send_kills),
		cmocka_unit_test(test_empty_records),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_reader_stops),
	};

	return sodium_init() == -1 || cmocka_run_group_tests(tests, NULL, NULL);
}
