/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util_query.h"

static void
expect_answer(struct fixture *f, enum ipc_query_verb verb, const char *args, const char *want)
{
	char *s = answer(f, verb, args), *w = mt_quotes(want);

	if (strstr(s, w) == NULL)
		fail_msg("%s: no %s in %s", args, w, s);
	free(s);
	free(w);
}

static int
count_of(const char *s, const char *what)
{
	int n = 0;

	for (; (s = strstr(s, what)) != NULL; s++)
		n++;
	return n;
}

/* The end of a whole text, which one that was cut off does not have (interface.md 3). */
static void
test_texts_end(void **state)
{
	struct fixture *f = fixture("{" NODE_SELF ",'Peers':[" PEER("2", "2", "22", ",'HomeDERP':1") "," PEER("3", "3",
	    "33", "") "," PEER("4", "4", "44", ",'HomeDERP':2") "]}");
	char *s;

	(void)state;
	s = answer(f, IPC_Q_wgconf, "");
	assert_non_null(strstr(s, "\n# end: 2 peers, netmapSeq 1\n"));
	assert_int_equal(count_of(s, "\n[Peer]\n"), 2);
	free(s);
	s = answer(f, IPC_Q_hosts, ""); /* and the own node's line, which is no peer's */
	assert_non_null(strstr(s, "\n# end: 3 peers, netmapSeq 1\n"));
	assert_int_equal(count_of(s, "\n"), 5);
	free(s);
	fixture_free(f);
}

static void
test_no_netmap(void **state)
{
	struct fixture *f = fixture(NULL);

	(void)state;
	expect_answer(f, IPC_Q_netmap, "", "{'error':{'code':'no-netmap'");
	expect_answer(f, IPC_Q_peers, "", "{'error':{'code':'no-netmap'");
	expect_answer(f, IPC_Q_peer, "x", "{'error':{'code':'no-netmap'");
	expect_answer(f, IPC_Q_wgconf, "", "{'error':{'code':'no-netmap'");
	expect_answer(f, IPC_Q_hosts, "", "{'error':{'code':'no-netmap'");
	fixture_free(f);
}

static void
test_answers(void **state)
{
	struct fixture *f = fixture(TWO);
	char *s, *want;

	(void)state;
	s = answer(f, IPC_Q_netmap, "");
	want = mt_dump(f->m);
	assert_int_equal(strlen(s), strlen(want) + 1);
	assert_memory_equal(s, want, strlen(want));
	assert_int_equal(s[strlen(want)], '\n');
	free(s);
	free(want);
	s = answer(f, IPC_Q_peers, "");
	want = mt_peers(f->m);
	assert_memory_equal(s, want, strlen(want));
	assert_string_equal(s + strlen(want), "{\"end\":{\"count\":3,\"netmapSeq\":1}}\n");
	free(s);
	free(want);
	s = answer(f, IPC_Q_peers, "limit=1 after=-4\r");
	assert_non_null(strstr(s, "{\"ID\":2,"));
	assert_null(strstr(s, "{\"ID\":30,"));
	assert_non_null(strstr(s, "\n{\"end\":{\"count\":1,\"netmapSeq\":1}}\n"));
	free(s);
	s = answer(f, IPC_Q_peers, "after=30");
	assert_string_equal(s, "{\"end\":{\"count\":0,\"netmapSeq\":1}}\n");
	free(s);
	s = answer(f, IPC_Q_peers, "limit=0");
	assert_string_equal(s, "{\"end\":{\"count\":0,\"netmapSeq\":1}}\n");
	free(s);
	expect_answer(f, IPC_Q_peers, "limit=-1", "'code':'usage'");
	expect_answer(f, IPC_Q_peers, "limit=1 limit=2", "'code':'usage'");
	expect_answer(f, IPC_Q_peers, "after=x", "'code':'usage'");
	expect_answer(f, IPC_Q_peers, "3", "'code':'usage'");
	expect_answer(f, IPC_Q_peer, "p30.tail1.ts.net.", "{'ID':30,");
	expect_answer(f, IPC_Q_peer, "P30.TAIL1.ts.net", "{'ID':30,");
	expect_answer(f, IPC_Q_peer, "p30", "{'ID':30,");
	expect_answer(f, IPC_Q_peer, "100.64.1.3", "{'ID':30,");
	expect_answer(f, IPC_Q_peer, "30", "{'ID':30,");
	expect_answer(f, IPC_Q_peer, "-4", "{'ID':-4,");
	expect_answer(f, IPC_Q_peer, KEY_OF("33"), "{'ID':30,");
	expect_answer(f, IPC_Q_peer, "p9", "'code':'invalid'");
	expect_answer(f, IPC_Q_peer, "", "'code':'usage'");
	expect_answer(f, IPC_Q_peer, "p3 p4", "'code':'usage'");
	expect_answer(f, IPC_Q_hosts, "x", "'code':'usage'");
	expect_answer(f, IPC_Q_wgconf, "private", "'code':'usage'");
	fixture_free(f);
}

/* `printf 'netmap\n' | nc -U` has finished sending before it gets the answer. */
static void
test_half_closed(void **state)
{
	struct fixture *f = fixture(TWO);
	int fd = ask(f, 1, IPC_Q_WATCH_NETMAP, ""), ended;
	char *s;

	(void)state;
	shutdown(fd, SHUT_WR);
	turn(f);
	assert_int_equal(query_clients(f->q), 1);
	query_event(f->q, 1, "\"event\":\"status\"", 16);
	s = take(f, fd, 1u << 20, &ended);
	assert_non_null(strstr(s, "\"event\":\"netmap\""));
	assert_int_equal(ended, 0);
	free(s);
	close(fd);
	query_event(f->q, IPC_ID_NONE, "\"event\":\"status\"", 16);
	turn(f);
	assert_int_equal(query_clients(f->q), 0);
	fd = ask(f, 2, IPC_Q_WATCH_NETMAP, "");
	close(fd);
	turn(f);
	assert_int_equal(query_clients(f->q), 0);
	fixture_free(f);
}

/* One that the parent has served up to now: no status again, and the count continues. */
static void
test_watcher_from_the_parent(void **state)
{
	struct fixture *f = fixture(NULL);
	struct ipc_query m = { .listen_port = 41641, .events = 3 };
	int fd = ask_with(f, 1, &m, IPC_Q_WATCH_NETMAP, ""), ended;
	char *s;

	(void)state;
	query_event(f->q, IPC_ID_NONE, "\"event\":\"status\"", 16);
	s = take(f, fd, 1u << 20, &ended);
	check_events(s, 4, "status"); /* there is no map yet */
	free(s);
	mt_ok(f->m, TWO);
	query_changed(f->q, &f->m->ch);
	s = take(f, fd, 1u << 20, &ended);
	check_events(s, 5, "netmap");
	free(s);
	close(fd);
	fixture_free(f);
}

static void
test_watch(void **state)
{
	struct fixture *f = fixture(NULL);
	int a, b, ended;
	char *s;

	(void)state;
	/* the first status may arrive before the query or after it; nothing is sent before it */
	query_event(f->q, 7, "\"event\":\"status\",\"n\":1", 22);
	a = ask(f, 7, IPC_Q_WATCH_NETMAP, "");
	b = ask(f, 8, IPC_Q_WATCH_NETMAP, "");
	change(f, TWO);
	s = take(f, a, 1u << 20, &ended);
	check_events(s, 1, "status netmap");
	free(s);
	s = take(f, b, 1u << 20, &ended);
	assert_string_equal(s, "");
	free(s);
	query_event(f->q, 8, "\"event\":\"status\",\"n\":2", 22);
	s = take(f, b, 1u << 20, &ended);
	check_events(s, 1, "status netmap");
	free(s);
	s = take(f, a, 1u << 20, &ended);
	assert_string_equal(s, "");
	free(s);

	change(f, "{'PeersRemoved':[2],'OnlineChange':{'30':false},'Domain':'d','DNSConfig':{'Proxied':true}}");
	s = take(f, a, 1u << 20, &ended);
	assert_non_null(strstr(s,
	    "\"netmapSeq\":2,\"changed\":[\"30\"],\"removed\":[\"2\"],\"fields\":[\"DNS\",\"Domain\"],\"nodes\":[{"
	    "\"ID\":30,"));
	check_events(s, 3, "delta");
	free(s);
	query_event(f->q, IPC_ID_NONE, "\"event\":\"browse\",\"url\":\"u\"", 26);
	change(f, "{'OnlineChange':{'30':true}}");
	change(f, TWO);
	s = take(f, b, 1u << 20, &ended);
	assert_non_null(
	    strstr(s, "\"event\":\"netmap\",\"netmapSeq\":4,\"full\":true,\"peers\":3,\"netmap\":{\"v\":1,\"Seq\":4,"));
	check_events(s, 3, "delta browse delta netmap");
	free(s);
	/* logged out, and in again */
	netmap_session_end(f->m->nm);
	netmap_drop(f->m->nm);
	query_dropped(f->q);
	query_event(f->q, IPC_ID_NONE, "\"event\":\"status\"", 16);
	mt_session(f->m);
	change(f, "{" NODE_SELF "}");
	s = take(f, b, 1u << 20, &ended);
	check_events(s, 7, "status netmap");
	free(s);
	close(a);
	close(b);
	fixture_free(f);
}

/* rows: STAT-04 */
static void
test_slow_watcher(void **state)
{
	struct fixture *f = fixture(TWO);
	int slow = ask(f, 1, IPC_Q_WATCH_NETMAP, ""), good = ask(f, 2, IPC_Q_WATCH_NETMAP, ""), ended, i, deltas = 0,
	    statuses = 0;
	size_t most = 0;
	char *s, *p, text[700];
	struct reader *c;
	uint64_t dropped;

	(void)state;
	query_event(f->q, 1, "\"event\":\"status\"", 16);
	query_event(f->q, 2, "\"event\":\"status\"", 16);
	s = take(f, good, 1u << 20, &ended);
	check_events(s, 1, "status netmap");
	free(s);
	for (i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text),
		    "{'OnlineChange':{'30':%s},'PeersChangedPatch':[{'NodeID':2,'CapMap':{'filler':['%0400d']}}]}",
		    i & 1 ? "true" : "false", i);
		change(f, text);
		if (i % 100 == 0)
			query_event(f->q, IPC_ID_NONE, "\"event\":\"status\",\"x\":1", 22);
		TAILQ_FOREACH(c, &f->q->readers, link)
			if (c->events.bytes + c->out.n > most)
				most = c->events.bytes + c->out.n;
		s = take(f, good, 1u << 20, &ended);
		for (p = s; (p = strstr(p, "\"event\":\"delta\"")) != NULL; p++)
			deltas++;
		assert_null(strstr(s, "lagged"));
		free(s);
	}
	/* the one that reads has everything, the other costs no more than its queue */
	assert_int_equal(deltas, 10000);
	assert_true(most <= QUERY_QUEUE_MAX + (64u << 10));
	s = take(f, slow, 64u << 20, &ended);
	for (p = s; (p = strstr(p, "\"event\":\"status\"")) != NULL; p++)
		statuses++;
	assert_int_equal(statuses, 101);
	assert_non_null(p = strstr(s, "\"event\":\"lagged\",\"dropped\":"));
	dropped = strtoull(p + strlen("\"event\":\"lagged\",\"dropped\":"), NULL, 10);
	/* behind it the map as it is now */
	assert_non_null(p = strstr(p, "\"event\":\"netmap\""));
	assert_non_null(strstr(p, "\"netmapSeq\":10001,"));
	for (deltas = 0, p = s; (p = strstr(p, "\"event\":\"delta\"")) != NULL; p++)
		deltas++;
	assert_int_equal((uint64_t)deltas + dropped, 10000);
	free(s);
	change(f, "{'Domain':'x'}");
	s = take(f, slow, 64u << 20, &ended);
	assert_non_null(strstr(s, "\"event\":\"delta\",\"netmapSeq\":10002,"));
	free(s);
	close(slow);
	close(good);
	fixture_free(f);
}

/* Deltas alone fill the queue no further than anything else does. */
static void
test_slow_watcher_without_notices(void **state)
{
	struct fixture *f = fixture(TWO);
	int fd = ask(f, 1, IPC_Q_WATCH_NETMAP, ""), ended, i;
	char *s, *p, text[700];
	size_t most = 0;
	struct reader *c;

	(void)state;
	query_event(f->q, 1, "\"event\":\"status\"", 16);
	c = TAILQ_FIRST(&f->q->readers);
	for (i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "{'PeersChangedPatch':[{'NodeID':2,'CapMap':{'filler':['%0500d']}}]}", i);
		change(f, text);
		if (c->events.bytes + c->out.n > most)
			most = c->events.bytes + c->out.n;
	}
	assert_in_range(most, QUERY_QUEUE_MAX / 2, QUERY_QUEUE_MAX + (32u << 10));
	s = take(f, fd, 64u << 20, &ended);
	assert_non_null(p = strstr(s, "\"event\":\"lagged\""));
	assert_non_null(strstr(p, "\"netmapSeq\":10001,"));
	free(s);
	close(fd);
	fixture_free(f);
}

/* Changes while a whole map is pending are in that map; the events that it replaces are counted. */
static void
test_pending_map(void **state)
{
	static const char head[] = "\"event\":\"big\",\"x\":\"";
	struct fixture *f = fixture(NULL);
	struct pb b = { 0 };
	char *s, *p, *notice = calloc(1, QUERY_QUEUE_MAX);
	int fd, ended, i;

	(void)state;
	many_peers(&b);
	renew(f, &b);
	fd = ask(f, 1, IPC_Q_WATCH_NETMAP, "");
	query_event(f->q, 1, "\"event\":\"status\"", 16);
	turn(f);
	renew(f, &b); /* while the first is being written */
	for (i = 0; i < 5; i++)
		change(f, i % 2 ? "{'OnlineChange':{'5':true}}" : "{'OnlineChange':{'5':false}}");
	/* enough that deltas would be dropped now, if there were any */
	memset(notice, 'x', QUERY_QUEUE_MAX - 1000);
	memcpy(notice, head, strlen(head));
	notice[QUERY_QUEUE_MAX - 1001] = '"';
	query_event(f->q, 1, notice, QUERY_QUEUE_MAX - 1000);
	s = take(f, fd, 64u << 20, &ended);
	assert_non_null(p = strstr(s, "\"event\":\"lagged\",\"dropped\":5}"));
	assert_non_null(strstr(p, "\"netmapSeq\":7,"));
	check_events(s, 1, "status netmap big lagged netmap");
	free(s);
	free(notice);
	pb_free(&b);
	close(fd);
	fixture_free(f);
}

/* Events before the first map do not count; the number lost of a removed map is reported with the next. */
static void
test_first_map(void **state)
{
	static const char head[] = "\"event\":\"big\",\"x\":\"";
	struct fixture *f = fixture(TWO);
	char *s, *notice = calloc(1, QUERY_QUEUE_MAX);
	int fd = ask(f, 1, IPC_Q_WATCH_NETMAP, ""), ended, i, again;

	(void)state;
	memset(notice, 'x', QUERY_QUEUE_MAX - 1000);
	memcpy(notice, head, strlen(head));
	notice[QUERY_QUEUE_MAX - 1001] = '"';
	for (again = 0; again < 2; again++) {
		query_event(f->q, 1, notice, QUERY_QUEUE_MAX - 1000); /* more than a socket takes */
		for (i = 0; i < 5; i++)
			change(f, (i + again) % 2 ? "{'OnlineChange':{'30':true}}" : "{'OnlineChange':{'30':false}}");
		if (again) { /* logged out, and in again */
			netmap_session_end(f->m->nm);
			netmap_drop(f->m->nm);
			query_dropped(f->q);
			mt_session(f->m);
			change(f, TWO);
			change(f, "{'Domain':'x'}");
		}
		s = take(f, fd, 64u << 20, &ended);
		assert_true(!again || strstr(s, "\"event\":\"lagged\",\"dropped\":5}") != NULL);
		check_events(s, again ? 3 : 1, again ? "big lagged netmap" : "big netmap");
		free(s);
	}
	free(notice);
	close(fd);
	fixture_free(f);
}

/* A map that is read is kept while others come, as many as have room: the newest of them. */
static void
test_old_maps_are_kept(void **state)
{
	struct fixture *f = fixture(NULL);
	struct pb b = { 0 };
	char *want[6], *event;
	int fd[6], i, watcher, ended;

	(void)state;
	many_peers(&b);
	renew(f, &b);
	watcher = ask(f, 9, IPC_Q_WATCH_NETMAP, "");
	query_event(f->q, 9, "\"event\":\"status\"", 16);
	for (i = 0; i < 4; i++) { /* two delay no other reader, however much they read */
		want[i] = mt_dump(f->m);
		fd[i] = ask(f, (uint32_t)i + 1, IPC_Q_netmap, "");
		turn(f);
		renew(f, &b);
	}
	assert_true(view_bytes(f->m->nm->cur) > 2u << 20 && view_bytes(f->m->nm->cur) < QUERY_OLD_MAPS / 3);
	assert_int_equal(query_clients(f->q), 5);
	query_event(f->q, IPC_ID_NONE, "\"event\":\"status2\"", 17);
	event = take(f, watcher, 64u << 20, &ended);
	assert_int_equal(ended, 0);
	assert_non_null(strstr(event, "\"event\":\"lagged\",\"dropped\":3}"));
	check_events(event, 1, "status netmap status2 lagged netmap");
	free(event);
	close(watcher);
	for (i = 0; i < 4; i++)
		whole(f, fd[i], want[i]);
	turn(f);
	assert_int_equal(query_clients(f->q), 0);
	/* room for one besides the last: of four that are read the two oldest go */
	f->q->old_maps = view_bytes(f->m->nm->cur) + (1u << 20);
	for (i = 0; i < 4; i++) {
		want[i] = mt_dump(f->m);
		fd[i] = ask(f, (uint32_t)i + 1, IPC_Q_netmap, "");
		turn(f);
		renew(f, &b);
	}
	for (i = 0; i < 2; i++) {
		free(broken_off(f, fd[i], "timeout"));
		free(want[i]);
	}
	for (; i < 4; i++)
		whole(f, fd[i], want[i]);
	pb_free(&b);
	fixture_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_netmap),
		cmocka_unit_test(test_texts_end),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_half_closed),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_slow_watcher),
		cmocka_unit_test(test_slow_watcher_without_notices),
		cmocka_unit_test(test_pending_map),
		cmocka_unit_test(test_first_map),
		cmocka_unit_test(test_watcher_from_the_parent),
		cmocka_unit_test(test_old_maps_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
