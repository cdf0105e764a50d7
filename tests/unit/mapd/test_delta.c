/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "timefmt.h"
#include "unit.h"
#include "util_map.h"

/* Peers 2, 3 and 5; 3 has everything that deltas touch. */
static const char three[] =
    "{" NODE_SELF ",'Peers':[" PEER("5", "5", "55", "") "," PEER("2", "2", "22", "") "," PEER("3", "3", "33",
	",'Machine':'" MKEY_OF("a3") "','DiscoKey':'" DISCO_OF(
	    "b3") "','Endpoints':['192.0.2.3:41641'],'HomeDERP':7,'Cap':100,"
		  "'KeyExpiry':'2031-01-02T03:04:05Z','KeySignature':'AAEC','LastSeen':'2026-01-01T00:00:00Z','Online':"
		  "true,'Tags':['tag:x'],"
		  "'CapMap':{'https://example.com/cap/a':[1,{'b':2}],'c':null},'PrimaryRoutes':['10.0.0.0/"
		  "8'],'Unknown':{'x':[1.50,'y']}") "]}";

static struct map_test *
with_three(void)
{
	struct map_test *m = mt_new();

	mt_ok(m, three);
	mt_ids(m, "2 3 5");
	return m;
}

/* rows: DEL-01 */
static void
test_changed_adds_and_replaces(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	mt_ok(m,
	    "{'PeersChanged':[" PEER("4", "4", "44", "") "," PEER("3", "3", "33", "") "," PEER("-7", "7", "77",
		"") "]}");
	mt_change(m, "-7 3 4", "", 0);
	mt_ids(m, "-7 2 3 4 5");
	/* the whole node is the new one: what it no longer has is removed */
	mt_peer(m, 3, "", PEER("3", "3", "33", ""));
	mt_peer(m, 5, "", PEER("5", "5", "55", ""));
	/* the same once more changes nothing */
	mt_same(m, "{'PeersChanged':[" PEER("4", "4", "44", "") "]}");
	/* of one id twice the last counts */
	mt_ok(m, "{'PeersChanged':[" PEER("4", "8", "48", "") "," PEER("4", "9", "49", "") "]}");
	mt_peer(m, 4, "Addresses", "['100.64.1.9/32']");
	mt_free(m);
}

/* rows: DEL-02 */
static void
test_removed(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	mt_ok(m, "{'PeersRemoved':[5,99,9223372036854775807]}");
	mt_change(m, "", "5", 0);
	mt_ids(m, "2 3");
	mt_same(m, "{'PeersRemoved':[5,99]}");
	mt_same(m, "{'PeersRemoved':[]}");
	mt_ok(m, "{'PeersRemoved':[2,3],'PeersChanged':[" PEER("3", "30", "31", "") "," PEER("6", "6", "66", "") "]}");
	mt_change(m, "3 6", "2", 0);
	mt_ids(m, "3 6");
	mt_peer(m, 3, "Addresses", "['100.64.1.30/32']");
	mt_ok(m, "{'PeersRemoved':[3,6]}");
	mt_ids(m, "");
	mt_free(m);
}

/* rows: DEL-03 */
static void
test_peers_win_over_deltas(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	mt_ok(m,
	    "{'PeersRemoved':[8],'PeersChanged':[" PEER("7", "7", "77",
		"") "],'OnlineChange':{'8':true},'PeerSeenChange':{'8':true},"
		    "'Peers':[" PEER("9", "9", "99", "") "," PEER("8", "8", "88",
			"") "],'PeersChangedPatch':[{'NodeID':8,'DERPRegion':3}]}");
	assert_int_equal(m->ch.full, 1);
	mt_ids(m, "8 9");
	mt_peer(m, 8, "", PEER("8", "8", "88", ""));
	/* but what is wrong in them is still wrong */
	mt_refused(m, "{'Peers':[" PEER("1", "1", "11", "") "],'PeersChanged':[{'ID':'x'}]}",
	    "PeersChanged[0].ID: not a whole number");
	mt_free(m);
}

/* rows: DEL-04 KA-01 STAT-03 */
static void
test_nothing(void **state)
{
	static const char again[] =
	    "{" NODE_SELF ",'Domain':'e','DNSConfig':{'Proxied':true},'Health':['x'],'SSHPolicy':{'rules':[]},"
	    "'PacketFilters':{'a':[]},'UserProfiles':[{'ID':10,'LoginName':'anna'}]}";
	struct map_test *m = with_three();

	(void)state;
	mt_same(m, "{}");
	mt_same(m, " { \n\t} ");
	mt_same(m, "{'KeepAlive':true}");
	mt_same(m, "{'KeepAlive':false,'Seq':7,'MapSessionHandle':'h','Unheard':[{},[[]],{'a':{'b':null}}]}");
	mt_same(m,
	    "{'Node':null,'Peers':null,'PeersChanged':null,'PeersRemoved':null,'PeersChangedPatch':null,'"
	    "PeerSeenChange':null,"
	    "'OnlineChange':null,'DNSConfig':null,'DERPMap':null,'PacketFilter':null,'PacketFilters':null,'"
	    "UserProfiles':null,'Health':null,"
	    "'DisplayMessages':null,'SSHPolicy':null,'TKAInfo':null,'Domain':null,'CollectServices':null,'ControlTime':"
	    "null,'Debug':null}");
	mt_same(m,
	    "{'Peers':[],'PeersChanged':[],'PeersRemoved':[],'PeersChangedPatch':[],'PeerSeenChange':{},'OnlineChange':"
	    "{}}");
	/* the time of the map is that of the last message that was not nothing */
	m->now.sec += 60;
	mt_same(m, "{}");
	mt_expect(m, "ReceivedAt", "'2027-01-15T08:00:00Z'");
	mt_ok(m, "{'Domain':'d'}");
	mt_expect(m, "ReceivedAt", "'2027-01-15T08:01:00Z'");
	/* and what says the same again is nothing */
	mt_ok(m, again);
	mt_same(m, again);
	mt_same(m, "{" NODE_SELF "}");
	mt_free(m);
}

/* rows: DEL-05 */
static void
test_online(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	mt_peer(m, 2, "Online", NULL);
	assert_int_equal(netmap_online(m->nm), 1);
	mt_ok(m, "{'OnlineChange':{'2':true,'3':false,'99':true}}");
	mt_change(m, "2 3", "", 0);
	mt_peer(m, 2, "Online", "true");
	mt_peer(m, 3, "Online", "false");
	assert_int_equal(netmap_online(m->nm), 1);
	mt_same(m, "{'OnlineChange':{'2':true,'3':false,'99':false}}");
	mt_same(m, "{'OnlineChange':{'2':null}}");
	mt_free(m);
}

/* rows: DEL-06 */
static void
test_seen(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	m->now = (struct wtime){ 1770000000, 987654321 }; /* 2026-02-02T02:40:00Z */
	mt_ok(m, "{'PeerSeenChange':{'2':true,'3':false,'99':true}}");
	mt_change(m, "2 3", "", 0);
	mt_peer(m, 2, "LastSeen", "'2026-02-02T02:40:00Z'");
	mt_peer(m, 3, "LastSeen", NULL);
	/* also over a time that was given in another form */
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':2,'LastSeen':'2026-01-01T02:00:00+02:00'}]}");
	mt_peer(m, 2, "LastSeen", "'2026-01-01T02:00:00+02:00'");
	mt_ok(m, "{'PeerSeenChange':{'2':true}}");
	mt_peer(m, 2, "LastSeen", "'2026-02-02T02:40:00Z'");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':2,'LastSeen':'2026-01-01T02:00:00+03:00'}]}");
	mt_peer(m, 2, "LastSeen", "'2026-01-01T02:00:00+03:00'");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':2,'LastSeen':'2026-01-01T02:00:00+04:00'}]}");
	mt_peer(m, 2, "LastSeen", "'2026-01-01T02:00:00+04:00'");
	mt_ok(m, "{'PeerSeenChange':{'2':false}}");
	mt_peer(m, 2, "LastSeen", NULL);
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':2,'LastSeen':'2026-01-01T02:00:00+05:00'}]}");
	mt_peer(m, 2, "LastSeen", "'2026-01-01T02:00:00+05:00'");
	/* nothing is left of another form: what looks the same is the same */
	mt_ok(m,
	    "{'PeersChanged':[" PEER("50", "50", "50",
		",'LastSeen':'2026-01-01T02:00:00+02:00','KeyExpiry':'2040-01-01T00:00:00.5Z'") "]}");
	mt_ok(m,
	    "{'PeersChangedPatch':[{'NodeID':50,'LastSeen':'2026-01-01T00:00:00Z','KeyExpiry':'2041-01-01T00:00:00Z'}]"
	    "}");
	mt_same(m,
	    "{'PeersChanged':[" PEER("50", "50", "50",
		",'LastSeen':'2026-01-01T00:00:00Z','KeyExpiry':'2041-01-01T00:00:00Z'") "]}");
	/* a fraction makes another time */
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':2,'LastSeen':'2026-01-01T02:00:00.1Z'}]}");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':2,'LastSeen':'2026-01-01T02:00:00.2Z'}]}");
	mt_peer(m, 2, "LastSeen", "'2026-01-01T02:00:00.2Z'");
	mt_same(m, "{'PeersChangedPatch':[{'NodeID':2,'LastSeen':'2026-01-01T02:00:00.2Z'}]}");
	mt_free(m);
}

/* rows: DEL-07 */
static void
test_patch_derp(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'DERPRegion':9}]}");
	mt_peer(m, 3, "HomeDERP", "9");
	mt_same(m, "{'PeersChangedPatch':[{'NodeID':3,'DERPRegion':0}]}");
	mt_peer(m, 3, "HomeDERP", "9");
	mt_free(m);
}

/* rows: DEL-08 */
static void
test_patch_endpoints(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'Endpoints':['203.0.113.9:1','[2001:db8::1]:65535']}]}");
	mt_peer(m, 3, "Endpoints", "['203.0.113.9:1','[2001:db8::1]:65535']");
	mt_peer(m, 3, "HomeDERP", "7");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'Online':false}]}");
	mt_peer(m, 3, "Endpoints", "['203.0.113.9:1','[2001:db8::1]:65535']");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'Endpoints':['192.0.2.1:5'],'DERPRegion':2}]}");
	mt_peer(m, 3, "Endpoints", "['192.0.2.1:5']");
	mt_peer(m, 3, "HomeDERP", "2");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'Endpoints':[]}]}");
	mt_peer(m, 3, "Endpoints", "[]");
	/* and for a peer that had none */
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':2,'Endpoints':['192.0.2.1:5']}]}");
	mt_peer(m, 2, "Endpoints", "['192.0.2.1:5']");
	mt_free(m);
}

static struct node *
by_key(struct map_test *m, uint8_t byte)
{
	uint8_t key[KEY_LEN];

	memset(key, byte, sizeof(key));
	return mt_by_key(m->nm->cur->peers, key);
}

/* rows: DEL-09 */
static void
test_patch_key(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	assert_int_equal(by_key(m, 0x33)->r.id, 3);
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'Key':'" KEY_OF("c3") "'}]}");
	mt_peer(m, 3, "Key", "'" KEY_OF("c3") "'");
	assert_null(by_key(m, 0x33));
	assert_int_equal(by_key(m, 0xc3)->r.id, 3);
	assert_int_equal(by_key(m, 0x22)->r.id, 2);
	/* replaced and removed peers are not found by what they had either */
	mt_ok(m, "{'PeersChanged':[" PEER("2", "20", "2a", "") "],'PeersRemoved':[5]}");
	assert_null(by_key(m, 0x22));
	assert_int_equal(by_key(m, 0x2a)->r.id, 2);
	assert_null(by_key(m, 0x55));
	assert_null(mt_by_addr(m->nm->cur->peers, (const uint8_t[16]){ 100, 64, 1, 2 }, 4));
	assert_int_equal(mt_by_addr(m->nm->cur->peers, (const uint8_t[16]){ 100, 64, 1, 20 }, 4)->r.id, 2);
	assert_null(mt_by_name(m->nm->cur->peers, "p5.tail1.ts.net", ""));
	mt_free(m);
}

/* rows: DEL-10 */
static void
test_patch_others(void **state)
{
	static const struct {
		const char *patch, *member, *before, *after;
	} one[] = {
		{ "'KeySignature':'//8='", "KeySignature", "'AAEC'", "'//8='" },
		{ "'DiscoKey':'" DISCO_OF("0d") "'", "DiscoKey", "'" DISCO_OF("b3") "'", "'" DISCO_OF("0d") "'" },
		{ "'Online':false", "Online", "true", "false" },
		{ "'LastSeen':'2026-05-06T07:08:09.123456789Z'", "LastSeen", "'2026-01-01T00:00:00Z'",
		    "'2026-05-06T07:08:09.123456789Z'" },
	};
	char text[512];
	size_t i, k;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct map_test *m = with_three();

		snprintf(text, sizeof(text), "{'PeersChangedPatch':[{'NodeID':3,%s}]}", one[i].patch);
		mt_ok(m, text);
		mt_change(m, "3", "", 0);
		for (k = 0; k < 4; k++)
			mt_peer(m, 3, one[k].member, k == i ? one[k].after : one[k].before);
		mt_peer(m, 3, "CapMap", "{'https://example.com/cap/a':[1,{'b':2}],'c':null}");
		mt_peer(m, 3, "Unknown", "{'x':[1.50,'y']}");
		mt_same(m, text);
		mt_free(m);
	}
}

/* rows: DEL-11 */
static void
test_patch_expiry_and_cap(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'KeyExpiry':'2040-01-01T00:00:00Z','Cap':131}]}");
	mt_peer(m, 3, "KeyExpiry", "'2040-01-01T00:00:00Z'");
	mt_peer(m, 3, "Cap", "131");
	mt_same(m, "{'PeersChangedPatch':[{'NodeID':3,'Cap':0}]}");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'KeyExpiry':'0001-01-01T00:00:00Z'}]}");
	mt_peer(m, 3, "KeyExpiry", "'0001-01-01T00:00:00Z'");
	assert_true(netmap_next_expiry(m->nm, m->now) > m->now.sec);
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'KeyExpiry':'2040-01-01T00:00:00.5Z'}]}");
	mt_peer(m, 3, "KeyExpiry", "'2040-01-01T00:00:00.5Z'");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'KeyExpiry':'2040-01-01T00:00:00.25Z'}]}");
	mt_peer(m, 3, "KeyExpiry", "'2040-01-01T00:00:00.25Z'");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'KeyExpiry':'2041-01-01T00:00:00Z'}]}");
	mt_peer(m, 3, "KeyExpiry", "'2041-01-01T00:00:00Z'");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':2,'Cap':90}]}");
	mt_peer(m, 2, "Cap", "90");
	mt_free(m);
}

/* rows: DEL-12 */
static void
test_patch_capmap(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	mt_ok(m,
	    "{'PeersChangedPatch':[{'NodeID':3,'CapMap':{'d':[18446744073709551616000]}},{'NodeID':5,'CapMap':{'d':["
	    "18446744073709551616000]}}]}");
	mt_peer(m, 3, "CapMap", "{'d':[18446744073709551616000]}");
	mt_peer(m, 5, "CapMap", "{'d':[18446744073709551616000]}");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'CapMap':{}}]}");
	mt_peer(m, 3, "CapMap", "{}");
	/* nothing is shared with the other peer, nor with the text of the message */
	mt_peer(m, 5, "CapMap", "{'d':[18446744073709551616000]}");
	mt_same(m, "{'PeersChangedPatch':[{'NodeID':5,'CapMap':null}]}");
	mt_peer(m, 5, "CapMap", "{'d':[18446744073709551616000]}");
	mt_free(m);
}

/* rows: DEL-13 */
static void
test_patch_order(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	mt_same(m, "{'PeersChangedPatch':[{'NodeID':99,'Online':true,'Key':'" KEY_OF("99") "'}]}");
	assert_null(by_key(m, 0x99));
	mt_ok(m,
	    "{'PeersChangedPatch':[{'NodeID':3,'DERPRegion':4,'Online':false},{'NodeID':3,'DERPRegion':5,'Endpoints':['"
	    "192.0.2.9:9']}]}");
	mt_change(m, "3", "", 0);
	mt_peer(m, 3, "HomeDERP", "5");
	mt_peer(m, 3, "Online", "false");
	mt_peer(m, 3, "Endpoints", "['192.0.2.9:9']");
	mt_free(m);
}

/* rows: DEL-14 */
static void
test_order_in_a_message(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	/* the members are in reverse order on purpose: each step must be seen by the next */
	mt_ok(m,
	    "{'PeersChangedPatch':[{'NodeID':3,'Online':true,'LastSeen':'2026-03-03T03:03:03Z'},{'NodeID':5,'"
	    "DERPRegion':6},{'NodeID':2,'DERPRegion':6}],"
	    "'OnlineChange':{'3':false,'5':true,'6':true,'2':true},'PeerSeenChange':{'3':true,'6':false},"
	    "'PeersChanged':[" PEER("5", "50", "5a", ",'Online':false") "," PEER("6", "6", "66",
		",'LastSeen':'2026-01-01T00:00:00Z','Online':false") "],"
								     "'PeersRemoved':[2,5,6]}");
	mt_change(m, "3 5 6", "2", 0);
	mt_ids(m, "3 5 6");
	mt_peer(m, 3, "Online", "true");
	mt_peer(m, 3, "LastSeen", "'2026-03-03T03:03:03Z'");
	mt_peer(m, 5, "Online", "true");
	mt_peer(m, 5, "HomeDERP", "6");
	mt_peer(m, 5, "Addresses", "['100.64.1.50/32']");
	mt_peer(m, 6, "Online", "true");
	mt_peer(m, 6, "LastSeen", NULL);
	mt_free(m);
}

/* rows: DEL-15 */
static void
test_routes(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	mt_ok(m,
	    "{'PeersChanged':[{'ID':5,'Key':'" KEY_OF(
		"55") "','User':10,'Name':'p5.tail1.ts.net.','StableID':'n5','Addresses':['100.64.1.5/32'],"
		      "'AllowedIPs':['100.64.1.5/32','10.1.0.0/16'],'PrimaryRoutes':['10.1.0.0/16']}]}");
	mt_change(m, "5", "", 0);
	mt_peer(m, 5, "AllowedIPs", "['100.64.1.5/32','10.1.0.0/16']");
	mt_peer(m, 5, "PrimaryRoutes", "['10.1.0.0/16']");
	mt_free(m);
}

/* rows: MAP-05 */
static void
test_peers_replace(void **state)
{
	struct map_test *m = with_three();

	(void)state;
	mt_same(m, "{'Peers':[]}");
	mt_same(m, "{'Peers':null}");
	mt_ids(m, "2 3 5");
	mt_ok(m, "{'Peers':[" PEER("7", "7", "77", "") "]}");
	assert_int_equal(m->ch.full, 1);
	mt_ids(m, "7");
	assert_null(by_key(m, 0x33));
	mt_free(m);
}

/* rows: MAP-07 */
static void
test_big_ids(void **state)
{
	struct map_test *m = mt_new();

	(void)state;
	mt_ok(m,
	    "{'Node':{'ID':9223372036854775807,'User':9007199254740993,'Key':'" SELF_KEY "','Addresses':[]},"
	    "'Peers':[" PEER("9007199254740993", "1", "11", "") "," PEER("-9223372036854775808", "2", "22",
		"") "," PEER("9223372036854775806", "3", "33",
		"") "],"
		    "'UserProfiles':[{'ID':9007199254740993,'LoginName':'a'}]}");
	mt_ids(m, "-9223372036854775808 9007199254740993 9223372036854775806");
	mt_expect(m, "SelfNode.ID", "9223372036854775807");
	mt_expect(m, "UserProfiles.9007199254740993.ID", "9007199254740993");
	mt_ok(m, "{'OnlineChange':{'9007199254740993':true,'9007199254740992':true,'-9223372036854775808':false}}");
	mt_change(m, "-9223372036854775808 9007199254740993", "", 0);
	mt_ok(m, "{'PeersRemoved':[9223372036854775806,9223372036854775805]}");
	mt_change(m, "", "9223372036854775806", 0);
	mt_refused(m, "{'PeersRemoved':[9223372036854775808]}", "PeersRemoved[0]: not a whole number");
	mt_refused(m, "{'OnlineChange':{'9223372036854775808':true}}", "OnlineChange");
	mt_refused(m, "{'PeersRemoved':[1.0]}", "not a whole number");
	mt_refused(m, "{'PeersRemoved':[1e3]}", "not a whole number");
	mt_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changed_adds_and_replaces),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_peers_win_over_deltas),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_online),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_patch_derp),
		cmocka_unit_test(test_patch_endpoints),
		cmocka_unit_test(test_patch_key),
		cmocka_unit_test(test_patch_others),
		cmocka_unit_test(test_patch_expiry_and_cap),
		cmocka_unit_test(test_patch_capmap),
		cmocka_unit_test(test_patch_order),
		cmocka_unit_test(test_order_in_a_message),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_peers_replace),
		cmocka_unit_test(test_big_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
