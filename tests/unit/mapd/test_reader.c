/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "util_map.h"

/*
 * A client that reads `watch netmap` (interface.md 6) keeps a map, adds the nodes of each delta to it, deletes the
 * removed ones, and asks again for the members that a delta names.  After any messages it then has the same map as
 * `netmap`.
 */
#define MESSAGES 6000
#define IDS      12
#define USERS    7

static const struct {
	uint32_t bit;
	const char *name, *sent; /* as the server calls it; NULL: the same */
} members[] = { { IPC_F_Node, "SelfNode", "'Node'" }, { IPC_F_DNSConfig, "DNS", NULL },
	{ IPC_F_DERPMap, "DERPMap", NULL }, { IPC_F_PacketFilter, "PacketFilterRules", "'PacketFilter" },
	{ IPC_F_UserProfiles, "UserProfiles", NULL }, { IPC_F_Domain, "Domain", NULL },
	{ IPC_F_SSHPolicy, "SSHPolicy", NULL }, { IPC_F_CollectServices, "CollectServices", NULL },
	{ IPC_F_Health, "Health", NULL }, { IPC_F_DisplayMessages, "DisplayMessages", NULL },
	{ IPC_F_TKAInfo, "TKAInfo", NULL }, { IPC_F_DomainDataPlaneAuditLogID, "DomainAuditLogID", "'DomainData" },
	{ IPC_F_ControlTime, "ControlTime", NULL }, { IPC_F_ClientVersion, "ClientVersion", NULL },
	{ IPC_F_DefaultAutoUpdate, "DefaultAutoUpdate", NULL }, { IPC_F_Expiry, "Expiry", NULL },
	/* It may be named without a change: by its rules, and by peers that the filter keeps out. */
	{ IPC_F_EffectiveFilter, "EffectiveFilter", "'" } };
/* What a delta does not name: it says it otherwise, or it is the same in all of a stream. */
static const char *const unnamed[] = { "v", "Seq", "Source", "ReceivedAt", "NodeKey", "MachineKey", "Peers" };

static uint32_t changed_late; /* what keep-alives changed since the last event: it may have changed back */

static struct json_object *
member(struct json_object *o, const char *name)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, name, &v))
		fail_msg("%s is not there", name);
	return v;
}

static struct json_object *
node(struct json_object *map, int64_t id)
{
	struct json_object *list = member(map, "Peers"), *p;
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		if (json_object_get_int64(member(p = json_object_array_get_idx(list, i), "ID")) == id)
			return p;
	return NULL;
}

static int
has(const int64_t *id, size_t n, int64_t want)
{
	size_t i;

	for (i = 0; i < n && id[i] != want; i++)
		;
	return i < n;
}

/* A delta's ids against the maps before and after it. */
static void
check_peers(const struct map_test *m, struct json_object *old, struct json_object *new, const char *msg)
{
	int64_t id;

	for (id = 2; id < 2 + IDS; id++) {
		struct json_object *was = node(old, id), *is = node(new, id);

		if (has(m->ch.changed, m->ch.nchanged, id) && is == NULL)
			fail_msg("peer %lld is removed but was reported as changed: %s", (long long)id, msg);
		if (has(m->ch.removed, m->ch.nremoved, id) != (was != NULL && is == NULL))
			fail_msg("peer %lld: its removal was not reported, or wrongly: %s", (long long)id, msg);
		if (is != NULL && !has(m->ch.changed, m->ch.nchanged, id) && !json_object_equal(was, is))
			fail_msg("peer %lld changed and was not named: %s", (long long)id, msg);
	}
}

static void
check(const struct map_test *m, struct json_object *old, struct json_object *new, const char *msg)
{
	size_t i;

	if (m->ch.full)
		return;
	assert_int_equal(json_object_object_length(new),
	    sizeof(members) / sizeof(members[0]) + sizeof(unnamed) / sizeof(unnamed[0]));
	for (i = 0; i < sizeof(unnamed) / sizeof(unnamed[0]); i++)
		(void)member(new, unnamed[i]);
	check_peers(m, old, new, msg);
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const char *sent = members[i].sent != NULL ? members[i].sent : members[i].name;
		int same = json_object_equal(member(old, members[i].name), member(new, members[i].name));

		if (!same && !(m->ch.fields & members[i].bit))
			fail_msg("%s is another and was not named: %s", members[i].name, msg);
		if (members[i].bit & changed_late)
			continue;
		if (same && (m->ch.fields & members[i].bit) && strstr(msg, sent) == NULL &&
		    !(members[i].bit == IPC_F_DisplayMessages && strstr(msg, "Health") != NULL))
			fail_msg("%s was named without reason: %s", members[i].name, msg);
	}
}

static size_t
say_node(char *s, size_t size, unsigned id)
{
	static const char *const more[] = { "", "", ",'UnsignedPeerAPIOnly':true",
		",'UnsignedPeerAPIOnly':true,'AllowedIPs':['10.0.0.0/8']", ",'KeyExpiry':'2040-01-01T00:00:00Z'",
		",'KeyExpiry':'0001-01-01T00:00:00Z'" };
	char sharer[32] = "";

	if (mt_rnd(3) == 0)
		snprintf(sharer, sizeof(sharer), ",'Sharer':%u", 10 + mt_rnd(USERS));
	return (size_t)snprintf(s, size,
	    "{'ID':%u,'User':%u,'Name':'n.x.','Key':'%s','Addresses':['100.64.0.%u/32'],'Cap':%u%s%s}", id,
	    10 + mt_rnd(USERS), id == 1 ? SELF_KEY : KEY_OF("22"), id, mt_rnd(3), sharer,
	    more[mt_rnd(sizeof(more) / sizeof(more[0]))]);
}

static size_t
say_nodes(char *s, size_t size, const char *name, unsigned max)
{
	size_t n = (size_t)snprintf(s, size, ",'%s':[", name);
	unsigned i, count = mt_rnd(max);

	for (i = 0; i < count; i++) {
		n += (size_t)snprintf(s + n, size - n, "%s", i ? "," : "");
		n += say_node(s + n, size - n, 2 + mt_rnd(IDS));
	}
	return n + (size_t)snprintf(s + n, size - n, "]");
}

static void
say(char *s, size_t size)
{
	static const char *const parts[] = { ",'Health':[]", ",'Health':['a']", ",'Health':['b','c']",
		",'DisplayMessages':{'k':{'Title':'t'}}", ",'DisplayMessages':{'k':null}",
		",'DisplayMessages':{'*':null}", ",'Domain':'a'", ",'DNSConfig':{}", ",'DNSConfig':{'Proxied':true}",
		",'DERPMap':{'Regions':{'1':{'RegionID':1}}}", ",'DERPMap':{'HomeParams':{'RegionScore':{'1':2}}}",
		",'PacketFilter':[]", ",'PacketFilters':{'a':[{'SrcIPs':['*']}]}",
		",'PacketFilters':{'b':[{'SrcIPs':['100.64.0.3','10.1.2.3'],'DstPorts':[{'IP':'*'}]}]}",
		",'PacketFilters':{'c':[{'SrcIPs':['100.64.0.4'],'DstPorts':[{'IP':'*'}]}]}",
		",'PacketFilters':{'*':null}", ",'SSHPolicy':{}", ",'CollectServices':true", ",'TKAInfo':{}",
		",'ClientVersion':{}", ",'DefaultAutoUpdate':true", ",'DomainDataPlaneAuditLogID':'x'",
		",'ControlTime':'2027-01-15T08:00:00Z'" };
	size_t n = (size_t)snprintf(s, size, "{'Seq':1");
	unsigned i;

	if (mt_rnd(40) == 0)
		n += say_nodes(s + n, size - n, "Peers", IDS);
	if (mt_rnd(2) == 0)
		n += say_nodes(s + n, size - n, "PeersChanged", 4);
	if (mt_rnd(10) == 0) {
		n += (size_t)snprintf(s + n, size - n, ",'Node':");
		n += say_node(s + n, size - n, 1);
	}
	if (mt_rnd(3) == 0)
		n += (size_t)snprintf(s + n, size - n, ",'PeersRemoved':[%u,%u]", 2 + mt_rnd(IDS), 2 + mt_rnd(IDS));
	if (mt_rnd(3) == 0)
		n += (size_t)snprintf(s + n, size - n, ",'PeersChangedPatch':[{'NodeID':%u,'KeyExpiry':'%s'}]",
		    2 + mt_rnd(IDS), mt_rnd(2) ? "2020-01-01T00:00:00Z" : "2099-01-01T00:00:00Z");
	if (mt_rnd(5) == 0)
		n += (size_t)snprintf(s + n, size - n, ",'UserProfiles':[{'ID':%u,'LoginName':'l%u'}]",
		    10 + mt_rnd(USERS), mt_rnd(2));
	for (i = mt_rnd(3); i > 0; i--)
		n += (size_t)snprintf(s + n, size - n, "%s", parts[mt_rnd(sizeof(parts) / sizeof(parts[0]))]);
	snprintf(s + n, size - n, "}");
}

/* rows: FLD-07 FLD-09 FLD-10 FLD-17 DEL-01 DEL-02 KA-05 STAT-04 */
static void
test_deltas_name_what_changed(void **state)
{
	struct map_test *m = mt_new();
	struct json_object *old, *new;
	char msg[8192];
	unsigned i;

	(void)state;
	mt_ok(m, "{" NODE_SELF "}");
	old = mt_json(m);
	for (i = 0; i < MESSAGES; i++) {
		if (mt_rnd(100) == 0) { /* a new stream: profiles of the one before are removed */
			mt_session(m);
			mt_ok(m, "{" NODE_SELF "}");
			json_object_put(old);
			old = mt_json(m);
		}
		if (mt_rnd(10) == 0) { /* no event: its changes are reported with the next (KA-01, KA-05) */
			snprintf(msg, sizeof(msg),
			    "{'KeepAlive':true,'ControlTime':'2027-01-15T08:00:0%uZ','ClientVersion':{'LatestVersion':'"
			    "%u'}}",
			    mt_rnd(10), mt_rnd(2));
			assert_int_equal(mt_msg(m, msg), 0);
			assert_true(m->ch.fields == 0 && m->ch.nchanged == 0);
			changed_late |= IPC_F_ControlTime | IPC_F_ClientVersion;
			continue;
		}
		say(msg, sizeof(msg));
		if (mt_msg(m, msg) == REFUSED)
			fail_msg("refused: %s: %s", ingest_error(m->g), msg);
		if (!m->ch.full && m->ch.fields == 0 && m->ch.nchanged + m->ch.nremoved == 0) { /* no event */
			changed_late |= strstr(msg, "'ControlTime'") != NULL ? IPC_F_ControlTime : 0;
			continue;
		}
		new = mt_json(m);
		check(m, old, new, msg);
		changed_late = 0;
		json_object_put(old);
		old = new;
	}
	json_object_put(old);
	mt_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_deltas_name_what_changed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
