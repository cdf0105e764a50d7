/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dict.h"
#include "dump.h"
#include "exportwg.h"
#include "unit.h"
#include "util_map.h"

/*
 * What a hostile server can make expensive.  CPU of this thread, not time: a loaded machine does not matter.  The
 * limits are far from what it takes (milliseconds), and farther from what it took.
 */
#define LIMIT 0.5

static double
cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Text that grows; ' stays what it is for mt_msg(). */
struct text {
	struct pb b;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *fmt, ...)
{
	char buf[600];
	va_list ap;

	va_start(ap, fmt);
	assert_true(vsnprintf(buf, sizeof(buf), fmt, ap) < (int)sizeof(buf));
	va_end(ap);
	pb_puts(&t->b, buf);
}

static void
send_ok(struct map_test *m, struct text *t)
{
	pb_byte(&t->b, '\0');
	mt_ok(m, (char *)t->b.p);
	pb_free(&t->b);
}

#define LARGE   (4u << 20)
#define PATCHES 20000

/* rows: DEL-13 */
static void
test_many_patches_of_a_large_peer(void **state)
{
	struct map_test *m = mt_new();
	struct text t = { 0 };
	double before, took;
	char want[16], *text;
	unsigned i;

	(void)state;
	add(&t, "{" NODE_SELF ",'Peers':[{'ID':2,'Name':'p2.','User':10,'Key':'" KEY_OF("22") "','CapMap':{");
	for (i = 0; i < LARGE / 200;
	     i++) /* names, of which there may be any number; no text twice: those are kept once */
		add(&t, "%s'%0*u':null", i > 0 ? "," : "", 200, i);
	add(&t, "}}]}");
	send_ok(m, &t);
	add(&t, "{'PeersChangedPatch':[");
	for (i = 1; i <= PATCHES; i++)
		add(&t, "%s{'NodeID':2,'DERPRegion':%u}", i > 1 ? "," : "", i);
	add(&t, "]}");
	pb_byte(&t.b, '\0');
	before = cpu();
	assert_int_equal(mt_msg(m, (char *)t.b.p), 1);
	took = cpu() - before;
	pb_free(&t.b);
	assert_true(took < LIMIT);
	text = mt_peers(m);
	assert_true(strlen(text) > LARGE);
	free(text);
	snprintf(want, sizeof(want), "%u", PATCHES);
	mt_peer(m, 2, "HomeDERP", want);
	mt_free(m);
}

/* Patches of one node in one message give what the same patches give in messages of their own. */
static void
test_patches_together(void **state)
{
	static const char *const what[] = { "'DERPRegion':%u", "'Online':true", "'Cap':%u",
		"'Endpoints':['192.0.2.1:%u']", "'Endpoints':[]", "'CapMap':{'c%u':null}", "'CapMap':null",
		"'DiscoKey':'" DISCO_OF("dd") "'", "'DiscoKey':'" DISCO_OF("00") "'", "'KeySignature':'AAEC'",
		"'KeyExpiry':'2030-01-01T00:00:%02uZ'", "'KeyExpiry':'2030-01-01T00:00:%02u.5+01:30'",
		"'LastSeen':'2026-01-01T00:00:%02uZ'", "'LastSeen':'2026-01-01T00:00:%02u+01:30'" };
	unsigned round, i, number;

	(void)state;
	for (round = 0; round < 300; round++) {
		struct map_test *one = mt_with("'Peers':[" PEER("2", "2", "22", "") "," PEER("3", "3", "33", "") "]");
		struct map_test *all = mt_with("'Peers':[" PEER("2", "2", "22", "") "," PEER("3", "3", "33", "") "]");
		unsigned n = 1 + mt_rnd(12);
		struct text t = { 0 };
		char *a, *b;

		add(&t, "{'PeersChangedPatch':[");
		for (i = 0; i < n; i++) {
			unsigned k = mt_rnd(sizeof(what) / sizeof(what[0])), id = 2 + mt_rnd(2);
			char member[200], single[300];

			number = 1 + mt_rnd(9);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(member, sizeof(member), what[k], number);
#pragma GCC diagnostic pop
			snprintf(single, sizeof(single), "{'PeersChangedPatch':[{'NodeID':%u,%s}]}", id, member);
			assert_true(mt_msg(one, single) >= 0);
			add(&t, "%s{'NodeID':%u,%s}", i > 0 ? "," : "", id, member);
		}
		add(&t, "]}");
		pb_byte(&t.b, '\0');
		assert_true(mt_msg(all, (char *)t.b.p) >= 0);
		pb_free(&t.b);
		a = mt_peers(one);
		b = mt_peers(all);
		assert_string_equal(a, b);
		free(a);
		free(b);
		mt_free(one);
		mt_free(all);
	}
}

/* The difference in the highest bit of one word was undone by the next one, whatever the seed was. */
static void
test_chosen_strings(void **state)
{
	uint8_t a[24], b[24];
	unsigned i;

	(void)state;
	memset(a, 'x', sizeof(a));
	memcpy(b, a, sizeof(b));
	b[7] ^= 0x80;
	b[15] ^= 0x80; /* 2^63 */
	b[12] ^= 0x04; /* 2^34 */
	for (i = 0; i < 50; i++) {
		struct dict *d = dict_new();

		assert_true(dict_hash(d, a, sizeof(a)) != dict_hash(d, b, sizeof(b)));
		dict_free(d);
	}
}

#define CHOSEN   80000
#define PER_PEER 1000 /* more of one node are not kept */

/* 1/c modulo 2^64, c odd. */
static uint64_t
inverse(uint64_t c)
{
	uint64_t x = c;
	unsigned i;

	for (i = 0; i < 6; i++)
		x *= 2 - c * x;
	return x;
}

/* Addresses that had one place in the table of claims, which was not seeded: a made from b. */
static void
test_chosen_prefixes(void **state)
{
	static const struct wgconf_options routes = { .listen_port = 1, .exit_node = "", .accept_routes = 1 };
	struct map_test *m = mt_new();
	struct text t = { 0 };
	struct exporter x;
	struct pb out = { 0 };
	double took;
	uint64_t a, b;
	uint8_t p[16];
	unsigned i, k;

	(void)state;
	add(&t, "{" NODE_SELF ",'Peers':[");
	for (i = 0; i < CHOSEN; i++) {
		b = (uint64_t)i * 0x100000001u + 1;
		a = (((b ^ b >> 29) * 0xbf58476d1ce4e5b9u) ^ 0x1234567u) * inverse(0x9e3779b97f4a7c15u);
		a ^= a >> 31 ^ a >> 62;
		memcpy(p, &a, 8);
		memcpy(p + 8, &b, 8);
		if (i % PER_PEER == 0)
			add(&t,
			    "%s{'ID':%u,'Name':'p%u.','HomeDERP':1,'Key':'nodekey:%064x','DiscoKey':'" DISCO_OF(
				"dd") "','Addresses':['100.64.1.2/32'],'AllowedIPs':[",
			    i > 0 ? "]}," : "", i / PER_PEER + 2, i, i + 2);
		pb_puts(&t.b, i % PER_PEER > 0 ? ",'" : "'");
		for (k = 0; k < 16; k += 2)
			add(&t, "%s%x", k > 0 ? ":" : "", (unsigned)p[k] << 8 | p[k + 1]);
		pb_puts(&t.b, "/128'");
	}
	add(&t, "]}]}");
	send_ok(m, &t);
	assert_int_equal(export_wgconf(&x, m->nm, &routes, &out), 0);
	took = cpu();
	while (export_more(&x, &out, out.n + 1000))
		;
	took = cpu() - took;
	assert_int_equal(x.nclaims, CHOSEN);
	assert_int_equal(x.count, CHOSEN / PER_PEER);
	export_end(&x);
	pb_free(&out);
	mt_free(m);
	assert_true(took < LIMIT);
}

#define SOURCES 100000

/* rows: FLD-06 */
static void
test_many_sources(void **state)
{
	struct map_test *m = mt_new();
	struct text t = { 0 };
	struct pb out = { 0 };
	struct dump d;
	unsigned i, silent = 0;
	size_t had;

	(void)state;
	add(&t, "{" NODE_SELF ",'Peers':[");
	for (i = 2; i < 202; i++)
		add(&t,
		    "%s{'ID':%u,'Name':'p%u.','Key':'nodekey:%064x','Addresses':['100.64.2.%u/32'],"
		    "'UnsignedPeerAPIOnly':true}",
		    i > 2 ? "," : "", i, i, i, i);
	add(&t, "],'PacketFilter':[{'DstPorts':[{'IP':'*','Ports':{'First':0,'Last':1}}],'SrcIPs':[");
	for (i = 0; i < SOURCES; i++)
		add(&t, "%s'10.%u.%u.%u'", i > 0 ? "," : "", i >> 16, i >> 8 & 255, i & 255);
	add(&t, ",'100.64.2.255','100.64.2.77']}]}");
	send_ok(m, &t);
	assert_int_equal(dump_netmap(&d, m->nm), 0);
	for (had = 0; dump_more(&d, &out, out.n + 1000); had = out.n)
		silent += out.n == had;
	dump_end(&d);
	pb_byte(&out, '\0');
	assert_true(silent >= 4); /* SOURCES are not looked at in one turn */
	assert_non_null(strstr((char *)out.p,
	    "\"EffectiveFilter\":{\"DenyAll\":true,\"Reason\":\"a rule lets an unsigned peer in\",\"Rules\":[]}"));
	pb_free(&out);
	mt_free(m);
}

/* rows: FLD-06 */
static void
test_unsigned_ranges(void **state)
{
	unsigned round, i, k, closed = 0;

	(void)state;
	for (round = 0; round < 200; round++) {
		struct text t = { 0 };
		struct map_test *m = mt_new();
		unsigned char taken[256] = { 0 };
		unsigned n = 1 + mt_rnd(6), first, last, bits;
		int meets = 0;

		add(&t, "{" NODE_SELF ",'Peers':[");
		for (i = 0; i < n; i++) {
			bits = 24 + 3 + mt_rnd(6);
			first = mt_rnd(256) & ~((1u << (32 - bits)) - 1);
			for (k = 0; k < 1u << (32 - bits); k++)
				taken[first + k] = 1;
			add(&t,
			    "%s{'ID':%u,'Name':'p%u.','Key':'nodekey:%064x','Addresses':['10.0.0.%u/%u'],"
			    "'UnsignedPeerAPIOnly':true}",
			    i > 0 ? "," : "", i + 2, i, i + 2, first, bits);
		}
		first = mt_rnd(256);
		last = first + mt_rnd(256 - first < 20 ? 256 - first : 20);
		for (k = first; k <= last; k++)
			meets |= taken[k];
		add(&t, "],'PacketFilter':[{'SrcIPs':['fd00::/8','10.0.0.%u-10.0.0.%u'],'DstPorts':[{'IP':'*'}]}]}",
		    first, last);
		send_ok(m, &t);
		mt_expect(m, "EffectiveFilter.DenyAll", meets ? "true" : "false");
		closed += (unsigned)meets;
		mt_free(m);
	}
	assert_in_range(closed, 20, 180);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_patches_of_a_large_peer),
		cmocka_unit_test(test_patches_together),
		cmocka_unit_test(test_chosen_strings),
		cmocka_unit_test(test_chosen_prefixes),
		cmocka_unit_test(test_many_sources),
		cmocka_unit_test(test_unsigned_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
