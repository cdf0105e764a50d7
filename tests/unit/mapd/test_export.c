/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "unit.h"
#include "util_map.h"

#define DISCO ",'DiscoKey':'" DISCO_OF("dd") "'"
/* base64 of 32 bytes 0x22, 0x33, ... by another program */
#define K22 "IiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiI="
#define K33 "MzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzM="
#define K44 "REREREREREREREREREREREREREREREREREREREREREQ="

static char *
wgconf(struct map_test *m, const struct wgconf_options *o)
{
	struct exporter x;
	struct pb out = { 0 };

	assert_int_equal(export_wgconf(&x, m->nm, o, &out), 0);
	while (export_more(&x, &out, out.n + 10))
		;
	assert_false(x.failed);
	export_end(&x);
	pb_byte(&out, '\0');
	return (char *)out.p;
}

static void
expect_conf(struct map_test *m, const struct wgconf_options *o, const char *want)
{
	char *have = wgconf(m, o);

	assert_string_equal(have, want);
	free(have);
}

static const struct wgconf_options plain = { .listen_port = 41641, .exit_node = "" };
static const struct wgconf_options routes = { .listen_port = 1,
	.exit_node = "",
	.accept_routes = 1,
	.has_interface = 1 };

#define NODE(id, hex, addrs, more) \
	"{'ID':" id ",'StableID':'s" id "','Name':'p" id \
	".tail1.ts.net.','User':10,'Key':'" KEY_OF(hex) "','Addresses':[" addrs "]" more "}"

static void
test_wgconf(void **state)
{
	struct map_test *m = mt_new();

	(void)state;
	mt_ok(m,
	    "{" NODE_SELF ",'Peers':[" NODE("2", "22", "'100.64.1.2/32','fd7a:115c:a1e0::2/128'",
		DISCO ",'Endpoints':['0.0.0.0:1','169.254.1.1:5','[fe80::1]:5','192.0.2.2:0','192.0.2.2:41641','192.0."
		      "2.3:1']") "," NODE("3", "33", "'100.64.1.3/32'",
		DISCO
		",'HomeDERP':5,'AllowedIPs':['100.64.1.3/32','10.3.0.0/16','0.0.0.0/0','::/0','10.9.9.9/16']") "," NODE("4",
		"44", "'100.64.1.4/32'",
		",'AllowedIPs':['100.64.1.4/32','10.3.0.0/16'],'PrimaryRoutes':['10.3.0.0/"
		"16'],'IsWireGuardOnly':true,'Endpoints':['[2001:db8::4]:51820']") "," NODE("5", "55",
		"'100.64.1.5/32'", "") "," /* no disco key, no DERP: can't be reached */
	    NODE("6", "66", "'100.64.1.6/32'", DISCO ",'Expired':true") "," NODE("7", "77", "'100.64.1.7/32'",
		DISCO
		",'AllowedIPs':[]") "," NODE("8", "88", "'100.64.1.2/32'", DISCO) /* somebody else's address */ "]}");
	expect_conf(m, &plain,
	    "[Interface]\nListenPort = 41641\n"
	    "\n# p2.tail1.ts.net\n[Peer]\nPublicKey = " K22
	    "\nAllowedIPs = 100.64.1.2/32, fd7a:115c:a1e0::2/128\nEndpoint = 192.0.2.2:41641\nPersistentKeepalive = "
	    "25\n"
	    "\n# p3.tail1.ts.net: no usable endpoint, reachable only through DERP\n[Peer]\nPublicKey = " K33
	    "\nAllowedIPs = 100.64.1.3/32\nPersistentKeepalive = 25\n"
	    "\n# p4.tail1.ts.net\n[Peer]\nPublicKey = " K44
	    "\nAllowedIPs = 100.64.1.4/32\nEndpoint = [2001:db8::4]:51820\nPersistentKeepalive = 25\n");
	/* subnet routes: the primary of 10.3/16 has it, the malformed prefix nobody */
	expect_conf(m, &routes,
	    "ListenPort = 1\n"
	    "\n# p2.tail1.ts.net\n[Peer]\nPublicKey = " K22
	    "\nAllowedIPs = 100.64.1.2/32, fd7a:115c:a1e0::2/128\nEndpoint = 192.0.2.2:41641\nPersistentKeepalive = "
	    "25\n"
	    "\n# p3.tail1.ts.net: no usable endpoint, reachable only through DERP\n[Peer]\nPublicKey = " K33
	    "\nAllowedIPs = 100.64.1.3/32\nPersistentKeepalive = 25\n"
	    "\n# p4.tail1.ts.net\n[Peer]\nPublicKey = " K44
	    "\nAllowedIPs = 100.64.1.4/32, 10.3.0.0/16\nEndpoint = [2001:db8::4]:51820\nPersistentKeepalive = 25\n");
	mt_free(m);
}

static void
test_exit_node(void **state)
{
	static const char *const names[] = { "p3", "p3.tail1.ts.net.", "100.64.1.3", "s3" };
	struct map_test *m = mt_new();
	struct wgconf_options o = plain;
	char *have;
	size_t i;

	(void)state;
	mt_ok(m,
	    "{" NODE_SELF ",'Peers':[" NODE("2", "22", "'100.64.1.2/32'",
		DISCO ",'AllowedIPs':['100.64.1.2/32','0.0.0.0/0','::/0']") "," NODE("3", "33",
		"'100.64.1.3/32','0.0.0.0/0'", DISCO ",'AllowedIPs':['100.64.1.3/32','0.0.0.0/0','::/0']") "]}");
	/* a default route is never taken without having been chosen, also when it is called an address */
	have = wgconf(m, &plain);
	assert_null(strstr(have, "/0"));
	free(have);
	for (i = 0; i < 4; i++) {
		o.exit_node = names[i];
		have = wgconf(m, &o);
		assert_non_null(strstr(have, "AllowedIPs = 100.64.1.3/32, 0.0.0.0/0, ::/0\n"));
		assert_non_null(strstr(have, "AllowedIPs = 100.64.1.2/32\n"));
		free(have);
	}
	o.exit_node = "nobody";
	have = wgconf(m, &o);
	assert_null(strstr(have, "/0"));
	assert_non_null(strstr(have, "# the configured exit-node is not among the peers"));
	free(have);
	mt_free(m);
}

static char *
hosts(struct map_test *m)
{
	struct exporter x;
	struct pb out = { 0 };

	assert_int_equal(export_hosts(&x, m->nm), 0);
	while (export_more(&x, &out, out.n + 10))
		;
	export_end(&x);
	pb_byte(&out, '\0');
	return (char *)out.p;
}

static void
test_hosts(void **state)
{
	struct map_test *m = mt_new();
	char *have;

	(void)state;
	mt_ok(m,
	    "{" NODE_SELF ",'Peers':[" NODE("2", "22", "'100.64.1.2/32','fd7a:115c:a1e0::2/128','10.0.0.0/8'",
		"") ","
		    "{'ID':3,'Key':'" KEY_OF("33") "','Name':'Shared.Other.ts.net.','Addresses':['100.64.1.3/32']},"
						   "{'ID':4,'Key':'" KEY_OF(
						       "44") "','Name':'single','Addresses':['100.64.1.4/32']}]}");
	have = hosts(m);
	assert_string_equal(have,
	    "100.64.0.1\tme.tail1.ts.net me\n100.64.1.2\tp2.tail1.ts.net p2\nfd7a:115c:a1e0::2\tp2.tail1.ts.net p2\n"
	    "100.64.1.3\tshared.other.ts.net\n100.64.1.4\tsingle\n");
	free(have);
	mt_free(m);
}

/* A server cannot write lines of its own into what other programs read. */
static void
test_injection(void **state)
{
	static const char *const names[] = { "a\\nPrivateKey = x", "a\\u0000b.c", "x # y", "a b", "..", "-a.b", "a-.b",
		"a..b", "localhost", "x.localhost.", "caf\\u00e9.x", "", "a\\u2028b", "*.x", "a\\tb", "%n",
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg.x" };
	char text[700], *have;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct map_test *m = mt_new();

		snprintf(text, sizeof(text),
		    "{'Node':{'ID':1,'Name':'%s','Key':'" SELF_KEY "','Addresses':['100.64.0.1/32']},"
		    "'Peers':[{'ID':2,'Name':'%s','Key':'" KEY_OF(
			"22") "','Addresses':['100.64.1.2/32'],'DiscoKey':'" DISCO_OF("dd") "','Endpoints':['192.0.2.1:"
											    "7']}]}",
		    names[i], names[i]);
		mt_ok(m, text);
		have = hosts(m);
		assert_string_equal(have, "");
		free(have);
		expect_conf(m, &plain,
		    "[Interface]\nListenPort = 41641\n\n# peer 2\n[Peer]\nPublicKey = " K22
		    "\nAllowedIPs = 100.64.1.2/32\nEndpoint = 192.0.2.1:7\nPersistentKeepalive = 25\n");
		mt_free(m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wgconf),
		cmocka_unit_test(test_exit_node),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_injection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
