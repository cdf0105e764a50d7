/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "jsonparse.h"
#include "unit.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static char err[200];

static struct json_object *
parse_n(const char *s, size_t n)
{
	return json_parse(s, n, NULL, err, sizeof(err));
}

static struct json_object *
parse(const char *s)
{
	struct json_object *o = parse_n(s, strlen(s));

	if (o == NULL)
		fail_msg("'%.60s' refused: %s", s, err);
	return o;
}

/* The text, parsed and printed, is `want`. */
static void
prints_as(const char *s, const char *want)
{
	struct json_object *o = parse_n(s, strlen(s));
	struct buf b;

	assert_string_equal(err, "");
	buf_init(&b, 1 << 20);
	assert_int_equal(json_print(&b, o), 0);
	buf_putc(&b, '\0');
	assert_string_equal((char *)buf_ptr(&b), want);
	buf_free(&b);
	json_object_put(o);
}

static void
refuses_n(const char *s, size_t n, const char *why)
{
	struct json_object *o = parse_n(s, n);

	if (o != NULL)
		fail_msg("'%.60s' accepted", s);
	if (strstr(err, why) == NULL)
		fail_msg("'%.60s': '%s' instead of '%s'", s, err, why);
}

static void
refuses(const char *s, const char *why)
{
	refuses_n(s, strlen(s), why);
}

/* rows: FLD-14 */
static void
test_numbers_keep_digits(void **state)
{
	static const char *const same[] = { "0", "-0", "1", "-1", "9007199254740993", "9223372036854775807",
		"-9223372036854775808", "9223372036854775808", "18446744073709551615", "18446744073709551616",
		"-9223372036854775809", "123456789012345678901234567890", "1.0", "1.10", "-0.0", "1e400", "-1E+2",
		"0.1e-7", "1e0", "3.141592653589793238462643" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		prints_as(same[i], same[i]);
}

static void
test_grammar(void **state)
{
	(void)state;
	prints_as(" { \"a\" : [ 1 , true , false , null , \"x\" ] ,\r\n\t\"b\" : { } , \"c\":[] } ",
	    "{\"a\":[1,true,false,null,\"x\"],\"b\":{},\"c\":[]}");
	prints_as("null", "null");
	refuses("", "unexpected end");
	refuses_n(NULL, 0, "unexpected end"); /* an answer without a body */
	refuses("  ", "unexpected end");
	refuses("{", "member name");
	refuses("[1", "bracket");
	refuses("[1,]", "not a JSON value");
	refuses("[,1]", "not a JSON value");
	refuses("{\"a\":1,}", "member name");
	refuses("{\"a\" 1}", "':'");
	refuses("{a:1}", "member name");
	refuses("{'a':1}", "member name");
	refuses("[1 2]", "bracket");
	refuses("[1}", "bracket");
	refuses("1 2", "after the value");
	refuses("{}x", "after the value");
	refuses("tru", "not a JSON value");
	refuses("True", "not a JSON value");
	refuses("nul", "not a JSON value");
	refuses("NaN", "not a JSON value");
	refuses("Infinity", "not a JSON value");
	refuses("\xef\xbb\xbf{}", "not a JSON value");
	refuses("// c\n1", "not a JSON value");
	refuses_n("1\0", 2, "after the value");
	assert_non_null(strstr(err, "byte 1:"));
}

static void
test_number_grammar(void **state)
{
	static const char *const bad[] = { "+1", "01", "-01", "1.", ".5", "1.e3", "1e", "1e+", "-", "0x10", "1_000",
		"--1", "-a" };
	char longest[1100];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse_n(bad[i], strlen(bad[i])) != NULL)
			fail_msg("accepted %s", bad[i]);
	memset(longest, '7', sizeof(longest));
	refuses_n(longest, 1025, "number too long");
	json_object_put(parse_n(longest, 1024));
	assert_string_equal(err, "");
}

/* rows: FLD-15 */
static void
test_strings(void **state)
{
	static const char nul[] = "{\"a\":\"x\\u0000y\"}";
	struct json_object *o = parse(nul);
	const char *s;
	size_t n;

	(void)state;
	assert_int_equal(json_get_str(o, "a", &s, &n), 1);
	assert_int_equal(n, 3);
	assert_memory_equal(s, "x\0y", 3);
	json_object_put(o);
	prints_as(nul, nul);
	prints_as("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\"");
	prints_as("\"\\u00e9\\u20AC\\ud83d\\ude00\\u0041\"",
	    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
	    "A\"");
	prints_as("\"\\ud83d\"", "\"\xef\xbf\xbd\"");
	prints_as("\"\\ude00x\"", "\"\xef\xbf\xbdx\"");
	prints_as("\"\\ud83d\\u0041\"",
	    "\"\xef\xbf\xbd"
	    "A\"");
	prints_as("\"\\ud83d\\ud83d\\ude00\"", "\"\xef\xbf\xbd\xf0\x9f\x98\x80\"");
	prints_as("\"a\xff\xc3(\xc3\"", "\"a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\"");
	prints_as("\"\"", "\"\"");
	refuses("\"abc", "unfinished");
	refuses("\"abc\\", "unfinished");
	refuses("\"abc\\\"", "unfinished");
	refuses("\"a\nb\"", "control character");
	refuses_n("\"a\0b\"", 5, "control character");
	refuses("\"\\x41\"", "unknown escape");
	refuses("\"\\u12g4\"", "\\u escape");
	refuses("\"\\u12\"", "\\u escape");
	refuses("{\"a\\u0000b\":1}", "NUL in a member name");
}

/* rows: ERR-03 */
static void
test_depth_and_counts_are_bounded(void **state)
{
	struct json_limits lim = { 1 << 20, 4, 6, 8 };
	char *deep = malloc(200000);

	(void)state;
	memset(deep, '[', 100000);
	memset(deep + 100000, ']', 100000);
	refuses_n(deep, 200000, "nested too deeply");
	refuses_n(deep, 100000, "nested too deeply");
	assert_non_null(strstr(err, "byte 33:"));
	json_object_put(parse_n(deep + 100000 - 32, 64));
	assert_string_equal(err, "");
	free(deep);

	json_object_put(json_parse("[1,2,3,4,5]", 11, &lim, err, sizeof(err)));
	assert_string_equal(err, "");
	assert_null(json_parse("[1,2,3,4,5,6]", 13, &lim, err, sizeof(err)));
	assert_non_null(strstr(err, "too many values"));
	json_object_put(json_parse("\"12345678\"", 10, &lim, err, sizeof(err)));
	assert_string_equal(err, "");
	assert_null(json_parse("\"123456789\"", 11, &lim, err, sizeof(err)));
	assert_non_null(strstr(err, "string too long"));
	assert_null(json_parse("\"1234567\\n\"", 11, &lim, err, sizeof(err)));
	assert_null(json_parse("{\"123456789\":1}", 15, &lim, err, sizeof(err)));
	lim.max_bytes = 3;
	assert_null(json_parse("[1] ", 4, &lim, err, sizeof(err)));
	assert_non_null(strstr(err, "too long"));
}

/* rows: ERR-03 */
static void
test_million_elements_refused(void **state)
{
	char *text = malloc(3000002);
	size_t i;

	(void)state;
	text[0] = '[';
	for (i = 0; i < 1000000; i++)
		memcpy(text + 1 + 3 * i, "{},", 3);
	text[3000000] = ']';
	refuses_n(text, 3000001, "too long");
	refuses_n(text, 1 << 20, "too many values");
	free(text);
}

/* rows: ERR-03 */
static void
test_duplicate_member_last_wins(void **state)
{
	struct json_object *o = parse("{\"a\":1,\"b\":2,\"a\":[3],\"a\":4}");
	int64_t v;

	(void)state;
	assert_int_equal(json_object_object_length(o), 2);
	assert_int_equal(json_get_i64(o, "a", &v), 1);
	assert_int_equal(v, 4);
	json_object_put(o);
}

static void
test_lookup(void **state)
{
	struct json_object *o = parse("{\"NODEKEY\":1,\"nodeKey\":2,\"nul\":null,\"Exp\":3}"), *other;
	int present;
	int64_t v = 0;

	(void)state;
	assert_int_equal(json_get_i64(o, "nodeKey", &v), 1);
	assert_int_equal(v, 2);
	assert_int_equal(json_get_i64(o, "NODEKEY", &v), 1);
	assert_int_equal(v, 1);
	assert_int_equal(json_get_i64(o, "exp", &v), 1);
	assert_int_equal(v, 3);
	assert_null(json_get(o, "nul", &present));
	assert_int_equal(present, 1);
	assert_null(json_get(o, "nope", &present));
	assert_int_equal(present, 0);
	assert_null(json_get(NULL, "x", &present));
	assert_int_equal(present, 0);
	other = parse("[1]");
	assert_null(json_get(other, "x", NULL));
	json_object_put(other);
	json_object_put(o);
}

/* rows: FLD-16 */
static void
test_types(void **state)
{
	struct json_object
	    *o = parse(
		"{\"i\":9223372036854775807,\"u\":9223372036854775808,\"d\":1.0,\"s\":\"x\",\"b\":true,\"z\":-0,"
		"\"n\":null,\"o\":{},\"a\":[],\"t\":\"2027-01-02T03:04:05Z\",\"bt\":\"2027\",\"e\":\"\",\"h\":1e400,"
		"\"k\":\"nodekey:" HEX64 "\",\"m\":\"mkey:" HEX64
		"\",\"min\":-9223372036854775808,\"big\":123456789012345678901}"),
	    *v;
	struct wtime t;
	struct pubkey k;
	const char *s;
	size_t n;
	int64_t i;
	double d;
	int b;

	(void)state;
	assert_int_equal(json_get_i64(o, "i", &i), 1);
	assert_true(i == INT64_MAX);
	assert_int_equal(json_get_i64(o, "min", &i), 1);
	assert_true(i == INT64_MIN);
	assert_int_equal(json_get_i64(o, "z", &i), 1);
	assert_int_equal(i, 0);
	assert_int_equal(json_get_i64(o, "u", &i), -1);
	assert_int_equal(json_get_i64(o, "big", &i), -1);
	assert_int_equal(json_get_i64(o, "d", &i), -1);
	assert_int_equal(json_get_i64(o, "s", &i), -1);
	assert_int_equal(json_get_i64(o, "n", &i), 0);
	assert_int_equal(json_get_i64(o, "none", &i), 0);
	assert_int_equal(json_get_str(o, "i", &s, &n), -1);
	assert_int_equal(json_get_str(o, "n", &s, &n), 0);
	assert_int_equal(json_get_bool(o, "b", &b), 1);
	assert_int_equal(b, 1);
	assert_int_equal(json_get_bool(o, "i", &b), -1);
	assert_int_equal(json_get_f64(o, "d", &d), 1);
	assert_true(d > 0.99 && d < 1.01);
	assert_int_equal(json_get_f64(o, "h", &d), -1);
	assert_int_equal(json_get_f64(o, "s", &d), -1);
	assert_int_equal(json_get_time(o, "t", &t), 1);
	assert_int_equal(t.sec, 1798859045);
	assert_int_equal(json_get_time(o, "bt", &t), -1);
	assert_int_equal(json_get_time(o, "e", &t), -1);
	assert_int_equal(json_get_time(o, "n", &t), 0);
	assert_int_equal(json_get_key(o, "k", KEY_NODE, &k), 1);
	assert_int_equal(k.b[1], 0x11);
	assert_int_equal(json_get_key(o, "m", KEY_NODE, &k), -1);
	assert_int_equal(json_get_key(o, "e", KEY_NODE, &k), -1);
	assert_int_equal(json_get_key(o, "n", KEY_NODE, &k), 0);
	assert_int_equal(json_get_obj(o, "o", &v), 1);
	assert_int_equal(json_get_obj(o, "a", &v), -1);
	assert_null(v);
	assert_int_equal(json_get_arr(o, "a", &v), 1);
	assert_non_null(v);
	assert_int_equal(json_get_arr(o, "o", &v), -1);
	assert_null(v); /* no iteration over what is no array */
	assert_int_equal(json_get_arr(o, "n", &v), 0);
	json_object_put(o);
}

static void
test_print_to_a_full_buffer(void **state)
{
	struct json_object *o = parse("[\"0123456789\"]");
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	assert_int_equal(json_print(&b, o), -1);
	buf_free(&b);
	json_object_put(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_keep_digits),
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_number_grammar),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_depth_and_counts_are_bounded),
		cmocka_unit_test(test_million_elements_refused),
		cmocka_unit_test(test_duplicate_member_last_wins),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_print_to_a_full_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
