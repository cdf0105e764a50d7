/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "b64.h"
#include "hex.h"
#include "keytext.h"
#include "unit.h"

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

static void
test_format_and_parse(void **state)
{
	static const enum key_kind kinds[] = { KEY_MACHINE, KEY_NODE, KEY_DISCO, KEY_NL, KEY_CHALLENGE };
	static const char *const prefixes[] = { "mkey:", "nodekey:", "discokey:", "nlpub:", "chalpub:" };
	char want[KEY_TEXT_MAX], text[KEY_TEXT_MAX];
	struct pubkey k, back;
	size_t i;

	(void)state;
	assert_int_equal(hex_decode(HEX, 64, k.b), 0);
	for (i = 0; i < 5; i++) {
		strlcpy(want, prefixes[i], sizeof(want));
		strlcat(want, HEX, sizeof(want));
		assert_string_equal(key_format(kinds[i], &k, text), want);
		assert_int_equal(key_parse(kinds[i], want, strlen(want), &back), 0);
		assert_true(key_equal(&k, &back));
		assert_int_equal(key_parse(kinds[(i + 1) % 5], want, strlen(want), &back), -1);
	}
	assert_int_equal(key_parse(KEY_NL, "tlpub:" HEX, 6 + 64, &back), 0);
}

static void
test_parse_is_strict(void **state)
{
	static const char *const bad[] = { "", "nodekey:", HEX, "nodekey:" HEX "0", "nodekey:" HEX "00",
		" nodekey:" HEX, "nodekey:" HEX "\n", "NODEKEY:" HEX, "mkey:" HEX,
		"nodekey: 00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff",
		"nodekey:g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff" };
	struct pubkey k = { { 1 } }, was = k;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (key_parse(KEY_NODE, bad[i], strlen(bad[i]), &k) == 0)
			fail_msg("accepted '%s'", bad[i]);
	assert_true(key_equal(&k, &was));
	assert_int_equal(key_parse(KEY_NODE, "nodekey:000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1EFF",
			     72, &k),
	    0);
	assert_int_equal(k.b[31], 0xff);
}

static void
test_zero_and_short(void **state)
{
	struct pubkey k = { { 0 } };
	char text[KEY_SHORT_MAX];

	(void)state;
	assert_true(key_is_zero(&k));
	k.b[31] = 1;
	assert_false(key_is_zero(&k));
	assert_int_equal(hex_decode(HEX, 64, k.b), 0);
	assert_string_equal(key_short(KEY_MACHINE, &k, text), "mkey [AAECA]");
	assert_string_equal(key_short(KEY_DISCO, &k, text), "discokey [AAECA]");
}

static void
test_hex(void **state)
{
	uint8_t b[4];
	char text[9];

	(void)state;
	assert_int_equal(hex_decode("dEadbeEF", 8, b), 0);
	hex_encode(b, 4, text);
	assert_string_equal(text, "deadbeef");
	assert_int_equal(hex_decode("abc", 3, b), -1);
	assert_int_equal(hex_decode("0x", 2, b), -1);
	assert_int_equal(hex_decode("", 0, b), 0);
}

static void
test_base64(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfd", "//79" },
		{ "\xfb\xef", "++8=" } };
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg==Zg==", "Zh==", "Zm9=", "====", "Z===", "Zm 9v",
		"Zm9v\n", "Zm-v", "Zm=v" };
	uint8_t out[16];
	char text[16];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		size_t n = strlen(pairs[i][0]);

		assert_int_equal(b64_encode((const uint8_t *)pairs[i][0], n, text, sizeof(text)), strlen(pairs[i][1]));
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(b64_decode(text, strlen(text), out, sizeof(out)), n);
		assert_memory_equal(out, pairs[i][0], n);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (b64_decode(bad[i], strlen(bad[i]), out, sizeof(out)) != -1)
			fail_msg("accepted '%s'", bad[i]);
	assert_int_equal(b64_encode(out, 3, text, 4), -1);
	assert_int_equal(b64_encode(out, 3, text, 5), 4);
	assert_int_equal(b64_decode("Zm9v", 4, out, 2), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_and_parse),
		cmocka_unit_test(test_parse_is_strict),
		cmocka_unit_test(test_zero_and_short),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
