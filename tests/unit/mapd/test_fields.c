/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipc.h"
#include "unit.h"
#include "util_map.h"

/* A first message with only our own node and what is given besides. */
static struct map_test *
with(const char *more)
{
	struct map_test *m = mt_new();
	char *text = malloc(strlen(more) + 512);

	assert_non_null(text);
	sprintf(text, "{" NODE_SELF "%s%s}", more[0] ? "," : "", more);
	mt_ok(m, text);
	free(text);
	return m;
}

/* rows: FLD-01 */
static void
test_dns(void **state)
{
	struct map_test *m = with("");

	(void)state;
	mt_expect(m, "DNS", "{}");
	mt_ok(m,
	    "{'DNSConfig':{'Resolvers':[{'Addr':'1.1.1.1'}],'Routes':{'a.example.':[],'b.example.':null,'c.example.':[{"
	    "'Addr':'https://x/dns'}]},"
	    "'Domains':['tail1.ts.net'],'Proxied':true,'Strange':[1,2]}}");
	mt_change(m, "", "", IPC_F_DNS);
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
	struct map_test *m = with("");

	(void)state;
	mt_expect(m, "DERPMap", "null");
	mt_ok(m, "{'DERPMap':{'omitDefaultRegions':true}}"); /* there is nothing before it that could be kept */
	mt_expect(m, "DERPMap", "{'omitDefaultRegions':true}");
	mt_free(m);
	m = with("");
	mt_ok(m,
	    "{'DERPMap':{'HomeParams':{'RegionScore':{'1':0.5}},'Regions':{'1':" REGION("1") ",'2':null,'900':" REGION(
		"900") "},'omitDefaultRegions':true}}");
	mt_change(m, "", "", IPC_F_DERP);
	mt_expect(m, "DERPMap",
	    "{'HomeParams':{'RegionScore':{'1':0.5}},'Regions':{'1':" REGION("1") ",'900':" REGION(
		"900") "},'omitDefaultRegions':true}");
	mt_same(m, "{'DERPMap':null}");
	/* no regions: those we have stay, with omitDefaultRegions; the rest is taken */
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

#define RULE(ip) "{'SrcIPs':['" ip "'],'DstPorts':[{'IP':'*','Ports':{'First':0,'Last':65535}}]}"

/* rows: FLD-04 */
static void
test_filter(void **state)
{
	struct map_test *m = with("");

	(void)state;
	mt_expect(m, "PacketFilterRules", "[]");
	mt_ok(m, "{'PacketFilter':[" RULE("1.1.1.1") "," RULE("2.2.2.2") "]}");
	mt_change(m, "", "", IPC_F_FILTER);
	mt_expect(m, "PacketFilterRules", "[" RULE("1.1.1.1") "," RULE("2.2.2.2") "]");
	mt_same(m, "{'PacketFilter':null}");
	mt_same(m, "{'Domain':null}");
	mt_ok(m, "{'PacketFilter':[]}");
	mt_change(m, "", "", IPC_F_FILTER);
	mt_expect(m, "PacketFilterRules", "[]");
	mt_free(m);
}

/* rows: FLD-05 */
static void
test_filter_chunks(void **state)
{
	struct map_test *m =
	    with("'PacketFilters':{'b':[" RULE("2.2.2.2") "],'B':[" RULE("1.1.1.1") "],'base':[" RULE("3.3.3.3") "]}");

	(void)state;
	/* byte order of the names: B b base */
	mt_expect(m, "PacketFilterRules", "[" RULE("1.1.1.1") "," RULE("2.2.2.2") "," RULE("3.3.3.3") "]");
	mt_same(m, "{'PacketFilters':{}}");
	mt_same(m, "{'PacketFilters':null}");
	/* PacketFilter is the chunk base and comes first */
	mt_ok(m, "{'PacketFilters':{'b':null},'PacketFilter':[" RULE("4.4.4.4") "]}");
	mt_expect(m, "PacketFilterRules", "[" RULE("1.1.1.1") "," RULE("4.4.4.4") "]");
	mt_ok(m, "{'PacketFilter':[" RULE("5.5.5.5") "],'PacketFilters':{'base':[" RULE("6.6.6.6") "],'B':[]}}");
	mt_expect(m, "PacketFilterRules", "[" RULE("6.6.6.6") "]");
	mt_same(m, "{'PacketFilters':{'*':[]}}");
	mt_same(m, "{'PacketFilters':{'gone':null}}");
	/* "*":null clears all, what else is in the message stays, wherever it stands */
	mt_ok(m, "{'PacketFilters':{'z':[" RULE("7.7.7.7") "],'*':null},'PacketFilter':[" RULE("8.8.8.8") "]}");
	mt_expect(m, "PacketFilterRules", "[" RULE("7.7.7.7") "]");
	mt_ok(m, "{'PacketFilters':{'z':null}}");
	mt_expect(m, "PacketFilterRules", "[]");
	mt_ok(m, "{'PacketFilter':[" RULE("1.1.1.1") "]}");
	mt_ok(m, "{'PacketFilters':{'*':null}}");
	mt_expect(m, "PacketFilterRules", "[]");
	mt_ok(m, "{'PacketFilter':[" RULE("1.1.1.1") "]}");
	mt_ok(m, "{'PacketFilters':{'base':null}}"); /* as headscale may say it: deny all */
	mt_expect(m, "PacketFilterRules", "[]");
	mt_free(m);
}

/* One entry of SrcIPs each: what is left of it in the effective rule. */
static const char *const entries[][2] = { { "'*'", "'*'" }, { "'10.0.0.1'", "'10.0.0.1'" },
	{ "'10.0.0.0/8'", "'10.0.0.0/8'" }, { "'10.0.0.1/8'", "" }, { "'10.0.0.1-10.0.0.9'", "'10.0.0.1-10.0.0.9'" },
	{ "'10.0.0.9-10.0.0.1'", "" }, { "'10.0.0.1-::1'", "" }, { "'fd7a::/16'", "'fd7a::/16'" },
	{ "'fd7a::1-fd7a::2'", "'fd7a::1-fd7a::2'" }, { "'cap:x.com/c'", "'cap:x.com/c'" }, { "'cap:'", "" },
	{ "'autogroup:member'", "" }, { "''", "" }, { "'1.2.3'", "" }, { "'1.2.3.4/33'", "" }, { "'-'", "" },
	{ "null", "" }, { "'**'", "" }, { "'fe80::1%eth0'", "" } };

/* rows: FLD-06 */
static void
test_effective_filter(void **state)
{
	struct map_test *m = with("");
	char text[512], want[512];
	size_t i;

	(void)state;
	mt_expect(m, "EffectiveFilter", "{'DenyAll':true,'Reason':'no rules','Rules':[]}");
	for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		/* a bad entry goes, the good one beside it stays */
		snprintf(text, sizeof(text),
		    "{'PacketFilter':[{'SrcIPs':[%s,'192.0.2.%zu'],'DstPorts':[{'IP':'*','Ports':{'First':1,'Last':2}}]"
		    "}]}",
		    entries[i][0], i);
		mt_ok(m, text);
		snprintf(want, sizeof(want), "[%s%s'192.0.2.%zu']", entries[i][1], entries[i][1][0] ? "," : "", i);
		mt_expect(m, "EffectiveFilter.Rules.0.SrcIPs", want);
		mt_expect(m, "EffectiveFilter.DenyAll", "false");
	}
	/* nothing that is left out may make a rule mean more */
	mt_ok(m,
	    "{'PacketFilter':[{'SrcIPs':['bad'],'DstPorts':[{'IP':'*'}]},{'SrcIPs':['*'],'DstPorts':[{'IP':'bad'},{'IP'"
	    ":'cap:x'}]},"
	    "{'SrcIPs':['*'],'DstPorts':[{'IP':'*'}],'IPProto':[256,-1]},{'SrcIPs':['*']},{'SrcIPs':[],'DstPorts':[{'"
	    "IP':'*'}]},{},"
	    "{'SrcIPs':['1.1.1.1'],'DstPorts':[{'IP':'2.2.2.2'}],'IPProto':[17,300,99]},"
	    "{'SrcIPs':['1.1.1.1'],'DstPorts':[{'IP':'2.2.2.2'}],'IPProto':[]},"
	    "{'SrcIPs':['3.3.3.3'],'CapGrant':[{'Dsts':['100.64.0.1/32'],'CapMap':{'c':[1]}}]}]}");
	mt_expect(m, "EffectiveFilter",
	    "{'DenyAll':false,'Reason':'','Rules':["
	    "{'SrcIPs':['1.1.1.1'],'DstPorts':[{'IP':'2.2.2.2'}],'IPProto':[17,99]},"
	    "{'SrcIPs':['1.1.1.1'],'DstPorts':[{'IP':'2.2.2.2'}],'IPProto':[6,17,1,58]},"
	    "{'SrcIPs':['3.3.3.3'],'CapGrant':[{'Dsts':['100.64.0.1/32'],'CapMap':{'c':[1]}}]}]}");
	/* forms of old servers close it all, in whatever chunk */
	mt_ok(m, "{'PacketFilters':{'zz':[{'SrcIPs':['*'],'SrcBits':[32],'DstPorts':[{'IP':'*'}]}]}}");
	mt_expect(m, "EffectiveFilter", "{'DenyAll':true,'Reason':'a rule has SrcBits or Bits','Rules':[]}");
	mt_ok(m, "{'PacketFilters':{'zz':[{'SrcIPs':['*'],'SrcBits':[],'DstPorts':[{'IP':'*','Bits':null}]}]}}");
	mt_expect(m, "EffectiveFilter.DenyAll", "false");
	mt_ok(m, "{'PacketFilters':{'zz':[{'SrcIPs':['*'],'DstPorts':[{'IP':'*','Bits':0}]}]}}");
	mt_expect(m, "EffectiveFilter.DenyAll", "true");
	mt_free(m);
}

/* E.9, last sentence: a server that gives an unsigned peer network access is broken or hostile. */
static void
test_filter_and_unsigned_peer(void **state)
{
	struct map_test *m = with("'PacketFilter':[{'SrcIPs':['100.64.9.0-100.64.9.4'],'DstPorts':[{'IP':'*'}]},"
				  "{'SrcIPs':['*'],'CapGrant':[{'Dsts':['100.64.0.1/32'],'Caps':['c']}]}]");

	(void)state;
	mt_expect(m, "EffectiveFilter.DenyAll", "false");
	mt_ok(m,
	    "{'PeersChanged':[{'ID':4,'Key':'" KEY_OF(
		"44") "','Addresses':['100.64.9.5/32'],'UnsignedPeerAPIOnly':true}]}");
	mt_expect(m, "EffectiveFilter.DenyAll", "false");
	mt_ok(m,
	    "{'PeersChanged':[{'ID':5,'Key':'" KEY_OF(
		"55") "','Addresses':['100.64.9.4/32'],'UnsignedPeerAPIOnly':true}]}");
	mt_expect(m, "EffectiveFilter", "{'DenyAll':true,'Reason':'a rule lets an unsigned peer in','Rules':[]}");
	mt_ok(m, "{'PeersRemoved':[5]}");
	mt_expect(m, "EffectiveFilter.DenyAll", "false");
	/* everybody is the unsigned peer, too */
	mt_ok(m, "{'PacketFilters':{'star':[{'SrcIPs':['cap:c','*'],'DstPorts':[{'IP':'10.0.0.1'}]}]}}");
	mt_expect(m, "EffectiveFilter.Reason", "'a rule lets an unsigned peer in'");
	mt_ok(m, "{'PeersRemoved':[4]}");
	mt_expect(m, "EffectiveFilter.DenyAll", "false");
	mt_free(m);
}

/* rows: FLD-07 */
static void
test_profiles(void **state)
{
	struct map_test *m = with("'Peers':[" PEER("2", "2", "22",
	    ",'Sharer':30") "],'UserProfiles':[{'ID':10,'LoginName':'me'},{'ID':40,'LoginName':'later'}]");

	(void)state;
	mt_expect(m, "UserProfiles", "{'10':{'ID':10,'LoginName':'me'}}");
	mt_ok(m, "{'UserProfiles':[{'ID':30,'LoginName':'sharer','Groups':['g'],'X':{}}]}");
	mt_change(m, "", "", IPC_F_PROFILES);
	mt_expect(m, "UserProfiles",
	    "{'10':{'ID':10,'LoginName':'me'},'30':{'ID':30,'LoginName':'sharer','Groups':['g'],'X':{}}}");
	/* one that came before its peer */
	mt_ok(m, "{'PeersChanged':[{'ID':4,'User':40,'Name':'p4.','Key':'" KEY_OF("44") "','Addresses':[]}]}");
	mt_expect(m, "UserProfiles.40.LoginName", "'later'");
	mt_ok(m, "{'UserProfiles':[{'ID':40,'LoginName':'new'}]}");
	mt_expect(m, "UserProfiles.40.LoginName", "'new'");
	mt_same(m, "{'UserProfiles':[{'ID':40,'LoginName':'new'}]}");
	/* of two in one message the last counts, also when it is what was there before */
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
	struct map_test *m = with("'Domain':'d','CollectServices':true,'SSHPolicy':{'rules':[{'principals':[{'any':"
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
	mt_change(m, "", "", IPC_F_COLLECT | IPC_F_SSH | IPC_F_DOMAIN | IPC_F_TKA | IPC_F_AUDIT);
	mt_expect(m, "CollectServices", "false");
	mt_expect(m, "SSHPolicy", "{}");
	mt_free(m);
}

/* rows: FLD-09 */
static void
test_health(void **state)
{
	struct map_test *m = with("'Health':['disk full','x']");
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
	mt_ok(m, "{'Health':[]}");
	mt_change(m, "", "", IPC_F_HEALTH | IPC_F_MESSAGES);
	mt_expect(m, "Health", "[]");
	mt_expect(m, "DisplayMessages", "{}");
	mt_free(m);
}

/* rows: FLD-10 */
static void
test_display_messages(void **state)
{
	char *dump;
	struct map_test *m =
	    with("'Health':['x'],'DisplayMessages':{'a':{'Title':'A','Text':'t','Severity':'high'},'b':{'Title':'B'}}");

	(void)state;
	mt_expect(m, "DisplayMessages", "{'a':{'Title':'A','Text':'t','Severity':'high'},'b':{'Title':'B'}}");
	mt_expect(m, "Health", "['x']");
	mt_ok(m,
	    "{'DisplayMessages':{'b':null,'a':{'Title':'A2'},'c':{'PrimaryAction':{'URL':'https://x','Label':'l'}}}}");
	mt_change(m, "", "", IPC_F_MESSAGES);
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

/* Names share their domains inside; nothing of that shows, whatever a server calls its nodes. */
static void
test_node_names(void **state)
{
	static const char *const name[] = { "a.tail1.ts.net.", "b.tail1.ts.net.", "b.tail1.ts.net", ".tail1.ts.net.",
		"x", "", ".", "a.b", "a.b.", "a.b.c", "a-name-of-thirty-characters-zz.tail1.ts.net.",
		"a-name-of-30-characters-and-a.tail1.ts.net.", "a\\u0000.tail1.ts.net.", "a.tail1.ts.\\\"net.",
		"\xc3\xa9.tail1.ts.net.", "UPPER.Tail1.ts.net." };
	struct map_test *m = with("'Peers':[]");
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
	m = with("'Peers':[{'ID':4,'User':10,'Name':'a.ts.net.','Key':'" KEY_OF(
	    "44") "','Addresses':[]},"
		  "{'ID':5,'User':10,'Name':'b.ts.net.','Key':'" KEY_OF("55") "','Addresses':[]}]");
	mt_same(m, "{'PeersChanged':[{'ID':4,'User':10,'Name':'a.ts.net.','Key':'" KEY_OF("44") "','Addresses':[]}]}");
	mt_same(m, "{'PeersChanged':[{'ID':5,'User':10,'Name':'b.ts.net.','Key':'" KEY_OF("55") "','Addresses':[]}]}");
	mt_free(m);
}

#define NODE4(more) "{'ID':4,'User':10,'Name':'p4.','Key':'" KEY_OF("44") "'" more "}"

/* rows: FLD-11 */
static void
test_allowed_ips(void **state)
{
	struct map_test *m = with("'Peers':[" NODE4(",'Addresses':['100.64.1.4/32','fd7a:115c:a1e0::4/128']") "]");

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
	struct map_test *m = with("'Peers':[" NODE4(
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
		struct map_test *m = with("");

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
	mt_change(m, "", "", IPC_F_SELF);
	text = mt_dump(m);
	assert_non_null(
	    strstr(text, "\"CapMap\":{\"z\":null,\"ID\":null,\"00112233445566778899aabbccddeeff\":null,\"\":null}"));
	free(text);
	/* a peer's are left alone */
	mt_ok(m, "{'PeersChanged':[" NODE4(",'Capabilities':['z']") "]}");
	mt_peer(m, 4, "CapMap", NULL);
	mt_peer(m, 4, "Capabilities", "['z']");
	mt_free(m);
}

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
	struct map_test *m = with("");
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
	struct map_test *m = with("");
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

/* What the parent is told of our own node has no control character left, or it would kill us for it; the netmap has them all. */
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
	{ "{}}", "text behind" },
	{ "{} {}", "text behind" },
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
	struct map_test *m = with("'Peers':[" PEER("2", "2", "22",
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
	/* and the next good one is taken */
	mt_ok(m, "{'Domain':'e'}");
	mt_free(m);
}

/* rows: FLD-17 */
static void
test_passed_through(void **state)
{
	struct map_test *m = with("'ClientVersion':{'LatestVersion':'1.99','Notify':true},'ControlTime':'2027-01-15T08:"
				  "00:01Z','DefaultAutoUpdate':true,"
				  "'PopBrowserURL':'https://login.example/a'");

	(void)state;
	mt_expect(m, "ClientVersion", "{'LatestVersion':'1.99','Notify':true}");
	mt_expect(m, "ControlTime", "'2027-01-15T08:00:01Z'");
	mt_expect(m, "DefaultAutoUpdate", "true");
	mt_ok(m, "{'DefaultAutoUpdate':false}");
	mt_change(m, "", "", IPC_F_AUTOUPDATE);
	mt_ok(m, "{'ClientVersion':{'RunningLatest':true}}");
	mt_change(m, "", "", IPC_F_CLIENTVERSION);
	mt_ok(m, "{'ControlTime':'2027-01-15T08:00:02.5Z'}");
	mt_change(m, "", "", IPC_F_CONTROLTIME);
	mt_expect(m, "ControlTime", "'2027-01-15T08:00:02.5Z'");
	mt_same(m, "{'ControlTime':'0001-01-01T00:00:00Z'}");
	mt_free(m);
}

static const struct ingest_side *
side_of(struct map_test *m, const char *text)
{
	char *s = mt_quotes(text);

	ingest_begin(m->g);
	assert_int_equal(ingest_data(m->g, s, strlen(s)), 0);
	assert_int_equal(ingest_end(m->g), 0);
	free(s);
	return ingest_side(m->g);
}

/* rows: FLD-17 KA-05 */
static void
test_side(void **state)
{
	struct map_test *m = with("");
	const struct ingest_side *s;
	struct netmap_change ch;

	(void)state;
	s = side_of(m,
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

	s = side_of(m,
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
	s = side_of(m, "{}");
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
	struct map_test *m = with("");
	char text[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(text, sizeof(text),
		    "{'Debug':{'SleepSeconds':%s,'DisableLogTail':true,'GoroutineDumpURL':'x','Foo':[1]}}", t[i].value);
		assert_int_equal(side_of(m, text)->sleep_ms, t[i].ms);
		assert_int_equal(ingest_side(m->g)->disable_logtail, 1);
		assert_int_equal(ingest_side(m->g)->has_exit, 0);
	}
	mt_refused(m, "{'Debug':{'SleepSeconds':1e999}}", "not a number");
	mt_free(m);
}

/* protocol.md A.3: exact name first, then any case; of repeated names the last wins (security.md D15). */
static void
test_names(void **state)
{
	struct map_test *m = with("");
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
	struct map_test *m = with("'Peers':[" PEER("2", "2", "22", "") "],'PacketFilter':[]");
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
	struct map_test *m = with("");
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
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_derp),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_chunks),
		cmocka_unit_test(test_effective_filter),
		cmocka_unit_test(test_filter_and_unsigned_peer),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_unchanged_when_absent),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_display_messages),
		cmocka_unit_test(test_node_names),
		cmocka_unit_test(test_allowed_ips),
		cmocka_unit_test(test_unsigned_peer),
		cmocka_unit_test(test_legacy_derp),
		cmocka_unit_test(test_self_capabilities),
		cmocka_unit_test(test_texts_stay_as_sent),
		cmocka_unit_test(test_cut_texts),
		cmocka_unit_test(test_odd_strings),
		cmocka_unit_test(test_odd_strings_of_our_own),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_passed_through),
		cmocka_unit_test(test_side),
		cmocka_unit_test(test_debug),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_null_comes_last),
		cmocka_unit_test(test_long_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
