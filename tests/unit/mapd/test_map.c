/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "util_map.h"

static const char everything[] =
    "{" NODE_SELF ",'KeepAlive':false,"
    "'Peers':[" PEER("30", "30", "33",
	",'Endpoints':['192.0.2.1:1'],'Hostinfo':{'OS':'linux','Services':[{'Proto':'tcp','Port':22}]}") "," PEER("-2",
	"2", "22", ",'Online':true") "," PEER("9007199254740993", "9", "99",
	",'CapMap':{'x':[{'a':1.0e2}]}") "],"
					 "'DNSConfig':{'Proxied':true},'DERPMap':{'Regions':{'1':{'RegionID':1,'"
					 "Latitude':-1.50}}},"
					 "'PacketFilter':[{'SrcIPs':['*'],'DstPorts':[{'IP':'*','Ports':{'First':22,'"
					 "Last':22}}]}],'UserProfiles':[{'ID':10,'LoginName':'u@e'}],'Domain':'e.com',"
					 "'SSHPolicy':{'rules':[]},'CollectServices':false,'Health':['h\\u00e9'],'"
					 "DisplayMessages':{'m':{'Title':'t'}},'TKAInfo':{'Head':'H'},"
					 "'ControlTime':'2027-01-15T08:00:00Z','DomainDataPlaneAuditLogID':'aud'}";

/* rows: MAP-04 */
static void
test_full(void **state)
{
	struct map_test *m = mt_new();
	struct ipc_self self;

	(void)state;
	assert_null(mt_dump(m));
	assert_int_equal(netmap_source(m->nm), IPC_SRC_NONE);
	mt_ok(m, everything);
	assert_int_equal(m->ch.full, 1);
	assert_int_equal(m->ch.self_changed, 1);
	assert_int_equal(netmap_source(m->nm), IPC_SRC_LIVE);
	assert_int_equal(netmap_peers(m->nm), 3);
	assert_int_equal(netmap_online(m->nm), 1);
	mt_ids(m, "-2 30 9007199254740993");
	mt_expect(m, "",
	    "{'v':1,'Seq':1,'Source':'live','ReceivedAt':'2027-01-15T08:00:00Z','NodeKey':'" SELF_KEY
	    "','MachineKey':'" MKEY_OF(
		"22") "','Expiry':'',"
		      "'SelfNode':{'ID':1,'StableID':'self','Name':'me.tail1.ts.net.','User':10,'Key':'" SELF_KEY
		      "','Addresses':['100.64.0.1/32'],'AllowedIPs':['100.64.0.1/32']},"
		      "'Peers':[" PEER("-2", "2", "22", ",'Online':true") "," PEER("30", "30", "33",
			  ",'Endpoints':['192.0.2.1:1'],'Hostinfo':{'OS':'linux','Services':[{'Proto':'tcp','Port':22}]"
			  "}") "," PEER("9007199254740993", "9", "99",
			  ",'CapMap':{'x':[{'a':1.0e2}]}") "],"
							   "'DNS':{'Proxied':true},'DERPMap':{'Regions':{'1':{'"
							   "RegionID':1,'Latitude':-1.50}}},"
							   "'PacketFilterRules':[{'SrcIPs':['*'],'DstPorts':[{'IP':'*',"
							   "'Ports':{'First':22,'Last':22}}]}],"
							   "'EffectiveFilter':{'DenyAll':false,'Reason':'','Rules':[{"
							   "'SrcIPs':['*'],'DstPorts':[{'IP':'*','Ports':{'First':22,"
							   "'Last':22}}],'IPProto':[6,17,1,58]}]},'UserProfiles':{'10':"
							   "{'"
							   "ID':10,'LoginName':'u@e'}},"
							   "'Domain':'e.com','DomainAuditLogID':'aud','SSHPolicy':{'"
							   "rules':[]},'CollectServices':false,'Health':['h\\u00e9'],'"
							   "DisplayMessages':{'m':{'Title':'t'}},"
							   "'TKAInfo':{'Head':'H'},'ControlTime':'2027-01-15T08:00:00Z'"
							   ",'ClientVersion':null,'DefaultAutoUpdate':null}");
	assert_int_equal(netmap_self(m->nm, &self), 1);
	assert_int_equal(self.id, 1);
	assert_int_equal(self.user_id, 10);
	assert_int_equal(self.naddrs, 1);
	assert_int_equal(self.addrs[0].bits, 32);
	assert_int_equal(self.key_expiry, TIME_GO_ZERO);
	assert_int_equal(self.name_len, strlen("me.tail1.ts.net."));
	assert_memory_equal(self.login_name, "u@e", 3);
	mt_free(m);
}

/* rows: MAP-03 */
static void
test_first_needs_node(void **state)
{
	static const struct pubkey key = { { 7 } };
	struct map_test *m = mt_new();

	(void)state;
	assert_int_equal(mt_msg(m, "{'KeepAlive':true}"), 0);
	mt_refused(m, "{'PeersChanged':[" PEER("2", "2", "22", "") "]}", "has no Node");
	mt_refused(m, "{}", "has no Node");
	mt_refused(m, "{'Node':null}", "has no Node");
	assert_int_equal(netmap_source(m->nm), IPC_SRC_NONE);
	assert_int_equal(mt_msg(m, "{'KeepAlive':true," NODE_SELF "}"), 0);
	assert_null(mt_dump(m));
	mt_ok(m, "{" NODE_SELF "}");
	/* a new stream needs it again; the present map stays, stale */
	mt_session(m);
	assert_int_equal(netmap_source(m->nm), IPC_SRC_STALE);
	mt_refused(m, "{'Domain':'x'}", "has no Node");
	mt_expect(m, "Source", "'stale'");
	/* the same when a stream begins while the one before has not ended */
	mt_ok(m, "{" NODE_SELF "}");
	mt_expect(m, "Source", "'live'");
	netmap_session_begin(m->nm, &key, &key);
	mt_expect(m, "Source", "'stale'");
	mt_refused(m, "{'Domain':'x'}", "has no Node");
	mt_free(m);
}

/* rows: MAP-06 */
static void
test_new_stream(void **state)
{
	struct map_test *m = mt_new();
	uint64_t seq;

	(void)state;
	mt_ok(m, everything);
	seq = netmap_seq(m->nm);
	mt_session(m);
	/* the whole map is kept, and becoming stale is no change of the map */
	mt_ids(m, "-2 30 9007199254740993");
	mt_expect(m, "Source", "'stale'");
	mt_expect(m, "Domain", "'e.com'");
	assert_true(netmap_seq(m->nm) == seq);
	assert_int_equal(mt_msg(m,
			     "{'KeepAlive':true,'ClientVersion':{'Notify':true},'ControlTime':'2027-01-15T08:00:30Z'}"),
	    0);
	mt_expect(m, "Source", "'stale'");
	mt_expect(m, "ClientVersion", "null");
	mt_expect(m, "ControlTime", "'2027-01-15T08:00:00Z'");
	/* no part of it leaks into the new one */
	mt_ok(m, "{" NODE_SELF ",'PeersChanged':[" PEER("7", "7", "77", "") "],'OnlineChange':{'30':true,'7':true}}");
	assert_int_equal(m->ch.full, 1);
	mt_expect(m, "",
	    "{'v':1,'Seq':2,'Source':'live','ReceivedAt':'2027-01-15T08:00:00Z','NodeKey':'" SELF_KEY
	    "','MachineKey':'" MKEY_OF(
		"22") "','Expiry':'',"
		      "'SelfNode':{'ID':1,'StableID':'self','Name':'me.tail1.ts.net.','User':10,'Key':'" SELF_KEY
		      "','Addresses':['100.64.0.1/32'],'AllowedIPs':['100.64.0.1/32']},"
		      "'Peers':[" PEER("7", "7", "77",
			  ",'Online':true") "],'DNS':{},'DERPMap':null,'PacketFilterRules':[],'EffectiveFilter':{'"
					    "DenyAll':true,'Reason':'no rules','Rules':[]},'UserProfiles':{},'"
					    "Domain':'','DomainAuditLogID':'',"
					    "'SSHPolicy':null,'CollectServices':null,'Health':[],'DisplayMessages':{},'"
					    "TKAInfo':null,'ControlTime':'','ClientVersion':null,'DefaultAutoUpdate':"
					    "null}");
	/* logged out: nothing is left, the numbers go on */
	netmap_session_end(m->nm);
	netmap_drop(m->nm);
	assert_null(mt_dump(m));
	assert_int_equal(netmap_peers(m->nm), 0);
	assert_int_equal(netmap_source(m->nm), IPC_SRC_NONE);
	mt_session(m);
	netmap_seq_base(m->nm, 1);
	mt_ok(m, "{" NODE_SELF "}");
	assert_true(netmap_seq(m->nm) == 3);
	netmap_seq_base(m->nm, 100);
	mt_ok(m, "{'Domain':'x'}");
	assert_true(netmap_seq(m->nm) == 101);
	mt_free(m);
}

/* Deltas in the first message of a stream find what it has itself (protocol.md E.6). */
/* rows: MAP-06 DEL-14 */
static void
test_first_message_of_deltas(void **state)
{
	static const char *const more[][3] = { { "'OnlineChange':{'7':true}", "Online", "true" },
		{ "'PeerSeenChange':{'7':true}", "LastSeen", "'2027-01-15T08:00:00Z'" },
		{ "'PeersChangedPatch':[{'NodeID':7,'DERPRegion':9}]", "HomeDERP", "9" },
		{ "'PeersRemoved':[7]", "Name", "'p7.tail1.ts.net.'" } };
	struct map_test *m = mt_new();
	char text[900];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		mt_session(m);
		snprintf(text, sizeof(text), "{%s,'PeersChanged':[%s,%s]," NODE_SELF "}", more[i][0],
		    PEER("7", "7", "77", ""), PEER("-8", "8", "88", ""));
		mt_ok(m, text);
		assert_int_equal(m->ch.full, 1);
		mt_ids(m, "-8 7");
		mt_peer(m, 7, more[i][1], more[i][2]);
	}
	mt_free(m);
}

/* A stream that ends in the middle of a message leaves nothing behind that could be applied later. */
static void
test_stream_ends_in_a_message(void **state)
{
	struct map_test *m = mt_new();
	char *text = mt_quotes("{'PeersChanged':[" PEER("5", "5", "55", "") "]}"), *first = mt_quotes(everything);
	struct netmap_change ch;
	size_t i, n = strlen(text);

	(void)state;
	for (i = 0; i <= n; i++) {
		assert_int_equal(mt_raw(m, first, strlen(first), SIZE_MAX), 1);
		ingest_begin(m->g);
		assert_int_equal(ingest_data(m->g, text, i), 0);
		if (i == n)
			assert_int_equal(ingest_end(m->g), 0);
		netmap_session_end(m->nm);
		if (i % 2)
			netmap_drop(m->nm);
		mt_session(m);
		if (i < n && ingest_data(m->g, text + i, n - i) == 0)
			assert_int_equal(ingest_end(m->g), 0);
		assert_int_equal(ingest_apply(m->g, m->now, &ch), -1);
		ingest_discard(m->g);
	}
	free(text);
	free(first);
	mt_free(m);
}

/* rows: MAP-02 */
static void
test_cut_anywhere(void **state)
{
	char *text = mt_quotes(everything), *whole, *have;
	size_t n = strlen(text), i;
	struct map_test *m = mt_new();

	(void)state;
	assert_int_equal(mt_raw(m, text, n, SIZE_MAX), 1);
	whole = mt_dump(m);
	mt_free(m);
	for (i = 1; i < n; i++) {
		m = mt_new();
		ingest_begin(m->g);
		assert_int_equal(ingest_data(m->g, text, i), 0);
		assert_int_equal(ingest_data(m->g, text + i, n - i), 0);
		assert_int_equal(ingest_end(m->g), 0);
		assert_int_equal(ingest_apply(m->g, m->now, &m->ch), 1);
		have = mt_dump(m);
		assert_string_equal(have, whole);
		free(have);
		mt_free(m);
	}
	for (i = 1; i < 20; i++) {
		m = mt_new();
		assert_int_equal(mt_raw(m, text, n, i), 1);
		have = mt_dump(m);
		assert_string_equal(have, whole);
		free(have);
		mt_free(m);
	}
	/* cut off: never taken, never more than "not all there" */
	m = mt_new();
	for (i = 0; i < n; i++) {
		ingest_begin(m->g);
		assert_int_equal(ingest_data(m->g, text, i), 0);
		assert_int_equal(ingest_end(m->g), -1);
		assert_non_null(strstr(ingest_error(m->g), "too early"));
	}
	mt_free(m);
	free(whole);
	free(text);
}

/* Text made of a head, n times the same part with commas, and a tail; '%' in the part becomes the number. */
static char *
repeated(const char *head, const char *part, size_t n, const char *tail, size_t *len)
{
	char *text = malloc(strlen(head) + n * (strlen(part) + 24) + strlen(tail) + 1), *p = text, *q;
	size_t i;

	assert_non_null(text);
	p += sprintf(p, "%s", head);
	for (i = 0; i < n; i++) {
		if (i > 0)
			*p++ = ',';
		q = strchr(part, '%');
		if (q == NULL)
			p += sprintf(p, "%s", part);
		else
			p += sprintf(p, "%.*s%zu%s", (int)(q - part), part, i + 1, q + 1);
	}
	p += sprintf(p, "%s", tail);
	*len = (size_t)(p - text);
	for (q = text; q < p; q++)
		*q = *q == '\'' ? '"' : *q;
	return text;
}

static int
feed(struct map_test *m, const char *head, const char *part, size_t n, const char *tail)
{
	size_t len;
	char *text = repeated(head, part, n, tail, &len);
	int r = mt_raw(m, text, len, 60000);

	free(text);
	return r;
}

static size_t
count(struct map_test *m, int64_t id, unsigned member)
{
	const uint8_t *v = node_get(peers_find(m->nm->cur->peers, id), member);

	return v == NULL ? 0 : pk_count(v);
}

/* security.md D15 */
static void
test_limits(void **state)
{
	struct map_test *m = mt_new();
	char nested[200];
	int i;

	(void)state;
	mt_ok(m, "{" NODE_SELF "}");
	/* depth 32: the message and an unknown member of 31 */
	for (i = 31; i <= 32; i++) {
		snprintf(nested, sizeof(nested), "{'x':%.*s%.*s}", i, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", i,
		    "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
		if (i == 31)
			mt_same(m, nested);
		else
			mt_refused(m, nested, "nested too deeply");
	}
	for (i = 29; i <= 30; i++) {
		snprintf(nested, sizeof(nested), "{'PeersChanged':[{'ID':3,'x':%.*s%.*s}]}", i,
		    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", i, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
		if (i == 29)
			mt_ok(m, nested);
		else
			mt_refused(m, nested, "nested too deeply");
	}
	/* too much of something costs the surplus, not the message */
	assert_int_equal(feed(m, "{'PeersChanged':[{'ID':4,'AllowedIPs':[", "'10.0.0.0/32'", 1500, "]}]}"), 1);
	assert_int_equal(count(m, 4, NM_AllowedIPs), 1024);
	assert_true(ingest_dropped(m->g) > 0);
	assert_int_equal(feed(m, "{'PeersChanged':[{'ID':4,'Endpoints':[", "'192.0.2.1:%'", 65, "]}]}"), 1);
	assert_int_equal(count(m, 4, NM_Endpoints), 64);
	assert_true(ingest_dropped(m->g) > 0);
	mt_ok(m, "{'PeersChanged':[{'ID':5}]}");
	assert_int_equal(ingest_dropped(m->g), 0); /* a message at a time */
	assert_int_equal(feed(m, "{'PeersChanged':[{'ID':4,'CapMap':{'small':[1],'large':[", "'0123456789abcdef'", 5000,
			     "]}}]}"),
	    1);
	mt_peer(m, 4, "CapMap", "{'small':[1]}");
	assert_true(ingest_dropped(m->g) > 0);
	assert_int_equal(feed(m, "{'DNSConfig':{'Routes':{", "'r%':[]", 5000, "}}}"), 1);
	assert_int_equal(pk_count(pk_get(m->nm->cur->field[NF_DNSConfig]->p, NM_Routes)), 4096);
	assert_true(ingest_dropped(m->g) > 0 && !ingest_over_limit(m->g));
	/* these end the stream */
	assert_int_equal(feed(m, "{'x':[", "{}", (1u << 22) - 1, "]}"), 0);
	assert_int_equal(feed(m, "{'x':[", "{}", 1u << 22, "]}"), REFUSED);
	assert_non_null(strstr(ingest_error(m->g), "too many values"));
	assert_true(ingest_over_limit(m->g));
	mt_refused(m, "{'PeersChanged':[{'ID':true}]}", "");
	assert_false(ingest_over_limit(m->g));
	assert_int_equal(feed(m, "{'x':[", "'0123456789012345678901234567890123456789012345678901234567890123456789'",
			     250000, "]}"),
	    REFUSED);
	assert_non_null(strstr(ingest_error(m->g), "too large"));
	assert_true(ingest_over_limit(m->g));
	ingest_limits(m->g)->max_peers = 100;
	assert_int_equal(feed(m, "{'Peers':[", "{'ID':%}", 101, "]}"), REFUSED);
	assert_non_null(strstr(ingest_error(m->g), "too many peers"));
	assert_int_equal(feed(m, "{'Peers':[", "{'ID':%}", 100, "]}"), 1);
	mt_refused(m, "{'PeersChanged':[{'ID':1000}]}", "too many peers");
	assert_true(ingest_over_limit(m->g));
	mt_ok(m, "{'PeersChanged':[{'ID':1000}],'PeersRemoved':[1]}");
	mt_ok(m, "{'PeersChanged':[{'ID':1000,'User':4}]}");
	assert_int_equal(netmap_peers(m->nm), 100);
	mt_free(m);
}

#define ROOM 200000

/* Entries of 10 KB, one message each, until one is refused: their number. */
static size_t
grow(struct map_test *m, const char *before, const char *after, const char *tail, size_t at_most)
{
	char text[100];
	size_t n;

	for (n = 1; n <= at_most; n++) {
		snprintf(text, sizeof(text), "%s%zu%s", before, n, after);
		if (feed(m, text, "'0123456'", 1000, tail) == REFUSED)
			break;
	}
	return n - 1;
}

/* security.md D15: the sum of what many messages add is bounded, for each kind. */
/* rows: MAP-09 */
static void
test_the_map_as_a_whole(void **state)
{
	static const struct {
		const char *before, *after, *tail, *gone;
	} t[] = {
		{ "{'PeersChanged':[{'ID':", ",'x':[", "]}]}", "{'PeersRemoved':[1]}" },
		{ "{'UserProfiles':[{'ID':", ",'Groups':[", "]}]}", NULL },
		{ "{'PacketFilters':{'chunk", "':[{'SrcIPs':[", "]}]}}", "{'PacketFilters':{'chunk1':null}}" },
		{ "{'DisplayMessages':{'message", "':{'Title':'x','y':[", "]}}}",
		    "{'DisplayMessages':{'message1':null}}" },
	};
	struct snapshot s = { NULL, 0, 0 };
	size_t n, i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct map_test *m = mt_new();

		ingest_limits(m->g)->max_bytes = ROOM;
		mt_ok(m, "{" NODE_SELF "}");
		n = grow(m, t[i].before, t[i].after, t[i].tail, 1000);
		assert_in_range(n, ROOM / 12000, ROOM / 7000);
		assert_string_equal(ingest_error(m->g), "the map exceeds the memory limit");
		assert_true(ingest_over_limit(m->g));
		/* The same entries again are no more than before, also while a reader keeps what they replace. */
		assert_int_equal(snapshot_take(m->nm->cur, &s), 0);
		for (int again = 0; again < 3; again++)
			assert_int_equal(grow(m, t[i].before, t[i].after, t[i].tail, n), n);
		snapshot_release(&s);
		if (t[i].gone != NULL) {
			mt_ok(m, t[i].gone);
			assert_int_equal(grow(m, t[i].before, t[i].after, t[i].tail, 1), 1);
		}
		mt_session(m); /* and the next stream begins with nothing */
		mt_ok(m, "{" NODE_SELF "}");
		assert_int_equal(grow(m, t[i].before, t[i].after, t[i].tail, n), n);
		mt_free(m);
	}
}

/*
 * A server that gives every peer the same key, address and name costs no more than one that does not, and no peer
 * is lost.
 */
static void
test_duplicates(void **state)
{
	struct map_test *m = mt_new();
	struct peers *p;

	(void)state;
	assert_int_equal(feed(m, "{'Node':{'ID':1,'Name':'me.t.'},'Peers':[",
			     "{'ID':%,'Name':'dup.t.','Key':'" KEY_OF(
				 "22") "','Addresses':['100.64.1.1/32','100.64.1.1/32']}",
			     20000, "]}"),
	    1);
	p = m->nm->cur->peers;
	assert_int_equal(p->bykey.n, 1);
	assert_int_equal(p->byaddr.n, 1);
	assert_int_equal(p->byname.n, 1);
	assert_int_equal(p->duplicates_key, 19999);
	assert_int_equal(p->duplicates_addr, 39999);
	assert_int_equal(mt_by_name(p, "dup", "t")->r.id, 1);
	mt_ok(m, "{'PeersRemoved':[1]}");
	assert_int_equal(mt_by_name(p, "DUP.t.", "")->r.id, 2);
	assert_non_null(mt_by_addr(p, (const uint8_t[16]){ 100, 64, 1, 1 }, 4));
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':5,'Key':'" KEY_OF("55") "'}]}");
	assert_int_equal(p->bykey.n, 1);
	assert_int_equal(feed(m, "{'PeersRemoved':[", "%", 19999, "]}"), 1);
	assert_int_equal(p->duplicates_key, 1); /* 20000: none entered the index when its holder was removed */
	assert_int_equal(p->duplicates_addr, 2);
	assert_int_equal(p->duplicates_name, 1);
	assert_int_equal(mt_by_name(p, "dup.t", "")->r.id, 20000);
	mt_ok(m, "{'PeersRemoved':[20000]}");
	assert_int_equal(p->bykey.n + p->byaddr.n + p->byname.n + p->duplicates_addr, 0);
	mt_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_first_needs_node),
		cmocka_unit_test(test_new_stream),
		cmocka_unit_test(test_first_message_of_deltas),
		cmocka_unit_test(test_stream_ends_in_a_message),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_the_map_as_a_whole),
		cmocka_unit_test(test_duplicates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
