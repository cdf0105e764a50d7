/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hex.h"
#include "keyring.h"
#include "noise.h"

/* protocol.md, appendix 1: private keys of 32 equal bytes */
#define SERVER "7b0d47d93427f8311160781c7c733fd89f88970aef490d8aa0ee19a4cb8a1b14"
#define INIT \
	"00710100600faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f2061d2949213e755bc180b5d5dbbd8c5" \
	"0a2a1beb69f8940d24cab4606a34cd5d41f9d17afbcd2c70cdff7c982b922df1bd9a57bb432d58e197f5f11b644c054435"
#define RESP "ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b0eddc22d979a1022201bb5cd3643c054"
#define HASH "dd297d1d3fa4d71605d3b77e1b173181c073110e4cdf9672828fcdfe4f138b87"
#define K1   "d9811dd6a320dc8484bb37ea989640c99f99a8582f50b829e347bd75da510717"
#define K2   "8561e3fd4551ed82ee22220925e41e923d64b1c04b856f8ec1eaa544a511a427"

static struct keyring *
vector_ring(void)
{
	struct keyring *k = keyring_new();
	char text[PRIVKEY_TEXT_LEN + 1] = "privkey:";

	assert_non_null(k);
	memset(text + 8, '1', 64);
	assert_int_equal(keyring_import(k, SLOT_MACHINE, text, PRIVKEY_TEXT_LEN), 0);
	return k;
}

static struct noise *
vector_begin(struct keyring *k, uint8_t init[NOISE_INIT_LEN])
{
	struct pubkey server;
	uint8_t eph[32];

	memset(eph, 0x22, sizeof(eph));
	assert_int_equal(hex_decode(SERVER, 64, server.b), 0);
	return noise_begin_with(k, &server, 113, eph, init);
}

static void
assert_hex(const uint8_t *p, size_t n, const char *want)
{
	char got[2 * NOISE_INIT_LEN + 1];

	hex_encode(p, n, got);
	assert_string_equal(got, want);
}

/* rows: NOISE-01 NOISE-02 */
static void
test_vector(void **state)
{
	struct keyring *k = vector_ring();
	struct ipc_hs_keys keys;
	uint8_t init[NOISE_INIT_LEN], body[NOISE_RESP_BODY];
	struct noise *n = vector_begin(k, init);

	(void)state;
	assert_non_null(n);
	assert_hex(init, sizeof(init), INIT);
	hex_decode(RESP, 96, body);
	assert_int_equal(noise_finish(n, k, body, &keys), 0);
	assert_hex(keys.hash, 32, HASH);
	assert_hex(keys.tx, 32, K1);
	assert_hex(keys.rx, 32, K2);
	keyring_free(k);
}

/* rows: NOISE-03 */
static void
test_tampering(void **state)
{
	struct keyring *k = vector_ring();
	struct ipc_hs_keys keys, none;
	uint8_t init[NOISE_INIT_LEN], body[NOISE_RESP_BODY];
	size_t i;

	(void)state;
	memset(&none, 0, sizeof(none));
	for (i = 0; i < sizeof(body) * 8; i++) {
		hex_decode(RESP, 96, body);
		body[i / 8] ^= (uint8_t)(1 << i % 8);
		if (i == 255)
			continue; /* X25519 ignores the top bit, yet the transcript has it: the next check */
		memset(&keys, 0xff, sizeof(keys));
		assert_int_not_equal(noise_finish(vector_begin(k, init), k, body, &keys), 0);
		assert_memory_equal(&keys, &none, sizeof(keys));
	}
	hex_decode(RESP, 96, body);
	body[31] ^= 0x80;
	assert_int_equal(noise_finish(vector_begin(k, init), k, body, &keys), IPC_HS_BAD_TAG);
	keyring_free(k);
}

/* Points of small order give an all-zero secret: abort, whatever the tag says (protocol.md C.3). */
static void
test_low_order(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	struct keyring *k = vector_ring();
	struct ipc_hs_keys keys;
	uint8_t init[NOISE_INIT_LEN], body[NOISE_RESP_BODY];
	struct pubkey server;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		hex_decode(RESP, 96, body);
		hex_decode(points[i], 64, body);
		assert_int_equal(noise_finish(vector_begin(k, init), k, body, &keys), IPC_HS_BAD_POINT);
		hex_decode(points[i], 64, server.b);
		assert_null(noise_begin(k, &server, 131, init));
	}
	keyring_free(k);
}

/* rows: NOISE-01 */
static void
test_fresh_ephemeral(void **state)
{
	struct keyring *k = vector_ring();
	struct pubkey server;
	uint8_t init[10][NOISE_INIT_LEN];
	size_t i, j, at;

	(void)state;
	hex_decode(SERVER, 64, server.b);
	for (i = 0; i < 10; i++) {
		struct noise *n = noise_begin(k, &server, 131, init[i]);

		assert_non_null(n);
		noise_abort(n);
		assert_memory_equal(init[i], "\x00\x83\x01\x00\x60", 5);
		for (j = 0; j < i; j++) /* no 8 bytes in a row of one are at the same place of another */
			for (at = 5; at + 8 <= NOISE_INIT_LEN; at++)
				assert_memory_not_equal(init[i] + at, init[j] + at, 8);
	}
	keyring_free(k);
}

static void
test_refuses_without_keys(void **state)
{
	struct keyring *k = keyring_new();
	struct pubkey server;
	uint8_t init[NOISE_INIT_LEN];

	(void)state;
	hex_decode(SERVER, 64, server.b);
	assert_null(noise_begin(k, &server, 131, init));
	assert_int_equal(keyring_generate(k, SLOT_MACHINE), 0);
	memset(&server, 0, sizeof(server));
	assert_null(noise_begin(k, &server, 131, init));
	keyring_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_tampering),
		cmocka_unit_test(test_low_order),
		cmocka_unit_test(test_fresh_ephemeral),
		cmocka_unit_test(test_refuses_without_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
