/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "util_map.h"

/* rows: FLD-01 */
static void
test_dns(void **state)
{
	struct map_test *m = mt_with("");

	(void)state;
	mt_expect(m, "DNS", "{}");
	mt_ok(m,
	    "{'DNSConfig':{'Resolvers':[{'Addr':'1.1.1.1'}],'Routes':{'a.example.':[],'b.example.':null,'c.example.':[{"
	    "'Addr':'https://x/dns'}]},"
	    "'Domains':['tail1.ts.net'],'Proxied':true,'Strange':[1,2]}}");
	mt_change(m, "", "", IPC_F_DNSConfig);
	mt_expect(m, "DNS.Routes", "{'a.example.':[],'b.example.':null,'c.example.':[{'Addr':'https://x/dns'}]}");
	mt_expect(m, "DNS.Strange", "[1,2]");
	mt_same(m, "{'DNSConfig':null}");
	mt_ok(m, "{'Domain':'d','Health':[]}");
	mt_expect(m, "DNS.Proxied", "true");
	mt_ok(m, "{'DNSConfig':{'Domains':[]}}");
	mt_expect(m, "DNS", "{'Domains':[]}");
	mt_ok(m, "{'DNSConfig':{}}");
	mt_expect(m, "DNS", "{}");
	mt_free(m);
}

#define REGION(id) \
	"{'RegionID':" id ",'RegionCode':'r" id "','Nodes':[{'Name':'n','RegionID':" id \
	",'HostName':'h','IPv4':'192.0.2.1'}]}"

/* rows: FLD-02 FLD-03 */
static void
test_derp(void **state)
{
	struct map_test *m = mt_with("");

	(void)state;
	mt_expect(m, "DERPMap", "null");
	mt_ok(m, "{'DERPMap':{'omitDefaultRegions':true}}"); /* there is nothing before it that could be kept */
	mt_expect(m, "DERPMap", "{'omitDefaultRegions':true}");
	mt_free(m);
	m = mt_with("");
	mt_ok(m,
	    "{'DERPMap':{'HomeParams':{'RegionScore':{'1':0.5}},'Regions':{'1':" REGION("1") ",'2':null,'900':" REGION(
		"900") "},'omitDefaultRegions':true}}");
	mt_change(m, "", "", IPC_F_DERPMap);
	mt_expect(m, "DERPMap",
	    "{'HomeParams':{'RegionScore':{'1':0.5}},'Regions':{'1':" REGION("1") ",'900':" REGION(
		"900") "},'omitDefaultRegions':true}");
	mt_same(m, "{'DERPMap':null}");
	/* no regions: the present ones stay, with omitDefaultRegions; the rest is used */
	mt_ok(m, "{'DERPMap':{'HomeParams':{'RegionScore':{'1':2}},'Regions':null,'omitDefaultRegions':false}}");
	mt_expect(m, "DERPMap",
	    "{'HomeParams':{'RegionScore':{'1':2}},'Regions':{'1':" REGION("1") ",'900':" REGION(
		"900") "},'omitDefaultRegions':true}");
	mt_same(m, "{'DERPMap':{}}");
	mt_same(m, "{'DERPMap':{'HomeParams':null}}");
	mt_same(m, "{'DERPMap':{'HomeParams':{}}}");
	mt_same(m, "{'DERPMap':{'HomeParams':{'RegionScore':null}}}");
	mt_ok(m, "{'DERPMap':{'HomeParams':{'RegionScore':{}}}}");
	mt_expect(m, "DERPMap.HomeParams", "{'RegionScore':{}}");
	mt_expect(m, "DERPMap.Regions.1.RegionCode", "'r1'");
	/* new regions come alone; without the flag it is off */
	mt_ok(m, "{'DERPMap':{'Regions':{'3':" REGION("3") "}}}");
	mt_expect(m, "DERPMap", "{'HomeParams':{'RegionScore':{}},'Regions':{'3':" REGION("3") "}}");
	mt_ok(m, "{'DERPMap':{'Regions':{}}}");
	mt_expect(m, "DERPMap.Regions", "{}");
	mt_ok(m, "{'DERPMap':{'Regions':{'4':" REGION("4") ",'3':null}}}");
	mt_expect(m, "DERPMap.Regions", "{'4':" REGION("4") "}");
	mt_refused(m, "{'DERPMap':{'Regions':{'x':" REGION("3") "}}}", "DERPMap.Regions: name is not a whole number");
	mt_refused(m, "{'DERPMap':{'Regions':[]}}", "DERPMap.Regions: not an object");
	mt_free(m);
}

/* rows: FLD-07 */
static void
test_profiles(void **state)
{
	struct map_test *m = mt_with("'Peers':[" PEER("2", "2", "22",
	    ",'Sharer':30") "],'UserProfiles':[{'ID':10,'LoginName':'me'},{'ID':40,'LoginName':'later'}]");

	(void)state;
	mt_expect(m, "UserProfiles", "{'10':{'ID':10,'LoginName':'me'}}");
	mt_ok(m, "{'UserProfiles':[{'ID':30,'LoginName':'sharer','Groups':['g'],'X':{}}]}");
	mt_change(m, "", "", IPC_F_UserProfiles);
	mt_expect(m, "UserProfiles",
	    "{'10':{'ID':10,'LoginName':'me'},'30':{'ID':30,'LoginName':'sharer','Groups':['g'],'X':{}}}");
	/* one that was received before its peer */
	mt_ok(m, "{'PeersChanged':[{'ID':4,'User':40,'Name':'p4.','Key':'" KEY_OF("44") "','Addresses':[]}]}");
	mt_expect(m, "UserProfiles.40.LoginName", "'later'");
	mt_ok(m, "{'UserProfiles':[{'ID':40,'LoginName':'new'}]}");
	mt_expect(m, "UserProfiles.40.LoginName", "'new'");
	mt_same(m, "{'UserProfiles':[{'ID':40,'LoginName':'new'}]}");
	/* of two in one message the last counts, also when it is equal to the value before */
	mt_ok(m, "{'UserProfiles':[{'ID':40,'LoginName':'other'},{'ID':40,'LoginName':'new'}]}");
	mt_expect(m, "UserProfiles.40.LoginName", "'new'");
	mt_ok(m, "{'UserProfiles':[{'ID':40,'LoginName':'new'},{'ID':40,'LoginName':'other'}]}");
	mt_expect(m, "UserProfiles.40.LoginName", "'other'");
	mt_ok(m, "{'UserProfiles':[{'ID':40,'LoginName':'new'}]}");
	/* ours is for the parent, too */
	assert_int_equal(m->ch.self_changed, 1);
	mt_ok(m, "{'Domain':'x'}");
	assert_int_equal(m->ch.self_changed, 0);
	mt_same(m, "{'UserProfiles':[]}");
	mt_ok(m, "{'PeersRemoved':[4]}");
	mt_expect(m, "UserProfiles.40", NULL);
	mt_ok(m, "{'PeersChanged':[{'ID':5,'User':40,'Name':'p5.','Key':'" KEY_OF("55") "','Addresses':[]}]}");
	mt_expect(m, "UserProfiles.40.LoginName", "'new'");
	mt_free(m);
}

/* rows: FLD-08 */
static void
test_unchanged_when_absent(void **state)
{
	struct map_test *m = mt_with("'Domain':'d','CollectServices':true,'SSHPolicy':{'rules':[{'principals':[{'any':"
				     "true}],'action':{'accept':true}}]},"
				     "'DomainDataPlaneAuditLogID':'audit','TKAInfo':{'Head':'AAAA','Disabled':false}");

	(void)state;
	mt_same(m, "{'Domain':'','DomainDataPlaneAuditLogID':''}");
	mt_same(m,
	    "{'Domain':null,'CollectServices':null,'SSHPolicy':null,'DomainDataPlaneAuditLogID':null,'TKAInfo':null}");
	mt_expect(m, "Domain", "'d'");
	mt_expect(m, "CollectServices", "true");
	mt_expect(m, "DomainAuditLogID", "'audit'");
	mt_expect(m, "TKAInfo", "{'Head':'AAAA','Disabled':false}");
	mt_expect(m, "SSHPolicy.rules.0.action", "{'accept':true}");
	mt_ok(m,
	    "{'CollectServices':false,'SSHPolicy':{},'Domain':'e','TKAInfo':{'Disabled':true},'"
	    "DomainDataPlaneAuditLogID':'b'}");
	mt_change(m, "", "",
	    IPC_F_CollectServices | IPC_F_SSHPolicy | IPC_F_Domain | IPC_F_TKAInfo | IPC_F_DomainDataPlaneAuditLogID);
	mt_expect(m, "CollectServices", "false");
	mt_expect(m, "SSHPolicy", "{}");
	mt_free(m);
}

/* rows: FLD-09 */
static void
test_health(void **state)
{
	struct map_test *m = mt_with("'Health':['disk full','x']");
	struct json_object *o, *d;

	(void)state;
	mt_expect(m, "Health", "['disk full','x']");
	o = mt_json(m);
	assert_true(json_object_object_get_ex(o, "DisplayMessages", &d));
	assert_int_equal(json_object_object_length(d), 2);
	json_object_put(o);
	/* printf x | sha256sum */
	mt_expect(m, "DisplayMessages.health-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.Text",
	    "'x'");
	mt_expect(m, "DisplayMessages.health-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.Severity",
	    "'medium'");
	mt_same(m, "{'Health':null}");
	mt_ok(m, "{'Health':[null,'x']}"); /* as Go reads it */
	mt_expect(m, "Health", "['','x']");
	mt_ok(m, "{'Health':[]}");
	mt_change(m, "", "", IPC_F_Health | IPC_F_DisplayMessages);
	mt_expect(m, "Health", "[]");
	mt_expect(m, "DisplayMessages", "{}");
	mt_free(m);
}

/* rows: FLD-10 */
static void
test_display_messages(void **state)
{
	char *dump;
	struct map_test *m = mt_with(
	    "'Health':['x'],'DisplayMessages':{'a':{'Title':'A','Text':'t','Severity':'high'},'b':{'Title':'B'}}");

	(void)state;
	mt_expect(m, "DisplayMessages", "{'a':{'Title':'A','Text':'t','Severity':'high'},'b':{'Title':'B'}}");
	mt_expect(m, "Health", "['x']");
	mt_ok(m,
	    "{'DisplayMessages':{'b':null,'a':{'Title':'A2'},'c':{'PrimaryAction':{'URL':'https://x','Label':'l'}}}}");
	mt_change(m, "", "", IPC_F_DisplayMessages);
	mt_expect(m, "DisplayMessages", "{'a':{'Title':'A2'},'c':{'PrimaryAction':{'URL':'https://x','Label':'l'}}}");
	mt_same(m, "{'DisplayMessages':{}}");
	mt_same(m, "{'DisplayMessages':null}");
	mt_ok(m, "{'DisplayMessages':{'d':{'Title':'D'},'*':null}}");
	mt_expect(m, "DisplayMessages", "{'d':{'Title':'D'}}");
	mt_ok(m, "{'DisplayMessages':{'e\\u001f\\u007f\\n\\u0022\\u0000':{},'*':null}}");
	dump = mt_dump(m);
	assert_non_null(strstr(dump, "\"DisplayMessages\":{\"e\\u001f\\u007f\\u000a\\\"\\u0000\":{}}"));
	free(dump);
	mt_ok(m, "{'DisplayMessages':{'*':null}}");
	/* now the old kind shows again */
	mt_expect(m, "DisplayMessages.health-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.Text",
	    "'x'");
	mt_free(m);
}

/* Names share their domains inside; that is not visible, for any names of nodes. */
static void
test_node_names(void **state)
{
	static const char *const name[] = { "a.tail1.ts.net.", "b.tail1.ts.net.", "b.tail1.ts.net", ".tail1.ts.net.",
		"x", "", ".", "a.b", "a.b.", "a.b.c", "a-name-of-thirty-characters-zz.tail1.ts.net.",
		"a-name-of-30-characters-and-a.tail1.ts.net.", "a\\u0000.tail1.ts.net.", "a.tail1.ts.\\\"net.",
		"\xc3\xa9.tail1.ts.net.", "UPPER.Tail1.ts.net." };
	struct map_test *m = mt_with("'Peers':[]");
	char text[400], want[200];
	size_t i, k;

	(void)state;
	for (k = 0; k < 3; k++)
		for (i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
			snprintf(text, sizeof(text),
			    "{'PeersChanged':[{'ID':%zu,'User':10,'Name':'%s','Key':'nodekey:%064zx','Addresses':[]}]}",
			    i + 10, name[i], i + 77);
			if (k == 0)
				mt_ok(m, text);
			else if (k == 1)
				mt_same(m, text);
			snprintf(want, sizeof(want), "'%s'", name[i]);
			mt_peer(m, (int64_t)i + 10, "Name", want);
		}
	mt_session(m);
	mt_free(m);
	/* A full map: the first peer is packed like the ones after it. */
	m = mt_with("'Peers':[{'ID':4,'User':10,'Name':'a.ts.net.','Key':'" KEY_OF(
	    "44") "','Addresses':[]},"
		  "{'ID':5,'User':10,'Name':'b.ts.net.','Key':'" KEY_OF("55") "','Addresses':[]}]");
	mt_same(m, "{'PeersChanged':[{'ID':4,'User':10,'Name':'a.ts.net.','Key':'" KEY_OF("44") "','Addresses':[]}]}");
	mt_same(m, "{'PeersChanged':[{'ID':5,'User':10,'Name':'b.ts.net.','Key':'" KEY_OF("55") "','Addresses':[]}]}");
	mt_free(m);
}

/* rows: FLD-11 */
static void
test_allowed_ips(void **state)
{
	struct map_test *m = mt_with("'Peers':[" NODE4(",'Addresses':['100.64.1.4/32','fd7a:115c:a1e0::4/128']") "]");

	(void)state;
	mt_peer(m, 4, "AllowedIPs", "['100.64.1.4/32','fd7a:115c:a1e0::4/128']");
	mt_same(m,
	    "{'PeersChanged':[" NODE4(",'Addresses':['100.64.1.4/32','fd7a:115c:a1e0::4/128'],'AllowedIPs':null") "]}");
	mt_ok(m, "{'PeersChanged':[" NODE4(",'AllowedIPs':[],'Addresses':['100.64.1.4/32']") "]}");
	mt_peer(m, 4, "AllowedIPs", "[]");
	mt_ok(m, "{'PeersChanged':[" NODE4(",'Addresses':['100.64.1.4/32'],'AllowedIPs':['0.0.0.0/0','::/0']") "]}");
	mt_peer(m, 4, "AllowedIPs", "['0.0.0.0/0','::/0']");
	mt_peer(m, 4, "Addresses", "['100.64.1.4/32']");
	mt_expect(m, "SelfNode.AllowedIPs", "['100.64.0.1/32']");
	mt_free(m);
}

/* rows: FLD-12 */
static void
test_unsigned_peer(void **state)
{
	struct map_test *m = mt_with("'Peers':[" NODE4(
	    ",'Addresses':['100.64.1.4/32'],'AllowedIPs':['0.0.0.0/0'],'UnsignedPeerAPIOnly':true") "]");

	(void)state;
	mt_peer(m, 4, "AllowedIPs", "['100.64.1.4/32']");
	mt_peer(m, 4, "UnsignedPeerAPIOnly", "true");
	mt_ok(m,
	    "{'PeersChanged':[" NODE4(
		",'UnsignedPeerAPIOnly':true,'AllowedIPs':[],'Addresses':['100.64.1.4/32','100.64.1.5/32']") "]}");
	mt_peer(m, 4, "AllowedIPs", "['100.64.1.4/32','100.64.1.5/32']");
	mt_ok(m,
	    "{'PeersChanged':[" NODE4(
		",'UnsignedPeerAPIOnly':false,'AllowedIPs':['10.0.0.0/8'],'Addresses':['100.64.1.4/32']") "]}");
	mt_peer(m, 4, "AllowedIPs", "['10.0.0.0/8']");
	mt_free(m);
}

/* rows: FLD-13 */
static void
test_legacy_derp(void **state)
{
	static const struct {
		const char *derp, *home;
	} t[] = { { "'DERP':'127.3.3.40:12'", "12" }, { "'DERP':'127.3.3.40:12','HomeDERP':5", "5" },
		{ "'DERP':'127.3.3.41:12'", NULL }, { "'DERP':'127.3.3.40:x'", NULL }, { "'DERP':'127.3.3.40:'", NULL },
		{ "'DERP':''", NULL }, { "'DERP':'127.3.3.40:12\\u0000'", NULL },
		{ "'DERP':'\\u0031\\u0032\\u0037.3.3.40:7','HomeDERP':0", "7" }, { "'DERP':'127.3.3.40: 7'", NULL },
		{ "'DERP':'127.3.3.40:+7'", "7" }, { "'DERP':'127.3.3.40:7 '", NULL },
		{ "'DERP':'127.3.3.40:+'", NULL } };
	char text[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct map_test *m = mt_with("");

		snprintf(text, sizeof(text), "{'PeersChanged':[{'ID':4,'Key':'" KEY_OF("44") "',%s}]}", t[i].derp);
		mt_ok(m, text);
		mt_peer(m, 4, "HomeDERP", t[i].home);
		mt_peer(m, 4, "DERP", NULL);
		mt_free(m);
	}
}

/* rows: FLD-14 */
static void
test_self_capabilities(void **state)
{
	struct map_test *m = mt_new();
	char *text;

	(void)state;
	mt_ok(m,
	    "{'Node':{'ID':1,'Key':'" SELF_KEY "','Addresses':[],'Capabilities':['https://a/b','c','d\\u00e9'],"
	    "'CapMap':{'c':[12345678901234567890,{'x':1e400,'y':0.10}],'d\\u00e9':[]}}}");
	text = mt_dump(m);
	assert_non_null(strstr(text, "\"c\":[12345678901234567890,{\"x\":1e400,\"y\":0.10}]"));
	assert_non_null(strstr(text, "\"https://a/b\":null"));
	assert_non_null(strstr(text, "\"dé\":[]"));
	free(text);
	/* each once, whatever form it has inside */
	mt_ok(m,
	    "{'Node':{'ID':1,'Key':'" SELF_KEY
	    "','Addresses':[],'Capabilities':['z','z','ID',null,'00112233445566778899aabbccddeeff','',"
	    "'00112233445566778899aabbccddeeff','ID'],'CapMap':null}}");
	mt_change(m, "", "", IPC_F_Node);
	text = mt_dump(m);
	assert_non_null(
	    strstr(text, "\"CapMap\":{\"z\":null,\"ID\":null,\"\":null,\"00112233445566778899aabbccddeeff\":null}"));
	free(text);
	/* a peer's are left alone */
	mt_ok(m, "{'PeersChanged':[" NODE4(",'Capabilities':['z']") "]}");
	mt_peer(m, 4, "CapMap", NULL);
	mt_peer(m, 4, "Capabilities", "['z']");
	mt_free(m);
}

/* rows: FLD-17 */
static void
test_passed_through(void **state)
{
	struct map_test *m =
	    mt_with("'ClientVersion':{'LatestVersion':'1.99','Notify':true},'ControlTime':'2027-01-15T08:"
		    "00:01Z','DefaultAutoUpdate':true,"
		    "'PopBrowserURL':'https://login.example/a'");

	(void)state;
	mt_expect(m, "ClientVersion", "{'LatestVersion':'1.99','Notify':true}");
	mt_expect(m, "ControlTime", "'2027-01-15T08:00:01Z'");
	mt_expect(m, "DefaultAutoUpdate", "true");
	mt_ok(m, "{'DefaultAutoUpdate':false}");
	mt_change(m, "", "", IPC_F_DefaultAutoUpdate);
	mt_ok(m, "{'ClientVersion':{'RunningLatest':true}}");
	mt_change(m, "", "", IPC_F_ClientVersion);
	assert_int_equal(mt_msg(m, "{'ControlTime':'2027-01-15T08:00:02.5Z'}"),
	    0); /* no change of the map: the next one names it */
	mt_expect(m, "ControlTime", "'2027-01-15T08:00:02.5Z'");
	mt_ok(m, "{'DefaultAutoUpdate':true}");
	mt_change(m, "", "", IPC_F_DefaultAutoUpdate | IPC_F_ControlTime);
	mt_same(m, "{'ControlTime':'0001-01-01T00:00:00Z'}");
	mt_free(m);
}

static const struct directives *
directives_of(struct map_test *m, const char *text)
{
	char *s = mt_quotes(text);

	ingest_begin(m->g);
	assert_int_equal(ingest_data(m->g, s, strlen(s)), 0);
	assert_int_equal(ingest_end(m->g), 0);
	free(s);
	return ingest_directives(m->g);
}

/* rows: FLD-17 KA-05 */
static void
test_side(void **state)
{
	struct map_test *m = mt_with("");
	const struct directives *s;
	struct netmap_change ch;

	(void)state;
	s = directives_of(m,
	    "{'KeepAlive':true,'PingRequest':{'URL':'https://h/"
	    "p','URLIsNoise':true,'Types':'c2n','Payload':'R0VUIC8='},'PopBrowserURL':'https://x/y',"
	    "'ControlTime':'2027-01-15T09:00:00Z','ClientVersion':{'LatestVersion':'2'},'Domain':'ignored','"
	    "PeersRemoved':[1],"
	    "'ControlDialPlan':{'Candidates':[{'IP':'192.0.2.1','DialStartDelaySec':0.25,'DialTimeoutSec':1e9,'"
	    "Priority':1},"
	    "{'IP':'2001:db8::1','Priority':9},{'ACEHost':'a.example'},{'IP':'fe80::1%eth0'}]}}");
	assert_int_equal(s->keepalive, 1);
	assert_string_equal(s->ping->url, "https://h/p");
	assert_int_equal(s->ping->url_is_noise, 1);
	assert_string_equal(s->ping->types, "c2n");
	assert_int_equal(s->ping->payload_len, 5);
	assert_memory_equal(s->ping->payload, "GET /", 5);
	assert_string_equal(s->browse, "https://x/y");
	assert_int_equal(s->has_control_time, 1);
	assert_int_equal(s->dial_plan->n, 4);
	assert_int_equal(s->dial_plan->e[0].ip.family, 6);
	assert_int_equal(s->dial_plan->e[1].ip.family, 4);
	assert_int_equal(s->dial_plan->e[1].delay_ms, 250);
	assert_int_equal(s->dial_plan->e[1].timeout_ms, 60000);
	assert_int_equal(s->dial_plan->e[2].ace, 1);
	assert_int_equal(s->dial_plan->e[3].has_ip, 0);
	assert_int_equal(ingest_apply(m->g, m->now, &ch), 0);
	/* of a keep-alive's content only the clock and the version reach the map */
	mt_expect(m, "Domain", "''");
	mt_expect(m, "ClientVersion.LatestVersion", "'2'");
	mt_expect(m, "ControlTime", "'2027-01-15T09:00:00Z'");
	assert_int_equal(netmap_clock_delta(m->nm), 3600);

	s = directives_of(m,
	    "{'PingRequest':{'URL':'https://h/"
	    "\\u0000p'},'PopBrowserURL':'','Debug':{'Exit':0,'SleepSeconds':-1},'ControlDialPlan':{'Candidates':null}"
	    "}");
	assert_string_equal(s->ping->url, "");
	assert_null(s->browse);
	assert_int_equal(s->has_exit, 1);
	assert_int_equal(s->exit_code, 0);
	assert_int_equal(s->sleep_ms, 0);
	assert_int_equal(s->dial_plan->n, 0);
	assert_int_equal(s->has_control_time, 0);
	s = directives_of(m, "{}");
	assert_null(s->ping);
	assert_null(s->dial_plan);
	assert_int_equal(s->has_exit, 0);
	mt_free(m);
}

/* rows: DBG-03 DBG-05 */
static void
test_debug(void **state)
{
	static const struct {
		const char *value;
		uint32_t ms;
	} t[] = { { "0.0004", 1 }, { "1.5", 1500 }, { "300", 300000 }, { "301", 300000 }, { "1e300", 300000 },
		{ "-5", 0 }, { "-0.0", 0 }, { "0", 0 }, { "null", 0 }, { "99999999999999999999", 300000 } };
	struct map_test *m = mt_with("");
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(text, sizeof(text),
		    "{'Debug':{'SleepSeconds':%s,'DisableLogTail':true,'GoroutineDumpURL':'x','Foo':[1]}}", t[i].value);
		assert_int_equal(directives_of(m, text)->sleep_ms, t[i].ms);
		assert_int_equal(ingest_directives(m->g)->disable_logtail, 1);
		assert_int_equal(ingest_directives(m->g)->has_exit, 0);
	}
	mt_refused(m, "{'Debug':{'SleepSeconds':1e999}}", "not a number");
	mt_free(m);
}

/* protocol.md A.3: exact name first, then any case; of repeated names the last wins (security.md D15). */
static void
test_names(void **state)
{
	struct map_test *m = mt_with("");
	char *dump;

	(void)state;
	mt_ok(m,
	    "{'domain':'lower','peerschanged':[{'id':4,'KEY':'" KEY_OF(
		"44") "','addresses':['100.64.1.4/32'],'homederp':3,'hostinfo':{'os':'linux','hostname':'h'}}]}");
	mt_expect(m, "Domain", "'lower'");
	mt_peer(m, 4, "",
	    "{'ID':4,'Key':'" KEY_OF(
		"44") "','User':0,'HomeDERP':3,'Addresses':['100.64.1.4/32'],'AllowedIPs':['100.64.1.4/32'],"
		      "'Hostinfo':{'OS':'linux','Hostname':'h'}}");
	mt_ok(m,
	    "{'Domain':'a','Domain':'b','PeersChanged':[{'ID':1,'ID':5,'Key':'" KEY_OF("44") "','Key':'" KEY_OF(
		"55") "','Name':'x','name':'y',"
		      "'Odd':1,'Odd':{'k':1,'l':2,'k':3},'CapMap':{'u':[1],'v':[2],'u':[3]}}],'OnlineChange':{'5':true,"
		      "'05':false}}");
	mt_expect(m, "Domain", "'b'");
	dump = mt_dump(m);
	assert_null(strstr(dump, "\"Odd\":1"));
	assert_null(strstr(dump, "\"k\":1"));
	free(dump);
	mt_peer(m, 5, "",
	    "{'ID':5,'Key':'" KEY_OF(
		"55") "','User':0,'Online':false,'Name':'y','Odd':{'l':2,'k':3},'CapMap':{'v':[2],'u':[3]}}");
	mt_ok(m, "{'PeersRemoved':[4],'PeersRemoved':[5]}");
	mt_ids(m, "4");
	mt_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_derp),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_unchanged_when_absent),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_display_messages),
		cmocka_unit_test(test_node_names),
		cmocka_unit_test(test_allowed_ips),
		cmocka_unit_test(test_unsigned_peer),
		cmocka_unit_test(test_legacy_derp),
		cmocka_unit_test(test_self_capabilities),
		cmocka_unit_test(test_passed_through),
		cmocka_unit_test(test_side),
		cmocka_unit_test(test_debug),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
