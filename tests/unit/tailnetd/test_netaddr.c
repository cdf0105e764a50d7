/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <string.h>

#include "dial.h"
#include "dialaddr.h"
#include "netaddr.h"
#include "resolve.h"
#include "unit.h"
#include "url.h"

static void
test_url(void **unused)
{
	static const struct {
		const char *s, *host, *authority, *path;
		unsigned port;
		int https;
	} fine[] = {
		{ "https://hs.example.com", "hs.example.com", "hs.example.com", "", 0, 1 },
		{ "HTTP://HS.Example.COM:80/", "hs.example.com", "hs.example.com:80", "", 80, 0 },
		{ "https://a/b/c//", "a", "a", "/b/c", 0, 1 },
		{ "https://[2001:DB8::1]:8443/x", "2001:db8::1", "[2001:db8::1]:8443", "/x", 8443, 1 },
		{ "http://[::1]", "::1", "[::1]", "", 0, 0 },
		{ "http://127.0.0.1:65535", "127.0.0.1", "127.0.0.1:65535", "", 65535, 0 },
	};
	static const char *const bad[] = { "", "https://", "https:///x", "ftp://a", "//a", "a.example.com", "https:/a",
		"https://a b", "https://a\n", "https://a?q", "https://a#f", "https://a:0", "https://a:65536",
		"https://a:", "https://a:1x", "https://[::1", "https://[::1]x", "https://[1.2.3.4]",
		"https://[fe80::1%25eth0]", "https://::1", "https://\xc3\xa4.example", "https://a%41", "https://u:p@a",
		"https://u@a", "https://a\\b", "https://:80", "https://.", "https://.a", "https://a..",
		"https://a..b:80" };
	char why[200], longest[600];
	struct url u;
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		if (url_parse(fine[i].s, 0, &u, why, sizeof(why)) == -1)
			fail_msg("%s: %s", fine[i].s, why);
		assert_string_equal(u.host, fine[i].host);
		assert_string_equal(u.authority, fine[i].authority);
		assert_string_equal(u.path, fine[i].path);
		assert_int_equal(u.port, fine[i].port);
		assert_int_equal(u.https, fine[i].https);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why[0] = '\0';
		if (url_parse(bad[i], 0, &u, why, sizeof(why)) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_true(strlen(why) > 10);
	}
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest, "https://", 8);
	assert_int_equal(url_parse(longest, 0, &u, why, sizeof(why)), -1);
	longest[10] = '/';
	assert_int_equal(url_parse(longest, 0, &u, why, sizeof(why)), -1);
	assert_int_equal(url_parse("http://us%65r:p%3A%40@h", 1, &u, why, sizeof(why)), 0);
	assert_string_equal(u.userinfo, "user:p:@");
	assert_string_equal(u.authority, "h");
	assert_int_equal(url_parse("http://u%0a:p@h", 1, &u, why, sizeof(why)), -1);
	assert_int_equal(url_parse("http://u%4:p@h", 1, &u, why, sizeof(why)), -1);
	assert_int_equal(url_parse("http://u@v@h", 1, &u, why, sizeof(why)), -1);
}

static const char *
policy(const char *text, int literal, int plan)
{
	struct sockaddr_storage ss;
	struct ipc_addr a;

	assert_int_equal(dial_parse_literal(text, &a), 0);
	dial_sockaddr(&a, 443, &ss);
	return plan ? dial_address_not_public((struct sockaddr *)&ss)
		    : dial_address_forbidden((struct sockaddr *)&ss, literal);
}

/* security.md D3 and, for dial plans, D15 */
static void
test_address_policy(void **unused)
{
	static const char *const never[] = { "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "169.254.169.254",
		"169.254.0.0", "224.0.0.1", "239.255.255.255", "255.255.255.255", "::", "::1", "fe80::1", "febf::1",
		"ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1" };
	static const char *const private[] = { "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.127.255.255",
		"240.0.0.1", "198.18.0.1", "198.19.255.255", "192.0.0.8", "2002:a00:1::1", "2001::a00:1", "fd00::1",
		"fec0::1", "64:ff9b::7f00:1" };
	static const char *const public[] = { "8.8.8.8", "126.255.255.255", "128.0.0.0", "169.253.255.255",
		"169.255.0.0", "172.32.0.1", "100.128.0.1", "223.255.255.255", "198.20.0.0", "192.0.1.0", "2001:db8::1",
		"2003::1", "2606:4700::1" };
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		if (policy(never[i], 0, 0) == NULL || policy(never[i], 0, 1) == NULL)
			fail_msg("%s is allowed", never[i]);
		assert_null(policy(never[i], 1, 0)); /* the configuration names it */
	}
	for (i = 0; i < sizeof(private) / sizeof(private[0]); i++)
		if (policy(private[i], 0, 0) != NULL || policy(private[i], 0, 1) == NULL)
			fail_msg("%s: wrong answer", private[i]);
	for (i = 0; i < sizeof(public) / sizeof(public[0]); i++)
		if (policy(public[i], 0, 0) != NULL || policy(public[i], 0, 1) != NULL)
			fail_msg("%s is refused", public[i]);
	assert_non_null(dial_address_forbidden(&(struct sockaddr){ .sa_family = AF_UNIX }, 0));
}

static void
test_prefix(void **unused)
{
	static const char *const fine[] = { "100.64.0.0/10", "0.0.0.0/0", "192.0.2.1/32", "::/0", "2001:db8::/32",
		"2001:db8::1/128", "10.128.0.0/9" };
	static const char *const bad[] = { "", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
		"10.0.0.0/8x", "10.0.0.1/8", "::1/64", "::/129", "10.0.0/8", "010.0.0.0/8", "fe80::%eth0/64",
		"10.0.0.0/8/8", " 10.0.0.0/8" };
	struct ipc_addr a;
	char text[64];
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		assert_int_equal(netaddr_prefix_parse(fine[i], &a), 0);
		assert_string_equal(netaddr_prefix_format(&a, text, sizeof(text)), fine[i]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (netaddr_prefix_parse(bad[i], &a) == 0)
			fail_msg("accepted: %s", bad[i]);
}

static void
test_endpoint(void **unused)
{
	static const char *const bad[] = { "", ":1", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536",
		"[192.0.2.1]:1", "2001:db8::1:1", "[2001:db8::1]", "[2001:db8::1]:x", "[]:1", "[:1", "host:1",
		"192.0.2.1:1/", "192.0.2.1:1/wifi", "[fe80::1%eth0]:1" };
	static const char *const types[] = { "local", "stun", "portmapped", "stun4localport", "explicit" };
	struct ipc_endpoint e;
	char text[80];
	size_t i;

	(void)unused;
	assert_int_equal(netaddr_endpoint_parse("192.0.2.1:41641", 0, &e), 0);
	assert_int_equal(e.family, 4);
	assert_int_equal(e.port, 41641);
	assert_int_equal(e.type, IPC_EP_EXPLICIT);
	assert_string_equal(netaddr_endpoint_format(&e, text, sizeof(text)), "192.0.2.1:41641");
	assert_int_equal(netaddr_endpoint_parse("[2001:db8::1]:1/stun", 1, &e), 0);
	assert_int_equal(e.type, IPC_EP_STUN);
	assert_string_equal(netaddr_endpoint_format(&e, text, sizeof(text)), "[2001:db8::1]:1");
	assert_int_equal(netaddr_endpoint_parse("192.0.2.1:1/stun", 0, &e), -1);
	for (i = 0; i < 5; i++) {
		char s[80] = "192.0.2.1:1/";

		strlcat(s, types[i], sizeof(s));
		assert_int_equal(netaddr_endpoint_parse(s, 1, &e), 0);
		assert_int_equal(e.type, i + 1); /* protocol.md F.3 */
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (netaddr_endpoint_parse(bad[i], 1, &e) == 0)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(netaddr_endpoint_parse("[fe80::1]:1", 0, &e), 0);
	assert_string_equal(netaddr_endpoint_refused(&e, 1), "link-local address");
	assert_int_equal(netaddr_endpoint_parse("10.0.0.1:1", 0, &e), 0);
	assert_null(netaddr_endpoint_refused(&e, 0));
	assert_int_equal(netaddr_endpoint_parse("127.0.0.1:1", 0, &e), 0);
	assert_non_null(netaddr_endpoint_refused(&e, 0));
	assert_null(netaddr_endpoint_refused(&e, 1));
	assert_int_equal(netaddr_endpoint_parse("169.254.7.1:1", 0, &e), 0);
	assert_non_null(netaddr_endpoint_refused(&e, 0));
	assert_null(netaddr_endpoint_refused(&e, 1));
	assert_int_equal(netaddr_endpoint_parse("[::]:1", 0, &e), 0);
	assert_non_null(netaddr_endpoint_refused(&e, 1));
}

static struct ipc_addr
addr(const char *s)
{
	struct ipc_addr a;

	assert_int_equal(dial_parse_literal(s, &a), 0);
	return a;
}

/* rows: DIAL-10 */
static void
test_interleave(void **unused)
{
	struct ipc_addr in[40], out[40];
	char text[64];
	static const char *const want[] = { "2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3" };
	unsigned i, n4 = 0;

	(void)unused;
	in[0] = addr("2001:db8::1");
	in[1] = addr("2001:db8::2");
	in[2] = addr("2001:db8::3");
	in[3] = addr("192.0.2.1");
	in[4] = addr("192.0.2.2");
	assert_int_equal(dial_interleave(out, in, 5), 5);
	for (i = 0; i < 5; i++)
		assert_string_equal(netaddr_format(&out[i], text, sizeof(text)), want[i]);
	assert_int_equal(dial_interleave(out, in, 0), 0);
	assert_int_equal(dial_interleave(out, in, 2), 2);
	for (i = 0; i < 40; i++)
		in[i] = addr(i < 20 ? "192.0.2.1" : "2001:db8::1");
	assert_int_equal(dial_interleave(out, in, 40), 16);
	for (i = 0; i < 16; i++)
		n4 += out[i].family == 4;
	assert_int_equal(n4, 8);
}

static void
test_resolver_answer(void **unused)
{
	struct ipc_addr a[RESOLVE_MAX];
	char err[200], many[2000] = "", text[64];
	static const char *const bad[] = { "", "4", "4 ", "4 x\n", "4 2001:db8::1\n", "6 192.0.2.1\n", "5 192.0.2.1\n",
		"192.0.2.1\n", "4 192.0.2.1 \n", "4  192.0.2.1\n", "error\n", "error \n", "4 192.0.2.1\nrubbish\n",
		"6 fe80::1%eth0\n", "4 192.0.2.1" };
	size_t i;

	(void)unused;
	assert_int_equal(resolve_parse("4 192.0.2.1\n6 2001:db8::1\n", 26, a, err, sizeof(err)), 2);
	assert_string_equal(netaddr_format(&a[1], text, sizeof(text)), "2001:db8::1");
	assert_int_equal(resolve_parse("error no such\x1b[2J host\n", 23, a, err, sizeof(err)), 0);
	assert_non_null(strstr(err, "no such"));
	assert_null(strchr(err, 0x1b));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err[0] = '\0';
		if (resolve_parse(bad[i], strlen(bad[i]), a, err, sizeof(err)) != 0)
			fail_msg("accepted: %s", bad[i]);
		assert_true(err[0] != '\0');
	}
	for (i = 0; i < 17; i++)
		strlcat(many, "4 192.0.2.1\n", sizeof(many));
	assert_true(resolve_parse(many, strlen(many), a, err, sizeof(err)) <= RESOLVE_MAX);
	assert_int_equal(resolve_parse("4 192.0.2.1\0junk\n", 17, a, err, sizeof(err)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_address_policy),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_interleave),
		cmocka_unit_test(test_resolver_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
