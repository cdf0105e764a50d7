/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "blake2s.h"
#include "hex.h"
#include "unit.h"

static void
hash(const void *p, size_t n, size_t piece, char out[2 * BLAKE2S_LEN + 1])
{
	uint8_t sum[BLAKE2S_LEN];
	struct blake2s s;
	size_t at, take;

	blake2s_start(&s);
	for (at = 0; at < n; at += take) {
		take = n - at < piece ? n - at : piece;
		blake2s_add(&s, (const uint8_t *)p + at, take);
		blake2s_add(&s, NULL, 0);
	}
	blake2s_end(&s, sum);
	hex_encode(sum, sizeof(sum), out);
}

/* RFC 7693 appendix B. */
static void
test_the_rfc(void **unused)
{
	char hex[2 * BLAKE2S_LEN + 1];

	(void)unused;
	hash("abc", 3, 3, hex);
	assert_string_equal(hex, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
}

/*
 * RFC 7693 appendix E: the hash of the hashes of these inputs.  There each output is of 16, 20, 28 and 32 bytes,
 * without and with a key; only 32 bytes without a key are in use here.  The values are those of CPython's hashlib for
 * such inputs of all lengths around a block.
 */
static void
test_lengths(void **unused)
{
	static const struct {
		size_t n;
		const char *hex;
	} vectors[] = {
		{ 0, "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9" },
		{ 1, "fc87f4f1d721942d282aa61989c069b290d1447d20d4b811430f47ea0edf9991" },
		{ 3, "f91a7474b1f43009c814ec8bab4374ef7aba753071f735c20ae1b1d5682839d1" },
		{ 63, "1eb51f779a72302e5fefda03270fda3d9bf02cfdcd0a50d10e52c6e6fafbd4ea" },
		{ 64, "1aa2abc48784c4b7b509e56540ccde672903c613c7aa32c1396e10d716351dfe" },
		{ 65, "6abfa13e2982b1bbba3b960049261555c146e4aa817ef504bac543407bdec579" },
		{ 127, "9b2b103f6b5a7e6b2866054f884ba37862f7a46a9d4cc8a2abc289b569b8a500" },
		{ 128, "967fcb84c270978f862307b30b51e082f41ee21bff4088f1b3c399a1da06d61a" },
		{ 129, "6a26a297d38b1db1f7395f944d33c4f08e5c035b92ff54b2dbf5ba7462ea9133" },
		{ 255, "f4a7904b947b80fda0c4ab7ba4fcaeaaf46b56d7a6cc2b477fe487c1f555ff98" },
		{ 256, "17b56f9eee4e647977c5a14a70b64cab2c8f13fd6e7d7ce0c0e8858c78a02b84" },
		{ 1000, "62b0885ea8f00f68fde2392ba5b0efdbcd38a523b3b23136232b995e0d1c46c3" },
	};
	char hex[2 * BLAKE2S_LEN + 1];
	uint8_t in[1024];
	size_t i, piece;

	(void)unused;
	for (i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7 + 1);
	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (piece = 1; piece <= 200; piece++) { /* whatever the pieces are */
			hash(in, vectors[i].n, piece, hex);
			assert_string_equal(hex, vectors[i].hex);
		}
}

/* The counter of the bytes has two words (RFC 7693 3.2): the upper one counts as well. */
static void
test_counter(void **unused)
{
	uint8_t low[BLAKE2S_LEN], high[BLAKE2S_LEN];
	struct blake2s s;

	(void)unused;
	blake2s_start(&s);
	s.count = BLAKE2S_BLOCK;
	blake2s_add(&s, "abc", 3);
	blake2s_end(&s, low);
	blake2s_start(&s);
	s.count = BLAKE2S_BLOCK + (UINT64_C(1) << 32);
	blake2s_add(&s, "abc", 3);
	blake2s_end(&s, high);
	assert_memory_not_equal(low, high, sizeof(low));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_rfc),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
