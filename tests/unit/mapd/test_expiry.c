/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "timefmt.h"
#include "unit.h"
#include "util_map.h"

#define T0         1800000000 /* 2027-01-15T08:00:00Z */
#define EXPIRES(t) ",'KeyExpiry':'" t "','Endpoints':['192.0.2.1:1'],'HomeDERP':4,'DiscoKey':'" DISCO_OF("dd") "'"
#define SPOILT     "nodekey:6da774d5d7742222222222222222222222222222222222222222222222222222"

static struct wtime
at(int64_t sec)
{
	return (struct wtime){ sec, 0 };
}

/* rows: EXP-08 */
static void
test_peer_expires(void **state)
{
	struct map_test *m = mt_new();
	struct netmap_change ch;
	uint8_t key[KEY_LEN];

	(void)state;
	memset(key, 0x22, sizeof(key));
	mt_ok(m,
	    "{" NODE_SELF ",'Peers':[" PEER("2", "2", "22", EXPIRES("2027-01-15T08:01:00Z")) "," PEER("3", "3", "33",
		EXPIRES("2027-01-15T09:00:00Z")) "," PEER("4", "4", "44", EXPIRES("0001-01-01T00:00:00Z")) "," PEER("5",
		"5", "55", "") "," PEER("6", "6", "66", EXPIRES("2027-01-15T07:00:00Z")) "]}");
	/* one that is expired when it is received is marked at once */
	mt_peer(m, 6, "Expired", "true");
	mt_peer(m, 6, "Endpoints", NULL);
	mt_peer(m, 2, "Expired", NULL);
	mt_peer(m, 2, "Endpoints", "['192.0.2.1:1']");
	assert_int_equal(netmap_next_expiry(m->nm, at(T0)), T0 + 60 + 10);
	assert_int_equal(netmap_expire(m->nm, at(T0 + 59), &ch), 0);
	assert_int_equal(netmap_expire(m->nm, at(T0 + 70), &ch), 1);
	assert_int_equal(ch.nchanged, 1);
	assert_int_equal(ch.changed[0], 2);
	assert_int_equal(ch.nremoved + (size_t)ch.full, 0);
	assert_true(ch.seq == 2 && netmap_seq(m->nm) == 2);
	mt_peer(m, 2, "Expired", "true");
	mt_peer(m, 2, "Endpoints", NULL);
	mt_peer(m, 2, "HomeDERP", NULL);
	mt_peer(m, 2, "Key", "'" SPOILT "'");
	mt_peer(m, 2, "KeyExpiry", "'2027-01-15T08:01:00Z'");
	mt_peer(m, 3, "Expired", NULL);
	/* it is found by its own key and by the one that is shown */
	assert_int_equal(mt_by_key(m->nm->cur->peers, key)->r.id, 2);
	memcpy(key, "\x6d\xa7\x74\xd5\xd7\x74", 6);
	assert_int_equal(mt_by_key(m->nm->cur->peers, key)->r.id, 2);
	assert_int_equal(netmap_expire(m->nm, at(T0 + 71), &ch), 0);
	assert_int_equal(netmap_next_expiry(m->nm, at(T0 + 71)), T0 + 3600 + 10);
	/* a later expiry removes the mark and restores all that was hidden */
	m->now = at(T0 + 71);
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':2,'KeyExpiry':'2027-01-15T08:30:00Z'}]}");
	mt_change(m, "2", "", 0);
	mt_peer(m, 2, "Expired", NULL);
	mt_peer(m, 2, "Endpoints", "['192.0.2.1:1']");
	mt_peer(m, 2, "HomeDERP", "4");
	mt_peer(m, 2, "Key", "'" KEY_OF("22") "'");
	assert_int_equal(netmap_next_expiry(m->nm, at(T0 + 71)), T0 + 1800 + 10);
	/* a mark survives other changes; the server's own is not ours to take back */
	m->now = at(T0 + 4000);
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':3,'Endpoints':['192.0.2.9:9']}],'OnlineChange':{'2':true}}");
	mt_peer(m, 3, "Expired", "true");
	mt_peer(m, 3, "Endpoints", NULL);
	mt_peer(m, 2, "Expired", "true");
	mt_ok(m, "{'PeersChanged':[" PEER("5", "5", "55", ",'Expired':true,'Endpoints':['192.0.2.5:5']") "]}");
	mt_ok(m, "{'PeersChangedPatch':[{'NodeID':5,'KeyExpiry':'2040-01-01T00:00:00Z'}]}");
	mt_peer(m, 5, "Expired", "true");
	mt_peer(m, 5, "Endpoints", "['192.0.2.5:5']");
	assert_int_equal(netmap_next_expiry(m->nm, at(T0 + 4000)) > T0 + 4000, 1);
	mt_free(m);
}

/* rows: EXP-08 */
static void
test_expired_self(void **state)
{
	struct map_test *m = mt_new();
	struct ipc_self self;

	(void)state;
	mt_ok(m,
	    "{'Node':{'ID':1,'Key':'" SELF_KEY
	    "','Addresses':[],'Expired':true,'MachineAuthorized':false,'KeyExpiry':'2026-01-01T00:00:00Z'}}");
	assert_int_equal(netmap_self(m->nm, &self), 1);
	assert_int_equal(self.expired, 1);
	assert_int_equal(self.machine_authorized, 0);
	assert_int_equal(self.key_expiry, 1767225600);
	mt_expect(m, "Expiry", "'2026-01-01T00:00:00Z'");
	mt_expect(m, "SelfNode.Expired", "true");
	/* the zero time is never, not long ago */
	mt_ok(m,
	    "{'Node':{'ID':1,'Key':'" SELF_KEY
	    "','Addresses':[],'KeyExpiry':'0001-01-01T00:00:00Z','MachineAuthorized':true}}");
	assert_int_equal(netmap_self(m->nm, &self), 1);
	assert_int_equal(self.expired, 0);
	assert_int_equal(self.machine_authorized, 1);
	assert_true(self.key_expiry == TIME_GO_ZERO);
	mt_expect(m, "Expiry", "''");
	mt_free(m);
}

/* rows: EXP-06 */
static void
test_server_clock(void **state)
{
	struct map_test *m = mt_new();
	struct netmap_change ch;

	(void)state;
	mt_ok(m,
	    "{" NODE_SELF ",'ControlTime':'2027-01-15T08:00:59Z','Peers':[" PEER("2", "2", "22",
		EXPIRES("2027-01-15T08:30:00Z")) "]}");
	assert_int_equal(netmap_clock_delta(m->nm), 0);
	/* off by an hour: it is later than we think */
	assert_int_equal(mt_msg(m, "{'KeepAlive':true,'ControlTime':'2027-01-15T09:00:00Z'}"), 0);
	assert_int_equal(netmap_clock_delta(m->nm), 3600);
	assert_int_equal(netmap_next_expiry(m->nm, at(T0)), T0); /* look at once */
	assert_int_equal(netmap_expire(m->nm, at(T0), &ch), 1);
	mt_peer(m, 2, "Expired", "true");
	/* back again, and the mark goes */
	assert_false(netmap_expiry_due(m->nm, at(T0)));
	assert_int_equal(mt_msg(m, "{'ControlTime':'2027-01-15T08:00:00Z'}"), 0);
	assert_int_equal(netmap_clock_delta(m->nm), 0);
	assert_true(netmap_expiry_due(m->nm, at(T0)));
	assert_int_equal(netmap_expire(m->nm, at(T0), &ch), 1);
	mt_peer(m, 2, "Expired", NULL);
	/* the clock of a server in the year 2020 (testcontrol's) expires no peer, whatever the key expiry */
	mt_ok(m,
	    "{'ControlTime':'2020-08-03T00:00:00Z','PeersChanged':[" PEER("3", "3", "33",
		EXPIRES("2019-01-01T00:00:00Z")) "]}");
	mt_peer(m, 3, "Expired", NULL);
	assert_int_equal(netmap_expire(m->nm, at(T0), &ch), 0);
	/* past already by the local clock: try again in half a minute, not at once and not never */
	assert_int_equal(netmap_next_expiry(m->nm, at(T0)) >= T0 + 30, 1);
	/* absurd clocks overflow nothing */
	assert_int_equal(mt_msg(m, "{'ControlTime':'9999-12-31T23:59:59Z'}"), 0);
	assert_int_equal(netmap_expire(m->nm, at(T0), &ch), 1);
	mt_peer(m, 2, "Expired", "true");
	(void)netmap_next_expiry(m->nm, at(T0));
	mt_free(m);
}

/* rows: EXP-06 MAP-06 */
static void
test_clock_and_streams(void **state)
{
	struct map_test *m = mt_new();
	struct netmap_change ch;

	(void)state;
	mt_ok(m,
	    "{" NODE_SELF ",'ControlTime':'2027-01-15T09:00:00Z','Peers':[" PEER("2", "2", "22",
		EXPIRES("2027-01-15T08:30:00Z")) "]}");
	mt_peer(m, 2, "Expired", "true");
	mt_ok(m, "{'PeersChanged':[" PEER("3", "3", "33", EXPIRES("2027-01-15T10:00:00Z")) "]}");
	assert_int_equal(netmap_next_expiry(m->nm, at(T0)), T0 + 3600 + 10); /* by the local clock */
	/* while the old map is shown it is judged by the clock of its own server, for any time without that server */
	mt_session(m);
	mt_session(m);
	assert_int_equal(netmap_clock_delta(m->nm), 3600);
	assert_int_equal(netmap_expire(m->nm, at(T0 + 30), &ch), 0);
	mt_peer(m, 2, "Expired", "true");
	/* a new stream starts with no correction but that of its own keep-alives */
	assert_int_equal(mt_msg(m, "{'KeepAlive':true,'ControlTime':'2027-01-15T10:00:00Z'}"), 0);
	mt_ok(m, "{" NODE_SELF "}");
	assert_int_equal(netmap_clock_delta(m->nm), 7200);
	mt_session(m);
	assert_int_equal(mt_msg(m, "{'KeepAlive':true}"), 0);
	assert_int_equal(netmap_clock_delta(m->nm), 7200);
	mt_ok(m, "{" NODE_SELF ",'Peers':[" PEER("2", "2", "22", EXPIRES("2027-01-15T08:30:00Z")) "]}");
	assert_int_equal(netmap_clock_delta(m->nm), 0);
	mt_peer(m, 2, "Expired", NULL);
	mt_free(m);
}

/* rows: EXP-08 ERR-06 */
static void
test_what_there_is_to_look_at(void **state)
{
	struct map_test *m = mt_new();
	struct netmap_change ch;

	(void)state;
	mt_ok(m, "{" NODE_SELF ",'Peers':[" PEER("2", "2", "22", "") "]}");
	assert_true(netmap_next_expiry(m->nm, at(T0)) == INT64_MAX);
	assert_false(netmap_expiry_due(m->nm, at(T0)));
	mt_ok(m, "{'PeersChanged':[" PEER("2", "2", "22", EXPIRES("2027-01-15T08:30:00Z")) "]}");
	assert_false(netmap_expiry_due(m->nm, at(T0 + 1799)));
	assert_true(netmap_expiry_due(m->nm, at(T0 + 1800)));
	assert_int_equal(netmap_expire(m->nm, at(T0 + 1800), &ch), 1);
	mt_peer(m, 2, "Expired", "true");
	assert_false(netmap_expiry_due(m->nm, at(T0 + 1801)));
	/* all are marked: still worth a look, for the clock may be set back */
	assert_int_equal(netmap_next_expiry(m->nm, at(T0 + 1801)), T0 + 1801 + 30);
	netmap_clock_set(m->nm);
	assert_true(netmap_expiry_due(m->nm, at(T0)));
	assert_int_equal(netmap_expire(m->nm, at(T0), &ch), 1);
	mt_peer(m, 2, "Expired", NULL);
	assert_false(netmap_expiry_due(m->nm, at(T0)));
	assert_int_equal(netmap_next_expiry(m->nm, at(T0)), T0 + 1800 + 10);
	assert_int_equal(netmap_expire(m->nm, at(T0 + 1800), &ch), 1);
	mt_ok(m, "{'PeersRemoved':[2]}");
	assert_true(netmap_next_expiry(m->nm, at(T0)) == INT64_MAX);
	mt_free(m);
}

/* rows: ERR-06 EXP-06 */
static void
test_local_clock_is_set(void **state)
{
	struct map_test *m = mt_new();
	struct netmap_change ch;

	(void)state;
	m->now = at(T0 - 7200); /* two hours late */
	mt_ok(m,
	    "{" NODE_SELF ",'ControlTime':'2027-01-15T08:00:00Z','Peers':[" PEER("2", "2", "22",
		EXPIRES("2027-01-15T08:30:00Z")) "]}");
	assert_int_equal(netmap_clock_delta(m->nm), 7200);
	mt_peer(m, 2, "Expired", NULL);
	netmap_clock_set(m->nm);
	assert_int_equal(netmap_clock_delta(m->nm), 0);
	assert_int_equal(netmap_next_expiry(m->nm, at(T0)), T0); /* look at once */
	assert_int_equal(netmap_expire(m->nm, at(T0), &ch), 0);
	mt_peer(m, 2, "Expired", NULL);
	assert_int_equal(netmap_expire(m->nm, at(T0 + 1900), &ch), 1);
	mt_peer(m, 2, "Expired", "true");
	mt_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peer_expires),
		cmocka_unit_test(test_expired_self),
		cmocka_unit_test(test_server_clock),
		cmocka_unit_test(test_clock_and_streams),
		cmocka_unit_test(test_what_there_is_to_look_at),
		cmocka_unit_test(test_local_clock_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
