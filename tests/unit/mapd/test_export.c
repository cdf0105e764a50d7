/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exportwg.h"
#include "peername.h"
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
		DISCO ",'HomeDERP':5,'AllowedIPs':['100.64.1.3/32','10.3.0.0/16',"
		      "'0.0.0.0/0','::/0','10.9.9.9/16']") "," NODE("4", "44", "'100.64.1.4/32'",
		",'AllowedIPs':['100.64.1.4/32','10.3.0.0/16'],'PrimaryRoutes':['10.3.0.0/"
		"16'],'IsWireGuardOnly':true,'Endpoints':['[2001:db8::4]:51820']") "," NODE("5", "55",
		"'100.64.1.5/32'", "") "," /* no disco key, no DERP: can't be reached */
	    NODE("6", "66", "'100.64.1.6/32'", DISCO ",'Expired':true") "," NODE("7", "77", "'100.64.1.7/32'",
		DISCO
		",'AllowedIPs':[]") "," NODE("8", "88", "'100.64.1.2/32'", DISCO) /* another peer's address */ "]}");
	expect_conf(m, &plain,
	    "[Interface]\nListenPort = 41641\n"
	    "\n# p2.tail1.ts.net\n[Peer]\nPublicKey = " K22
	    "\nAllowedIPs = 100.64.1.2/32, fd7a:115c:a1e0::2/128\nEndpoint = 192.0.2.2:41641\nPersistentKeepalive = "
	    "25\n"
	    "\n# p3.tail1.ts.net: no usable endpoint, reachable only through DERP\n[Peer]\nPublicKey = " K33
	    "\nAllowedIPs = 100.64.1.3/32\nPersistentKeepalive = 25\n"
	    "\n# p4.tail1.ts.net\n[Peer]\nPublicKey = " K44
	    "\nAllowedIPs = 100.64.1.4/32\nEndpoint = [2001:db8::4]:51820\nPersistentKeepalive = 25\n");
	/* subnet routes: the primary of 10.3/16 has it, the malformed prefix no peer */
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
	/* a default route is never used without having been chosen, also if it is sent as an address */
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
	/* a NodeID is no name (interface.md 2), least of all one that is another's StableID */
	mt_ok(m,
	    "{'PeersChanged':[" NODE("4", "44", "'100.64.1.4/32'",
		DISCO ",'StableID':'2','AllowedIPs':['100.64.1.4/32','::/0']") "]}");
	o.exit_node = "2";
	have = wgconf(m, &o);
	assert_non_null(strstr(have, "AllowedIPs = 100.64.1.4/32, ::/0\n"));
	assert_non_null(strstr(have, "AllowedIPs = 100.64.1.2/32\n"));
	free(have);
	for (i = 0; i < 3; i++) {
		o.exit_node = (const char *const[]){ "unknown", "3", KEY_OF("33") }[i];
		have = wgconf(m, &o);
		assert_null(strstr(have, "/0"));
		assert_non_null(strstr(have, "# the configured exit-node is not among the peers"));
		free(have);
	}
	mt_free(m);
}

/* K.2: peers that WireGuard could never reach.  The zero key means none (protocol.md A.2). */
static void
test_unusable_peers(void **state)
{
	static const char *const more[] = { ",'DiscoKey':'" DISCO_OF("00") "'", ",'DiscoKey':null", "",
		DISCO ",'Expired':true", ",'HomeDERP':3,'Key':'" KEY_OF("00") "'" };
	struct map_test *m;
	char text[900], *have;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		m = mt_new();
		snprintf(text, sizeof(text), "{" NODE_SELF ",'Peers':[" NODE("2", "22", "'100.64.1.2/32'", "%s") "]}",
		    more[i]);
		mt_ok(m, text);
		expect_conf(m, &plain, "[Interface]\nListenPort = 41641\n");
		mt_free(m);
	}
	/* a patch may contain a key, and the one that means none */
	m = mt_new();
	mt_ok(m, "{" NODE_SELF ",'Peers':[" NODE("2", "22", "'100.64.1.2/32'", "") "]}");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':2,'DiscoKey':'" DISCO_OF("dd") "'}]}");
	have = wgconf(m, &plain);
	assert_non_null(strstr(have, K22));
	free(have);
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':2,'DiscoKey':'" DISCO_OF("00") "'}]}");
	expect_conf(m, &plain, "[Interface]\nListenPort = 41641\n");
	mt_free(m);
}

/* K.2: which prefixes are a peer's own. */
static void
test_own_prefixes(void **state)
{
	static const struct {
		const char *prefix;
		int own;
	} t[] = { { "100.64.0.0/32", 1 }, { "100.127.255.255/32", 1 }, { "100.128.0.0/32", 0 },
		{ "100.115.91.255/32", 1 }, { "100.115.92.0/32", 0 }, { "100.115.93.255/32", 0 },
		{ "100.115.94.0/32", 1 }, { "100.64.0.0/31", 0 }, { "fd7a:115c:a1e0:ffff::1/128", 1 },
		{ "fd7a:115c:a1e1::1/128", 0 }, { "fd7a:115c:a1e0::/127", 0 }, { "192.0.2.1/32", 1 },
		{ "192.0.2.2/32", 0 } };
	char text[900], *have;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct map_test *m = mt_new();

		snprintf(text, sizeof(text),
		    "{" NODE_SELF
		    ",'Peers':[" NODE("2", "22", "'192.0.2.1/32'", DISCO ",'AllowedIPs':['%s','%s']") "]}",
		    t[i].prefix, t[i].prefix);
		mt_ok(m, text);
		have = wgconf(m, &plain);
		snprintf(text, sizeof(text), "AllowedIPs = %s\n", t[i].prefix);
		if ((strstr(have, text) != NULL) != t[i].own || (strstr(have, "AllowedIPs") != NULL) != t[i].own)
			fail_msg("%s: %s", t[i].prefix, have);
		free(have);
		have = wgconf(m, &routes);
		assert_non_null(strstr(have, text));
		free(have);
		mt_free(m);
	}
}

/*
 * 300 peers, all with the same 1000 addresses and, twice each, the same 250 routes, of which the last one has 100 as
 * primary.
 */
static void
long_lists(struct pb *b)
{
	int i, k;

	pb_puts(b, "{\"Node\":{\"ID\":1,\"Key\":\"" SELF_KEY "\"},\"Peers\":[");
	for (k = 0; k < 300; k++) {
		pb_printf(b, "%s{\"ID\":%d,\"Key\":\"nodekey:%064x\",\"HomeDERP\":1,\"Addresses\":[", k ? "," : "",
		    k + 2, k + 1);
		for (i = 0; i < 1000; i++)
			pb_printf(b, "%s\"10.0.%d.%d/32\"", i ? "," : "", i / 250, i % 250);
		pb_puts(b, "],\"PrimaryRoutes\":[");
		for (i = 0; k == 299 && i < 100; i++)
			pb_printf(b, "%s\"10.1.%d.0/24\"", i ? "," : "", i);
		pb_puts(b, "],\"AllowedIPs\":[");
		for (i = 0; i < 500; i++)
			pb_printf(b, "\"10.0.%d.%d/32\",", i / 250 + k % 3, i % 250);
		for (i = 0; i < 500; i++)
			pb_printf(b, "%s\"10.1.%d.0/24\"", i ? "," : "", i % 250);
		pb_puts(b, "]}");
	}
	pb_puts(b, "]}");
}

/* The same rules for long lists, and no more time than they are long. */
static void
test_long_lists(void **state)
{
	struct map_test *m = mt_new();
	struct wgconf_options o = plain;
	struct pb b = { 0 };
	char *have, *p;
	int n;

	(void)state;
	long_lists(&b);
	assert_int_equal(mt_raw(m, (char *)b.p, b.n, 100000), 1);
	pb_free(&b);
	have = wgconf(m, &o);
	for (n = 0, p = have; (p = strstr(p, "/32")) != NULL; p++)
		n++;
	assert_int_equal(n, 1000);
	assert_null(strstr(have, "/24"));
	free(have);
	o.accept_routes = 1;
	have = wgconf(m, &o);
	assert_non_null(p = strstr(have, "# peer 301: "));
	assert_non_null(strstr(p, "AllowedIPs = 10.1.0.0/24, "));
	assert_non_null(strstr(p, ", 10.1.99.0/24\n"));
	*p = '\0';
	assert_non_null(strstr(have, "10.1.100.0/24, "));
	assert_null(strstr(have, "10.1.99.0/24"));
	*p = '#';
	for (n = 0, p = have; (p = strstr(p, "/24")) != NULL; p++)
		n++;
	assert_int_equal(n, 250);
	free(have);
	/* one of many addresses finds its peer, too, and no longer when that is removed */
	assert_int_equal(mt_find(m, "10.0.3.249")->r.id, 2);
	mt_ok(m, "{'PeersRemoved':[2]}");
	assert_int_equal(mt_find(m, "10.0.0.0")->r.id, 3);
	assert_int_equal(mt_find(m, "10.0.3.249")->r.id, 3);
	mt_ok(m, "{'Peers':[" PEER("7", "7", "77", "") "]}");
	assert_null(mt_find(m, "10.0.3.249"));
	assert_null(mt_find(m, "10.0.0.0"));
	mt_free(m);
}

static char *
hosts_on(struct map_test *m, const char *hostname)
{
	struct exporter x;
	struct pb out = { 0 };

	assert_int_equal(export_hosts(&x, m->nm, hostname), 0);
	while (export_more(&x, &out, out.n + 10))
		;
	export_end(&x);
	pb_byte(&out, '\0');
	return (char *)out.p;
}

static char *
hosts(struct map_test *m)
{
	return hosts_on(m, "");
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
	    "100.64.1.3\tshared.other.ts.net\n");
	free(have);
	mt_free(m);
}

/* What the host itself is called in every hosts(5) no peer is called, not even as the short form of its name. */
static void
test_hosts_of_the_host(void **state)
{
	static const char *const names[][2] = { { "localhost", "localhost" }, { "LocalHost", "localhost" },
		{ "ip6-localhost", "ip6-localhost" }, { "ip6-loopback", "ip6-loopback" },
		{ "broadcasthost", "broadcasthost" }, { "web", "web" }, { "WEB", "web" }, { "me", NULL } };
	char text[700], want[300], *have;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct map_test *m = mt_new();

		snprintf(text, sizeof(text),
		    "{" NODE_SELF ",'Peers':[{'ID':2,'Name':'%s.tail1.ts.net.','Key':'" KEY_OF(
			"22") "','Addresses':['100.64.1.2/32']}]}",
		    names[i][0]);
		mt_ok(m, text);
		snprintf(want, sizeof(want), "100.64.0.1\tme.tail1.ts.net me\n");
		if (names[i][1] != NULL)
			snprintf(want + strlen(want), sizeof(want) - strlen(want), "100.64.1.2\t%s.tail1.ts.net\n",
			    names[i][1]);
		have = hosts_on(m, "Web.example.com");
		assert_string_equal(have, want);
		free(have);
		mt_free(m);
	}
}

/* Whole names of the host itself, and names that are not of the DNS of a tailnet at all, get no line. */
static void
test_hosts_taken_names(void **state)
{
	static const char *const names[] = { "localhost.localdomain", "LocalHost.LocalDomain.", "ip6-localhost",
		"broadcasthost.", "single", "web.example.com", "me.tail1.ts.net." };
	char text[700], *have;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct map_test *m = mt_new();

		snprintf(text, sizeof(text),
		    "{" NODE_SELF ",'Peers':[{'ID':2,'Name':'%s','Key':'" KEY_OF(
			"22") "','Addresses':['100.64.1.2/32']}],"
			      "'DNSConfig':{'ExtraRecords':[{'Name':'%s','Value':'192.0.2.1'}]}}",
		    names[i], names[i]);
		mt_ok(m, text);
		have = hosts_on(m, "web.example.com");
		assert_string_equal(have, "100.64.0.1\tme.tail1.ts.net me\n");
		free(have);
		/* the name of the system is the first label of our own: known by its full name only */
		have = hosts_on(m, "me");
		assert_memory_equal(have, "100.64.0.1\tme.tail1.ts.net\n", 27);
		free(have);
		mt_free(m);
	}
}

/* The records that a server adds to the tailnet's DNS: those with an address, in the server's order. */
static void
test_hosts_extra_records(void **state)
{
	struct map_test *m = mt_new();
	char *have;

	(void)state;
	mt_ok(m,
	    "{" NODE_SELF ",'Peers':[" NODE("2", "22", "'100.64.1.2/32'",
		"") "],'DNSConfig':{'ExtraRecords':["
		    "{'Name':'Wiki.Corp.Example.','Type':'A','Value':'192.0.2.1'},"
		    "{'Name':'wiki.corp.example','Type':'AAAA','Value':'2001:DB8:0::1'},"
		    "{'Name':'git.tail1.ts.net','Value':'192.0.2.2'},{'Name':'six.corp.example','Type':'','Value':'::2'"
		    "},"
		    "{'Name':'a.corp.example','Type':'A','Value':'2001:db8::1'},"
		    "{'Name':'b.corp.example','Type':'AAAA','Value':'192.0.2.1'},"
		    "{'Name':'c.corp.example','Type':'CNAME','Value':'wiki.corp.example'},"
		    "{'Name':'d.corp.example','Type':'TXT','Value':'192.0.2.1'},{'Name':'e.corp.example','Type':'A'},"
		    "{'Name':'f.corp.example','Value':'fe80::1%eth0'},{'Value':'192.0.2.1'},{},"
		    "{'Name':'g.corp.example\\n1.1.1.1 x.y','Value':'192.0.2.1'},"
		    "{'Name':'localhost.tail1.ts.net','Value':'192.0.2.3'}]}}");
	have = hosts(m);
	assert_string_equal(have,
	    "100.64.0.1\tme.tail1.ts.net me\n100.64.1.2\tp2.tail1.ts.net p2\n"
	    "192.0.2.1\twiki.corp.example\n2001:db8::1\twiki.corp.example\n192.0.2.2\tgit.tail1.ts.net git\n"
	    "::2\tsix.corp.example\n192.0.2.3\tlocalhost.tail1.ts.net\n");
	free(have);
	mt_free(m);
}

/* Peers and records are read in parts, also those that give no line (B1 of the faults). */
static void
test_hosts_in_parts(void **state)
{
	struct map_test *m = mt_new();
	struct exporter x;
	struct pb b = { 0 }, out = { 0 };
	unsigned i, turns = 0;

	(void)state;
	pb_puts(&b, "{\"Node\":{\"ID\":1},\"Peers\":[");
	for (i = 2; i < 10002; i++)
		pb_printf(&b, "{\"ID\":%u,\"Name\":\"p%u\"},", i, i);
	pb_puts(&b,
	    "{\"ID\":10002,\"Name\":\"p.example\",\"Addresses\":[\"100.64.0.2/32\"]}],"
	    "\"DNSConfig\":{\"ExtraRecords\":[");
	for (i = 0; i < 10000; i++)
		pb_puts(&b, "{\"Name\":\"x\"},");
	pb_puts(&b, "{\"Name\":\"last.example\",\"Value\":\"192.0.2.1\"}]}}");
	assert_int_equal(mt_raw(m, (char *)b.p, b.n, 100000), 1);
	assert_int_equal(export_hosts(&x, m->nm, ""), 0);
	while (export_more(&x, &out, 1000))
		turns++;
	export_end(&x);
	assert_int_equal(turns, 5 + 1 + 5); /* the peers, the rest of them, the records */
	pb_byte(&out, '\0');
	assert_string_equal((char *)out.p, "100.64.0.2\tp.example\n192.0.2.1\tlast.example\n");
	pb_free(&out);
	pb_free(&b);
	mt_free(m);
}

/* Many endpoints, each compared with prefixes of many lengths: a few peers a turn. */
static void
test_endpoints_in_parts(void **state)
{
	const struct wgconf_options o = { .accept_routes = 1, .listen_port = 1, .exit_node = "" };
	struct map_test *m = mt_new();
	struct exporter x;
	struct pb b = { 0 }, out = { 0 };
	unsigned i, k, turns = 0;

	(void)state;
	pb_puts(&b, "{\"Node\":{\"ID\":1},\"Peers\":[");
	for (i = 2; i < 202; i++) {
		pb_printf(&b, "%s{\"ID\":%u,\"Key\":\"nodekey:%064x\",\"HomeDERP\":1,\"AllowedIPs\":[\"10.%u.0.0/16\"",
		    i == 2 ? "" : ",", i, i, i);
		for (k = 8; i == 2 && k < 32; k++)
			pb_printf(&b, ",\"11.0.0.0/%u\"", k);
		pb_puts(&b, "],\"Endpoints\":[\"198.51.100.1:1\"");
		for (k = 2; k <= 64; k++)
			pb_printf(&b, ",\"198.51.100.%u:1\"", k);
		pb_puts(&b, "]}");
	}
	pb_puts(&b, "]}");
	assert_int_equal(mt_raw(m, (char *)b.p, b.n, 100000), 1);
	assert_int_equal(export_wgconf(&x, m->nm, &o, &out), 0);
	while (export_more(&x, &out, 1 << 20))
		turns++;
	assert_int_equal(x.count, 200);
	export_end(&x);
	assert_in_range(turns, 200 * 64 * 24 / 8000 - 5, 200 * 64 * 24 / 8000 + 5);
	pb_free(&out);
	pb_free(&b);
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
		cmocka_unit_test(test_unusable_peers),
		cmocka_unit_test(test_own_prefixes),
		cmocka_unit_test(test_long_lists),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_hosts_of_the_host),
		cmocka_unit_test(test_hosts_taken_names),
		cmocka_unit_test(test_hosts_extra_records),
		cmocka_unit_test(test_hosts_in_parts),
		cmocka_unit_test(test_endpoints_in_parts),
		cmocka_unit_test(test_injection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
