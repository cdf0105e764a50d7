/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipc.h"
#include "packprint.h"
#include "unit.h"
#include "util_map.h"

/* What has a short form inside is shown as it was sent, whatever form of it that was. */
static void
test_texts_stay_as_sent(void **state)
{
	static const char *const more[][2] = { { "Created", "'2026-01-02T03:04:05.50Z'" },
		{ "Created", "'2026-01-02T03:04:05.000Z'" }, { "Created", "'2026-01-02T03:04:05+00:00'" },
		{ "Created", "'9999-12-31T23:59:59.999999999Z'" }, { "Created", "'0001-01-01T00:00:00Z'" },
		{ "KeyExpiry", "'2040-01-02T03:04:05.50Z'" }, { "LastSeen", "'2026-01-02T03:04:05.10Z'" },
		{ "Addresses", "['FD7A::1/128','fd7a:0:0::1/128','::1.2.3.4/128','::ffff:1.2.3.4/96','0.0.0.0/0','']" },
		{ "Endpoints", "['[::FFFF:1.2.3.4]:1','1.2.3.4:080','[fe80::1%eth0]:5','[::]:0','1.2.3.4:65535','']" },
		{ "StableID", "'00112233445566778899AABBCCDDEEFF'" },
		{ "StableID", "'00112233445566778899aabbccddeeff'" },
		{ "StableID", "'00112233445566778899aabbccddeef'" }, { "KeySignature", "'AB=='" },
		{ "Hostinfo", "{'TPM':{'FirmwareVersion':18446744073709551615},'Location':{'Latitude':1.50}}" },
		{ "X", "[0,95,96,127,128,16383,16384,9223372036854775807,9223372036854775808,-1,-0,1e3,0.10]" } };
	struct map_test *m = mt_with("");
	char text[900], *want, *have;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		snprintf(text, sizeof(text),
		    "{'Domain':'%zu','PeersChanged':[{'ID':4,'Key':'" KEY_OF("44") "','%s':%s}]}", i, more[i][0],
		    more[i][1]);
		mt_ok(m, text);
		snprintf(text, sizeof(text), "'%s':%s", more[i][0], more[i][1]);
		want = mt_quotes(text);
		have = mt_dump(m);
		if (strstr(have, want) == NULL)
			fail_msg("no %s in %s", want, have);
		free(want);
		free(have);
	}
	mt_free(m);
}

/* A cut falls between characters. */
static void
test_cut_texts(void **state)
{
	static const char text[] = "a\xc3\xa9\xe2\x98\x83\xf0\x9f\x98\x80"; /* of 1, 2, 3 and 4 bytes */
	static const long whole[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10 };
	struct pb b = { 0 };
	char out[16];
	size_t size;
	long n;

	(void)state;
	pb_str(&b, (const uint8_t *)text, sizeof(text) - 1);
	for (size = 1; size <= sizeof(whole) / sizeof(whole[0]); size++) {
		memset(out, 'x', sizeof(out));
		n = pk_cstr(b.p, NULL, out, size);
		assert_int_equal(n, whole[size - 1]);
		assert_memory_equal(out, text, (size_t)n);
		assert_int_equal(out[n], '\0');
	}
	pb_free(&b);
}

/* rows: FLD-15 */
static void
test_odd_strings(void **state)
{
	struct map_test *m = mt_with("");
	size_t big = 1u << 20, n;
	char *text = malloc(big + 200), *dump;

	(void)state;
	mt_ok(m, "{'Domain':'a\\u0000b','Health':['x\\ud83d\\ude00y\\ud800z\\u0007','\\/\\\"\\\\\\b\\f\\n\\r\\t']}");
	dump = mt_dump(m);
	assert_non_null(strstr(dump, "\"Domain\":\"a\\u0000b\""));
	assert_non_null(strstr(dump, "[\"x\xf0\x9f\x98\x80y\xef\xbf\xbdz\\u0007\",\"/\\\"\\\\\\b\\f\\n\\r\\t\"]"));
	free(dump);
	/* bad UTF-8: a lone byte, an overlong form, a surrogate, a cut sequence */
	mt_ok(m,
	    "{'Domain':'a\xff"
	    "b\xc0\xaf"
	    "c\xed\xa0\x80"
	    "d\xe2\x82','PeersChanged':[" NODE4(",'Addresses':[],'Odd\xffName':'\xfe'") "]}");
	dump = mt_dump(m);
	assert_non_null(strstr(dump,
	    "\"Domain\":\"a\xef\xbf\xbd"
	    "b\xef\xbf\xbd\xef\xbf\xbd"
	    "c\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	    "d\xef\xbf\xbd\xef\xbf\xbd\""));
	assert_non_null(strstr(dump, "\"Odd\xef\xbf\xbdName\":\"\xef\xbf\xbd\""));
	free(dump);
	/* a string of 1 MiB */
	n = (size_t)sprintf(text, "{\"Domain\":\"");
	memset(text + n, 'x', big);
	sprintf(text + n + big, "\"}");
	assert_int_equal(mt_raw(m, text, strlen(text), 1000), 1);
	dump = mt_dump(m);
	assert_true(strlen(dump) > big);
	free(dump);
	sprintf(text + n + big, "x\"}");
	assert_int_equal(mt_raw(m, text, strlen(text), 1000), REFUSED);
	free(text);
	mt_refused(m, "{'Domain':'a\nb'}", "control character");
	mt_refused(m, "{'Domain':'a\\x'}", "bad escape");
	mt_refused(m, "{'Domain':'a\\u12g4'}", "bad escape");
	mt_free(m);
}

/*
 * What is reported to the parent about our own node has no control character, or it would kill us; the netmap has
 * them all.
 */
/* rows: FLD-15 */
static void
test_odd_strings_of_our_own(void **state)
{
	static const char odd[] = "a\\u001b[1mb\\u0000c\\u007fd\\u009be\\u202ef\\ng";
	static const char written[] = "a\\x1b[1mb\\x00c\\x7fd\\u{009b}e\\u{202e}f\\x0ag";
	struct map_test *m = mt_new();
	struct ipc_self self;
	char text[1000];

	(void)state;
	snprintf(text, sizeof(text),
	    "{'Node':{'ID':1,'StableID':'%s','Name':'%s','User':10,'Key':'" SELF_KEY
	    "'},'UserProfiles':[{'ID':10,'LoginName':'%s','DisplayName':'%s'}]}",
	    odd, odd, odd, odd);
	mt_ok(m, text);
	assert_int_equal(netmap_self(m->nm, &self), 1);
	assert_true(IPC_OK(&self, stable_id) && IPC_OK(&self, name) && IPC_OK(&self, login_name) &&
	    IPC_OK(&self, display_name));
	assert_int_equal(self.name_len, strlen(written));
	assert_memory_equal(self.name, written, strlen(written));
	assert_memory_equal(self.login_name, written, strlen(written));
	snprintf(text, sizeof(text), "'%s'", odd);
	mt_expect(m, "SelfNode.Name", text);
	mt_free(m);
}

/* Each is wrong in one place: the whole message is refused, the error says where. */
static const char *const wrong[][2] = {
	{ "{'Peers':[" PEER("2", "2", "22", "") ",{'ID':'3'}]}", "Peers[1].ID: not a whole number" },
	{ "{'PeersChanged':[{'ID':2,'Key':'mkey:00'}]}", "PeersChanged[0].Key: not a node key" },
	{ "{'PeersChanged':[{'ID':2,'Key':''}]}", "Key: not a node key" },
	{ "{'PeersChanged':[{'ID':2,'Key':'" KEY_OF("22") "2'}]}", "Key: not a node key" },
	{ "{'PeersChanged':[{'ID':2,'Key':'" KEY_OF("2g") "'}]}", "Key: not a node key" },
	{ "{'PeersChanged':[{'ID':2,'DiscoKey':'" KEY_OF("22") "'}]}", "DiscoKey: not a disco key" },
	{ "{'PeersChanged':[{'ID':2,'Machine':'" KEY_OF("22") "'}]}", "Machine: not a machine key" },
	{ "{'PeersChanged':[{'ID':2,'Addresses':['100.64.1.2']}]}", "Addresses[0]: not an address prefix" },
	{ "{'PeersChanged':[{'ID':2,'Addresses':['100.64.1.2/33']}]}", "Addresses[0]: not an address prefix" },
	{ "{'PeersChanged':[{'ID':2,'Addresses':['100.64.01.2/32']}]}", "Addresses[0]: not an address prefix" },
	{ "{'PeersChanged':[{'ID':2,'AllowedIPs':['10.0.0.0/8','fe80::1%eth0/64']}]}",
	    "AllowedIPs[1]: not an address prefix" },
	{ "{'PeersChanged':[{'ID':2,'Endpoints':['1.2.3.4']}]}", "Endpoints[0]: not an address with port" },
	{ "{'PeersChanged':[{'ID':2,'Endpoints':['1.2.3.4:65536']}]}", "Endpoints[0]: not an address with port" },
	{ "{'PeersChanged':[{'ID':2,'Endpoints':['2001:db8::1:80']}]}", "Endpoints[0]: not an address with port" },
	{ "{'PeersChanged':[{'ID':2,'KeyExpiry':'tomorrow'}]}", "KeyExpiry: not a time" },
	{ "{'PeersChanged':[{'ID':2,'LastSeen':'2026-02-30T00:00:00Z'}]}", "LastSeen: not a time" },
	{ "{'PeersChanged':[{'ID':2,'Created':''}]}", "Created: not a time" },
	{ "{'PeersChanged':[{'ID':2,'Online':'yes'}]}", "Online: not true or false" },
	{ "{'PeersChanged':[{'ID':2,'Hostinfo':{'OS':1}}]}", "Hostinfo.OS: not a string" },
	{ "{'PeersChanged':[{'ID':2,'Hostinfo':{'Services':[{'Port':65536}]}}]}",
	    "Hostinfo.Services[0].Port: not a number of 16 bits" },
	{ "{'PeersChanged':[{'ID':2,'Hostinfo':{'NetInfo':{'PreferredDERP':1.5}}}]}",
	    "NetInfo.PreferredDERP: not a whole number" },
	{ "{'PeersChanged':[{'ID':2,'Hostinfo':[]}]}", "Hostinfo: not an object" },
	{ "{'PeersChanged':[{'ID':2,'CapMap':{'a':{}}}]}", "CapMap.a: not an array" },
	{ "{'PeersChanged':[{'ID':2,'Tags':'tag:x'}]}", "Tags: not an array" },
	{ "{'PeersChanged':[{'ID':2,'KeySignature':'AAE'}]}", "KeySignature: not base64" },
	{ "{'PeersChanged':[{'ID':2,'Cap':9223372036854775808}]}", "Cap: not a whole number" },
	{ "{'PeersChanged':[null]}", "PeersChanged[0]: null in a list" },
	{ "{'PeersChanged':{}}", "PeersChanged: not an array" },
	{ "{'PeersChangedPatch':[{'NodeID':2,'LastSeen':0}]}", "LastSeen: not a time" },
	{ "{'PeersRemoved':['2']}", "PeersRemoved[0]: not a whole number" },
	{ "{'OnlineChange':{'2':1}}", "OnlineChange.2: not true or false" },
	{ "{'PeerSeenChange':{'two':true}}", "PeerSeenChange: name is not a whole number" },
	{ "{'Node':[]}", "Node: not an object" },
	{ "{'Node':{'ID':1,'Key':'x'}}", "Node.Key: not a node key" },
	{ "{'Domain':1}", "Domain: not a string" },
	{ "{'CollectServices':'true'}", "CollectServices: not true or false" },
	{ "{'DNSConfig':{'Resolvers':[{'Addr':1}]}}", "DNSConfig.Resolvers[0].Addr: not a string" },
	{ "{'DNSConfig':{'Nameservers':['1.2.3']}}", "DNSConfig.Nameservers[0]: not an address" },
	{ "{'DERPMap':{'Regions':{'1':{'Nodes':[{'STUNPort':'x'}]}}}}",
	    "DERPMap.Regions.1.Nodes[0].STUNPort: not a whole number" },
	{ "{'PacketFilter':[{'SrcIPs':[1]}]}", "PacketFilter[0].SrcIPs[0]: not a string" },
	{ "{'PacketFilters':{'a':{}}}", "PacketFilters.a: not an array" },
	{ "{'PacketFilters':{'a':[{'DstPorts':[{'Ports':{'First':-1}}]}]}}", "Ports.First: not a number of 16 bits" },
	{ "{'UserProfiles':[{'ID':'x'}]}", "UserProfiles[0].ID: not a whole number" },
	{ "{'Health':['a',2]}", "Health[1]: not a string" },
	{ "{'DisplayMessages':{'a':'x'}}", "DisplayMessages.a: not an object" },
	{ "{'SSHPolicy':{'rules':[{'action':{'accept':1}}]}}", "SSHPolicy.rules[0].action.accept: not true or false" },
	{ "{'ControlTime':'now'}", "ControlTime: not a time" },
	{ "{'TKAInfo':{'Disabled':0}}", "TKAInfo.Disabled: not true or false" },
	{ "{'Debug':{'SleepSeconds':'1'}}", "Debug.SleepSeconds: not a number" },
	{ "{'PingRequest':{'IP':'1.2.3.4.5'}}", "PingRequest.IP: not an address" },
	{ "{'ControlDialPlan':{'Candidates':[{'IP':'host'}]}}", "Candidates[0].IP: not an address" },
	{ "{'ClientVersion':[]}", "ClientVersion: not an object" },
	{ "[]", "not a JSON object" },
	{ "", "too early" },
	{ "null", "not a JSON object" },
	{ "{", "too early" },
	{ "{}}", "data after the end" },
	{ "{} {}", "data after the end" },
	{ "{'Domain':'a' 'b'}", "" },
	{ "{'Domain' 'a'}", "" },
	{ "{'Domain':'a',}", "" },
	{ "{,}", "" },
	{ "{'x':tru}", "" },
	{ "{'x':01}", "" },
	{ "{'x':1.}", "" },
	{ "{'x':-}", "" },
	{ "{'x':+1}", "" },
	{ "{'x':.5}", "" },
	{ "{'x':1e}", "" },
	{ "{'x':[1,]}", "" },
	{ "{'x':[1 2]}", "" },
	{ "{'x':{'y'}}", "" },
	{ "{'x':{'y':1,}}", "" },
	{ "{'x':NaN}", "" },
	{ "{'x':nul}", "" },
	{ "{x:1}", "" },
	{ "{'Peers':[" PEER("2", "2", "22", "") ",]}", "" },
	{ "{'Peers':[" PEER("2", "2", "22", "") "}", "" },
	{ "{'Peers':" PEER("2", "2", "22", "") "}", "Peers: not an array" },
	{ "{'x':'\x01'}", "" },
};

/* rows: FLD-16 */
static void
test_wrong_types(void **state)
{
	struct map_test *m = mt_with("'Peers':[" PEER("2", "2", "22",
	    "") "],'Domain':'d','Health':['h'],'UserProfiles':[{'ID':10,'LoginName':'l'}]");
	char *before = mt_dump(m), *after;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[1024];

		mt_refused(m, wrong[i][0], wrong[i][1]);
		/* also when everything before it was right and would have changed something */
		if (wrong[i][0][0] == '{' && wrong[i][0][1] == '\'') {
			snprintf(text, sizeof(text),
			    "{'Domain':'other','PeersRemoved':[2],'Health':[],'UserProfiles':[{'ID':10}],%s",
			    wrong[i][0] + 1);
			if (strstr(wrong[i][0], "'Domain'") == NULL && strstr(wrong[i][0], "Removed") == NULL &&
			    strstr(wrong[i][0], "'Health'") == NULL && strstr(wrong[i][0], "Profiles") == NULL)
				mt_refused(m, text, wrong[i][1]);
		}
	}
	after = mt_dump(m);
	assert_string_equal(before, after);
	free(before);
	free(after);
	/* and the next good one is accepted */
	mt_ok(m, "{'Domain':'e'}");
	mt_free(m);
}

/* The last of repeated names wins, also when it is null: then the member is absent. */
static void
test_null_comes_last(void **state)
{
	static const char *const members[] = { "'Peers':[]", "'PeersChanged':[" PEER("9", "9", "99", "") "]",
		"'PeersRemoved':[2]", "'PeersChangedPatch':[{'NodeID':2,'DERPRegion':7}]",
		"'PeerSeenChange':{'2':true}", "'OnlineChange':{'2':true}", "'DNSConfig':{'Proxied':true}",
		"'DERPMap':{'Regions':{}}", "'Domain':'x'", "'PacketFilter':[{}]",
		"'PacketFilters':{'*':null,'a':[{}]}", "'UserProfiles':[{'ID':77}]", "'Health':['x']",
		"'DisplayMessages':{'a':{}}", "'SSHPolicy':{}", "'TKAInfo':{}", "'CollectServices':true",
		"'DomainDataPlaneAuditLogID':'x'", "'ClientVersion':{}", "'DefaultAutoUpdate':true",
		"'ControlTime':'2027-01-15T08:00:01Z'", "'Node':{'ID':7}" };
	struct map_test *m = mt_with("'Peers':[" PEER("2", "2", "22", "") "],'PacketFilter':[]");
	char text[700];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		snprintf(text, sizeof(text), "{%s,%.*s:null}", members[i], (int)strcspn(members[i], ":"), members[i]);
		mt_same(m, text);
	}
	mt_session(m);
	mt_refused(m, "{" NODE_SELF ",'Node':null}", "no Node");
	mt_free(m);
}

/* rows: ERR-03 */
static void
test_long_lists(void **state)
{
	struct map_test *m = mt_with("");
	struct pb b = { 0 };
	struct json_object *o, *d;
	int i, n = 60000;
	clock_t t = clock();

	(void)state;
	pb_puts(&b, "{\"Node\":{\"ID\":1,\"Key\":\"" SELF_KEY "\",\"Capabilities\":[");
	for (i = 0; i < n; i++)
		pb_printf(&b, "%s\"c%d\"", i ? "," : "", i);
	pb_puts(&b, "],\"CapMap\":{");
	for (i = 0; i < n; i++)
		pb_printf(&b, "%s\"c%d\":null", i ? "," : "", i + n / 2);
	pb_puts(&b, "}},\"Health\":[");
	for (i = 0; i < n; i++)
		pb_printf(&b, "%s\"h%d\"", i ? "," : "", i % (n - 1));
	pb_puts(&b, "]}");
	assert_int_equal(mt_raw(m, (char *)b.p, b.n, 1u << 20), 1);
	pb_free(&b);
	o = mt_json(m);
	assert_true(json_object_object_get_ex(o, "DisplayMessages", &d));
	assert_int_equal(json_object_object_length(d), n - 1);
	assert_true(json_object_object_get_ex(json_object_object_get(o, "SelfNode"), "CapMap", &d));
	assert_int_equal(json_object_object_length(d), n + n / 2);
	json_object_put(o);
	/* compared each with each they would take minutes */
	assert_true(clock() - t < 20 * CLOCKS_PER_SEC);
	mt_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_stay_as_sent),
		cmocka_unit_test(test_cut_texts),
		cmocka_unit_test(test_odd_strings),
		cmocka_unit_test(test_odd_strings_of_our_own),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_null_comes_last),
		cmocka_unit_test(test_long_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
