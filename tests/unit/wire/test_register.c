/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "json.h"
#include "maprequest.h"
#include "register.h"
#include "text.h"
#include "url.h"

#define ZERO64   "0000000000000000000000000000000000000000000000000000000000000000"
#define ONES64   "1111111111111111111111111111111111111111111111111111111111111111"
#define TWOS64   "2222222222222222222222222222222222222222222222222222222222222222"
#define HOSTINFO "{\"OS\":\"linux\",\"BackendLogID\":\"x\"}"
#define NOW      INT64_C(1700000000) /* Tue, 14 Nov 2023 22:13:20 GMT */

static struct pubkey
key_of(int byte)
{
	struct pubkey k;

	memset(k.b, byte, sizeof(k.b));
	return k;
}

static struct register_request
plain_request(void)
{
	return (struct register_request){ .capver = 131,
		.node_key = key_of(0x11),
		.followup = "",
		.hostinfo = HOSTINFO,
		.hostinfo_len = strlen(HOSTINFO) };
}

static void
assert_body(const struct register_request *r, const char *want)
{
	struct buf b;
	char *got;

	buf_init(&b, 1 << 20);
	assert_int_equal(register_build(&b, r), 0);
	got = strndup((const char *)buf_ptr(&b), buf_len(&b));
	assert_string_equal(got, want);
	free(got);
	register_wipe(&b);
}

/* rows: REG-02 REG-03 */
static void
test_plain_body(void **state)
{
	struct register_request r = plain_request();

	(void)state;
	assert_body(&r,
	    "{\"Version\":131,\"NodeKey\":\"nodekey:" ONES64 "\",\"OldNodeKey\":\"nodekey:" ZERO64
	    "\",\"NLKey\":\"nlpub:" ZERO64
	    "\",\"Expiry\":\"0001-01-01T00:00:00Z\",\"Followup\":\"\",\"Hostinfo\":" HOSTINFO
	    ",\"NodeKeySignature\":null}");
}

static void
test_auth_key_body(void **state)
{
	struct register_request r = plain_request();

	(void)state;
	r.auth_key = "tskey-\"\\";
	r.auth_key_len = 8;
	r.old_node_key = key_of(0x22);
	r.ephemeral = 1;
	assert_body(&r,
	    "{\"Version\":131,\"NodeKey\":\"nodekey:" ONES64 "\",\"OldNodeKey\":\"nodekey:" TWOS64
	    "\",\"NLKey\":\"nlpub:" ZERO64
	    "\",\"Auth\":{\"AuthKey\":\"tskey-\\\"\\\\\"},\"Expiry\":\"0001-01-01T00:00:00Z\""
	    ",\"Followup\":\"\",\"Hostinfo\":" HOSTINFO ",\"Ephemeral\":true,\"NodeKeySignature\":null}");
}

/* The flag belongs to the initial request only (protocol.md D.5). */
static void
test_followup_body(void **state)
{
	struct register_request r = plain_request();

	(void)state;
	r.followup = "https://h/a/1xyz";
	r.followup_len = 13;
	r.ephemeral = 1;
	assert_body(&r,
	    "{\"Version\":131,\"NodeKey\":\"nodekey:" ONES64 "\",\"OldNodeKey\":\"nodekey:" ZERO64
	    "\",\"NLKey\":\"nlpub:" ZERO64
	    "\",\"Expiry\":\"0001-01-01T00:00:00Z\",\"Followup\":\"https://h/a/1\",\"Hostinfo\":" HOSTINFO
	    ",\"NodeKeySignature\":null}");
}

static void
test_logout_body(void **state)
{
	struct register_request r = plain_request();

	(void)state;
	r.logout = 1;
	r.ephemeral = 1;
	assert_body(&r,
	    "{\"Version\":131,\"NodeKey\":\"nodekey:" ONES64 "\",\"OldNodeKey\":\"nodekey:" ZERO64
	    "\",\"NLKey\":\"nlpub:" ZERO64
	    "\",\"Expiry\":\"1970-01-01T00:02:03Z\",\"Followup\":\"\",\"Hostinfo\":" HOSTINFO
	    ",\"NodeKeySignature\":null}");
}

/* The memory that held the auth key does not move while it is written, and is zero after the wipe. */
static void
test_body_does_not_move(void **state)
{
	static char key[1024], followup[2048];
	struct register_request r = plain_request();
	struct buf b;

	(void)state;
	memset(key, '\1', sizeof(key));
	memset(followup, '"', sizeof(followup));
	r.auth_key = key;
	r.auth_key_len = sizeof(key);
	r.followup = followup;
	r.followup_len = sizeof(followup);
	buf_init(&b, 1 << 20);
	assert_int_equal(register_build(&b, &r), 0);
	/* The reservation was enough: had the buffer grown, its size would be more than what was asked for. */
	assert_true(b.cap <= r.hostinfo_len + 6 * (sizeof(key) + sizeof(followup)) + 1024 + 1);
	register_wipe(&b);
	assert_null(b.mem);
	buf_init(&b, 100);
	assert_int_equal(register_build(&b, &r), -1);
	register_wipe(&b);
}

static struct register_answer
judge_text(int status, const char *text, int https)
{
	struct register_answer a;

	register_judge(&a, status, NULL, NOW, (const uint8_t *)text, strlen(text), https);
	return a;
}

static struct register_answer
judge(const char *text)
{
	return judge_text(200, text, 1);
}

/* rows: REG-07 */
static void
test_empty_answers(void **state)
{
	(void)state;
	assert_int_equal(judge("null").outcome, REGISTER_OK);
	assert_int_equal(judge(" null\n").outcome, REGISTER_OK);
	assert_int_equal(judge("{}").outcome, REGISTER_OK);
	assert_int_equal(judge("{\"User\":null,\"Login\":null,\"AuthURL\":null}").outcome, REGISTER_OK);
}

/* rows: REG-07 */
static void
test_unusable_answers(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "3", "\"x\"", "nul", "{}x", "{\"AuthURL\":7}",
		"{\"Error\":{}}", "{\"User\":[]}", "{\"User\":{\"ID\":\"1\"}}", "{\"Login\":{\"LoginName\":1}}",
		"{\"NodeKeyExpired\":\"yes\"}", "{\"MachineAuthorized\":1}", "{\"NodeKeySignature\":{}}" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct register_answer a = judge(texts[i]);

		assert_int_equal(a.outcome, REGISTER_BAD);
		assert_true(strlen(a.err) > 10);
	}
}

/* rows: REG-07 */
static void
test_answer_over_1_mib(void **state)
{
	size_t n = REGISTER_MAX_ANSWER + 1;
	char *big = malloc(n);
	struct register_answer a;

	(void)state;
	memset(big, ' ', n);
	memcpy(big, "{}", 2);
	register_judge(&a, 200, NULL, NOW, (const uint8_t *)big, n - 1, 1);
	assert_int_equal(a.outcome, REGISTER_OK);
	register_judge(&a, 200, NULL, NOW, (const uint8_t *)big, n, 1);
	assert_int_equal(a.outcome, REGISTER_BAD);
	assert_non_null(strstr(a.err, "1 MiB"));
	free(big);
}

/* rows: REG-10 */
static void
test_profile(void **state)
{
	struct register_answer a =
	    judge("{\"User\":{\"ID\":9007199254740993,\"DisplayName\":\"no\"},\"Login\":{\"ID\":-5,\"LoginName\":"
		  "\"a@b\",\"DisplayName\":\"A "
		  "\\u001b[31m\",\"ProfilePicURL\":\"https://p\"},\"MachineAuthorized\":true,\"New\":[1]}");

	(void)state;
	assert_int_equal(a.outcome, REGISTER_OK);
	assert_true(a.user_id == INT64_C(9007199254740993));
	assert_true(a.login_id == -5);
	assert_string_equal(a.login_name, "a@b");
	assert_string_equal(a.display_name, "A \\x1b[31m");
	assert_string_equal(a.profile_pic, "https://p");
	assert_int_equal(a.machine_authorized, 1);
}

/* Order of protocol.md D.3: Error, NodeKeySignature, NodeKeyExpired, AuthURL. */
static void
test_order(void **state)
{
	struct register_answer a;

	(void)state;
	a = judge("{\"Error\":\"bad "
		  "key\",\"NodeKeySignature\":\"AA==\",\"NodeKeyExpired\":true,\"AuthURL\":\"https://h/a\"}");
	assert_int_equal(a.outcome, REGISTER_REFUSED);
	assert_string_equal(a.err, "bad key");
	a = judge("{\"NodeKeySignature\":\"AA==\",\"NodeKeyExpired\":true,\"AuthURL\":\"https://h/a\"}");
	assert_int_equal(a.outcome, REGISTER_BAD);
	assert_non_null(strstr(a.err, "tailnet lock needed: not supported"));
	a = judge("{\"NodeKeyExpired\":true,\"AuthURL\":\"https://h/a\"}");
	assert_int_equal(a.outcome, REGISTER_KEY_EXPIRED);
	a = judge("{\"AuthURL\":\"https://h/a\",\"User\":{\"ID\":3}}");
	assert_int_equal(a.outcome, REGISTER_URL);
	assert_string_equal(a.url, "https://h/a");
	assert_true(a.user_id == 3);
}

/* rows: INT-05 */
static void
test_urls(void **state)
{
	char big[URL_MAX + 2];

	(void)state;
	assert_int_equal(judge_text(200, "{\"AuthURL\":\"http://h/a\"}", 1).outcome, REGISTER_BAD);
	assert_int_equal(judge_text(200, "{\"AuthURL\":\"http://h/a\"}", 0).outcome, REGISTER_URL);
	assert_int_equal(judge("{\"AuthURL\":\"javascript:alert(1)\"}").outcome, REGISTER_BAD);
	assert_true(url_is_showable("HTTPS://h", 9, 1));
	assert_false(url_is_showable("https://", 8, 1));
	assert_false(url_is_showable("https:///etc", 12, 1));
	assert_false(url_is_showable("file:///etc/passwd", 18, 0));
	assert_false(url_is_showable("https://h/\n", 11, 1));
	assert_false(url_is_showable("https://h/ x", 12, 1));
	assert_false(url_is_showable("https://h/\xe2\x80\xae", 13, 1));
	assert_false(url_is_showable("", 0, 0));
	memset(big, 'a', sizeof(big));
	memcpy(big, "https://", 8);
	assert_true(url_is_showable(big, URL_MAX, 1));
	assert_false(url_is_showable(big, URL_MAX + 1, 1));
}

/* rows: REG-08 */
static void
test_error_status(void **state)
{
	char body[600];
	struct register_answer a;

	(void)state;
	a = judge_text(500, "  \r\n boom \x1b]0;x\x07 \n", 1);
	assert_int_equal(a.outcome, REGISTER_HTTP);
	assert_int_equal(a.status, 500);
	assert_string_equal(a.err, "register: HTTP 500: boom \\x1b]0;x\\x07");
	assert_string_equal(judge_text(404, "", 1).err, "register: HTTP 404");
	memset(body, 'y', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	a = judge_text(400, body, 1);
	assert_int_equal(strlen(a.err), strlen("register: HTTP 400: ") + REGISTER_MAX_ERRTEXT);
	/* The cut is inside of a character: it is dropped, not shown as broken. */
	memcpy(body + REGISTER_MAX_ERRTEXT - 1, "\xc3\xa9", 2);
	a = judge_text(400, body, 1);
	assert_int_equal(strlen(a.err), strlen("register: HTTP 400: ") + REGISTER_MAX_ERRTEXT - 1);
	assert_null(strchr(a.err, '\\'));
}

static void
assert_random_wait(const char *value)
{
	int i, differs = 0;
	uint32_t ms, first = retry_after_ms(value, NOW);

	for (i = 0; i < 50; i++) {
		ms = retry_after_ms(value, NOW);
		assert_in_range(ms, 5000, 10000);
		differs |= ms != first;
	}
	assert_true(differs);
}

/* rows: BACK-05 */
static void
test_retry_after(void **state)
{
	struct register_answer a;

	(void)state;
	assert_int_equal(retry_after_ms("1", NOW), 1000);
	assert_int_equal(retry_after_ms("3600", NOW), 3600000);
	assert_int_equal(retry_after_ms("Tue, 14 Nov 2023 22:13:50 GMT", NOW), 30000);
	assert_int_equal(retry_after_ms("Tuesday, 14-Nov-23 22:13:21 GMT", NOW), 1000);
	assert_int_equal(retry_after_ms("Tue Nov 14 22:14:20 2023", NOW), 60000);
	assert_random_wait(NULL);
	assert_random_wait("");
	assert_random_wait("0");
	assert_random_wait("-3");
	assert_random_wait("3601");
	assert_random_wait("1000000000000000000000");
	assert_random_wait("soon");
	assert_random_wait("Tue, 14 Nov 2023 22:13:20 GMT");
	assert_random_wait("Tue, 14 Nov 2023 23:13:21 GMT");
	assert_random_wait("Tue, 14 Nov 1999 22:13:20 GMT");
	register_judge(&a, 429, "7", NOW, (const uint8_t *)"slow down", 9, 1);
	assert_int_equal(a.outcome, REGISTER_LIMITED);
	assert_int_equal(a.retry_after_ms, 7000);
	assert_non_null(strstr(a.err, "slow down"));
}

static struct map_request
plain_map(void)
{
	return (struct map_request){ .capver = 131,
		.node_key = key_of(0x11),
		.disco_key = key_of(0x22),
		.hostinfo = HOSTINFO,
		.hostinfo_len = strlen(HOSTINFO) };
}

static char *
map_text(const struct map_request *r)
{
	struct buf b;
	char *s;

	buf_init(&b, MAP_REQUEST_MAX);
	assert_int_equal(maprequest_build(&b, r), 0);
	s = strndup((const char *)buf_ptr(&b), buf_len(&b));
	buf_free(&b);
	return s;
}

/* rows: MAP-01 */
static void
test_map_poll_and_lite(void **state)
{
	struct map_request r = plain_map();
	char *s;

	(void)state;
	s = map_text(&r);
	assert_string_equal(s,
	    "{\"Version\":131,\"Compress\":\"zstd\",\"KeepAlive\":true,\"NodeKey\":\"nodekey:" ONES64
	    "\",\"DiscoKey\":\"discokey:" TWOS64 "\",\"Stream\":true,\"Hostinfo\":" HOSTINFO "}");
	free(s);
	r.lite = 1;
	s = map_text(&r);
	assert_string_equal(s,
	    "{\"Version\":131,\"Compress\":\"zstd\",\"KeepAlive\":true,\"NodeKey\":\"nodekey:" ONES64
	    "\",\"DiscoKey\":\"discokey:" TWOS64 "\",\"OmitPeers\":true,\"Hostinfo\":" HOSTINFO "}");
	free(s);
}

/* rows: LITE-07 */
static void
test_map_endpoints(void **state)
{
	static const struct map_endpoint eps[] = {
		{ .family = 4, .addr = { 192, 0, 2, 7 }, .port = 41641, .type = 1 },
		{ .family = 4, .addr = { 169, 254, 1, 1 }, .port = 41641, .type = 1 },
		{ .family = 6, .addr = { 0xfe, 0x80, 1 }, .port = 41641, .type = 1 },
		{ .family = 6, .addr = { 0xfe, 0xbf, 1 }, .port = 41641, .type = 1 },
		{ .family = 6, .addr = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, .port = 5, .type = 2 },
		{ .family = 6, .port = 41641, .type = 1 },
		{ .family = 6, .addr = { 0xff, 2 }, .port = 41641, .type = 1 },
		{ .family = 4, .port = 41641, .type = 1 },
		{ .family = 4, .addr = { 224, 0, 0, 1 }, .port = 41641, .type = 1 },
		{ .family = 4, .addr = { 192, 0, 2, 8 }, .port = 0, .type = 5 },
		{ .family = 9, .addr = { 192, 0, 2, 9 }, .port = 9, .type = 5 },
	};
	struct map_request r = plain_map();
	char *s;

	(void)state;
	r.endpoints = eps;
	r.nendpoints = sizeof(eps) / sizeof(eps[0]);
	r.ip_forwarding_broken = 1;
	s = map_text(&r);
	assert_non_null(strstr(s,
	    ",\"Endpoints\":[\"192.0.2.7:41641\",\"[2001:db8::1]:5\"],\"EndpointTypes\":[1,2],"
	    "\"DebugFlags\":[\"warn-ip-forwarding-off\"]}"));
	free(s);
	r.nendpoints = 0;
	r.ip_forwarding_broken = 0;
	s = map_text(&r);
	assert_null(strstr(s, "Endpoint"));
	assert_null(strstr(s, "DebugFlags"));
	free(s);
}

static void
test_map_too_large(void **state)
{
	struct map_request r = plain_map();
	struct buf b;

	(void)state;
	buf_init(&b, 200);
	assert_int_equal(maprequest_build(&b, &r), -1);
	buf_free(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_body),
		cmocka_unit_test(test_auth_key_body),
		cmocka_unit_test(test_followup_body),
		cmocka_unit_test(test_logout_body),
		cmocka_unit_test(test_body_does_not_move),
		cmocka_unit_test(test_empty_answers),
		cmocka_unit_test(test_unusable_answers),
		cmocka_unit_test(test_answer_over_1_mib),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_error_status),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_map_poll_and_lite),
		cmocka_unit_test(test_map_endpoints),
		cmocka_unit_test(test_map_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
