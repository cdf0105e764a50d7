/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>

#include "unit.h"
#include "util_map.h"

#define RULE(ip) "{'SrcIPs':['" ip "'],'DstPorts':[{'IP':'*','Ports':{'First':0,'Last':65535}}]}"

/* rows: FLD-04 */
static void
test_filter(void **state)
{
	struct map_test *m = mt_with("");

	(void)state;
	mt_expect(m, "PacketFilterRules", "[]");
	mt_ok(m, "{'PacketFilter':[" RULE("1.1.1.1") "," RULE("2.2.2.2") "]}");
	mt_change(m, "", "", IPC_F_PacketFilter | IPC_F_EffectiveFilter);
	mt_expect(m, "PacketFilterRules", "[" RULE("1.1.1.1") "," RULE("2.2.2.2") "]");
	mt_same(m, "{'PacketFilter':null}");
	mt_same(m, "{'Domain':null}");
	mt_ok(m, "{'PacketFilter':[]}");
	mt_change(m, "", "", IPC_F_PacketFilter | IPC_F_EffectiveFilter);
	mt_expect(m, "PacketFilterRules", "[]");
	mt_free(m);
}

/* rows: FLD-05 */
static void
test_filter_chunks(void **state)
{
	struct map_test *m = mt_with(
	    "'PacketFilters':{'b':[" RULE("2.2.2.2") "],'B':[" RULE("1.1.1.1") "],'base':[" RULE("3.3.3.3") "]}");

	(void)state;
	/* byte order of the names: B b base */
	mt_expect(m, "PacketFilterRules", "[" RULE("1.1.1.1") "," RULE("2.2.2.2") "," RULE("3.3.3.3") "]");
	mt_same(m, "{'PacketFilters':{}}");
	mt_same(m, "{'PacketFilters':null}");
	/* PacketFilter is the chunk base and is first */
	mt_ok(m, "{'PacketFilters':{'b':null},'PacketFilter':[" RULE("4.4.4.4") "]}");
	mt_expect(m, "PacketFilterRules", "[" RULE("1.1.1.1") "," RULE("4.4.4.4") "]");
	mt_ok(m, "{'PacketFilter':[" RULE("5.5.5.5") "],'PacketFilters':{'base':[" RULE("6.6.6.6") "],'B':[]}}");
	mt_expect(m, "PacketFilterRules", "[" RULE("6.6.6.6") "]");
	mt_same(m, "{'PacketFilters':{'*':[]}}");
	mt_same(m, "{'PacketFilters':{'none':null}}");
	/* "*":null clears all, the other members of the message stay, in any order */
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
	struct map_test *m = mt_with("");
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
	    "{'SrcIPs':['1.1.1.1'],'DstPorts':[{'IP':'2.2.2.2','Ports':{'First':0,'Last':0}}],'IPProto':[17,99]},"
	    "{'SrcIPs':['1.1.1.1'],'DstPorts':[{'IP':'2.2.2.2','Ports':{'First':0,'Last':0}}],'IPProto':[6,17,1,58]},"
	    "{'SrcIPs':['3.3.3.3'],'CapGrant':[{'Dsts':['100.64.0.1/32'],'CapMap':{'c':[1]}}]}]}");
	/* both ends of a range are always there, as Go reads what is not; ranges without a port go */
	mt_ok(m,
	    "{'PacketFilter':[{'SrcIPs':['*'],'DstPorts':[{'IP':'1.1.1.1'},{'IP':'1.1.1.2','Ports':null},"
	    "{'IP':'1.1.1.3','Ports':{}},{'IP':'1.1.1.4','Ports':{'Last':80}},{'IP':'1.1.1.5','Ports':{'First':80}},"
	    "{'IP':'1.1.1.6','Ports':{'First':2,'Last':1}},{'IP':'1.1.1.7','Ports':{'First':null,'Last':null}},"
	    "{'IP':'1.1.1.8','Ports':{'First':65535,'Last':65535}}]},"
	    "{'SrcIPs':['*'],'DstPorts':[{'IP':'*','Ports':{'First':2,'Last':1}}]}]}");
	mt_expect(m, "EffectiveFilter.Rules",
	    "[{'SrcIPs':['*'],'DstPorts':[{'IP':'1.1.1.1','Ports':{'First':0,'Last':0}},"
	    "{'IP':'1.1.1.2','Ports':{'First':0,'Last':0}},{'IP':'1.1.1.3','Ports':{'First':0,'Last':0}},"
	    "{'IP':'1.1.1.4','Ports':{'First':0,'Last':80}},{'IP':'1.1.1.7','Ports':{'First':0,'Last':0}},"
	    "{'IP':'1.1.1.8','Ports':{'First':65535,'Last':65535}}],'IPProto':[6,17,1,58]}]");
	/* old forms deny everything, in any chunk */
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
	struct map_test *m = mt_with("'PacketFilter':[{'SrcIPs':['100.64.9.0-100.64.9.4'],'DstPorts':[{'IP':'*'}]},"
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_chunks),
		cmocka_unit_test(test_effective_filter),
		cmocka_unit_test(test_filter_and_unsigned_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
