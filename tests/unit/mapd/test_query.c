/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "client.h"
#include "unit.h"
#include "util_map.h"

struct fixture {
	struct map_test *m;
	struct event_base *base;
	struct query *q;
};

static void
turn(struct fixture *f)
{
	int i;

	for (i = 0; i < 20; i++)
		event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static struct fixture *
fixture(const char *first)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->m = mt_new();
	if (first != NULL)
		mt_ok(f->m, first);
	assert_non_null(f->base = event_base_new());
	assert_non_null(f->q = query_new(f->base, f->m->nm));
	return f;
}

static void
fixture_free(struct fixture *f)
{
	query_free(f->q);
	event_base_free(f->base);
	mt_free(f->m);
	free(f);
}

static int
ask_with(struct fixture *f, uint32_t id, struct ipc_query *m, enum ipc_query_verb verb, const char *args)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	m->verb = verb;
	m->class = IPC_CLASS_R;
	m->data_len = (uint16_t)strlen(args);
	memcpy(m->data, args, m->data_len);
	query_handle(f->q, id, m, fd[1]);
	return fd[0];
}

static int
ask(struct fixture *f, uint32_t id, enum ipc_query_verb verb, const char *args)
{
	struct ipc_query m = { .listen_port = 41641 };

	return ask_with(f, id, &m, verb, args);
}

/* What has come on fd so far, at most max bytes; *ended if the other side has closed. */
static char *
take(struct fixture *f, int fd, size_t max, int *ended)
{
	size_t n = 0;
	char *out = malloc(max + 1);
	ssize_t r = 0;

	assert_non_null(out);
	*ended = 0;
	while (n < max) {
		turn(f);
		r = recv(fd, out + n, max - n, MSG_DONTWAIT);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	if (n < max)
		*ended = r == 0 || errno != EAGAIN;
	out[n] = '\0';
	return out;
}

static char *
answer(struct fixture *f, enum ipc_query_verb verb, const char *args)
{
	int fd = ask(f, 1, verb, args), ended;
	char *s = take(f, fd, 64u << 20, &ended);

	assert_int_equal(ended, 1);
	close(fd);
	assert_int_equal(query_clients(f->q), 0);
	return s;
}

static void
expect_answer(struct fixture *f, enum ipc_query_verb verb, const char *args, const char *want)
{
	char *s = answer(f, verb, args), *w = mt_quotes(want);

	if (strstr(s, w) == NULL)
		fail_msg("%s: no %s in %s", args, w, s);
	free(s);
	free(w);
}

#define TWO \
	"{" NODE_SELF ",'Peers':[" PEER("2", "2", "22", "") "," PEER("30", "3", "33", ",'Online':true") "," PEER("-4", \
	    "4", "44", "") "]}"

static void
test_no_netmap(void **state)
{
	struct fixture *f = fixture(NULL);

	(void)state;
	expect_answer(f, IPC_Q_NETMAP, "", "{'error':{'code':'no-netmap'");
	expect_answer(f, IPC_Q_PEERS, "", "{'error':{'code':'no-netmap'");
	expect_answer(f, IPC_Q_PEER, "x", "{'error':{'code':'no-netmap'");
	expect_answer(f, IPC_Q_WGCONF, "", "{'error':{'code':'no-netmap'");
	expect_answer(f, IPC_Q_HOSTS, "", "{'error':{'code':'no-netmap'");
	fixture_free(f);
}

static void
test_answers(void **state)
{
	struct fixture *f = fixture(TWO);
	char *s, *want;

	(void)state;
	s = answer(f, IPC_Q_NETMAP, "");
	want = mt_dump(f->m);
	assert_int_equal(strlen(s), strlen(want) + 1);
	assert_memory_equal(s, want, strlen(want));
	assert_int_equal(s[strlen(want)], '\n');
	free(s);
	free(want);
	s = answer(f, IPC_Q_PEERS, "");
	want = mt_peers(f->m);
	assert_string_equal(s, want);
	free(s);
	free(want);
	s = answer(f, IPC_Q_PEERS, "limit=1 after=-4\r");
	assert_non_null(strstr(s, "{\"ID\":2,"));
	assert_null(strstr(s, "{\"ID\":30,"));
	free(s);
	s = answer(f, IPC_Q_PEERS, "after=30");
	assert_string_equal(s, "");
	free(s);
	s = answer(f, IPC_Q_PEERS, "limit=0");
	assert_string_equal(s, "");
	free(s);
	expect_answer(f, IPC_Q_PEERS, "limit=-1", "'code':'usage'");
	expect_answer(f, IPC_Q_PEERS, "limit=1 limit=2", "'code':'usage'");
	expect_answer(f, IPC_Q_PEERS, "after=x", "'code':'usage'");
	expect_answer(f, IPC_Q_PEERS, "3", "'code':'usage'");
	expect_answer(f, IPC_Q_PEER, "p30.tail1.ts.net.", "{'ID':30,");
	expect_answer(f, IPC_Q_PEER, "P30.TAIL1.ts.net", "{'ID':30,");
	expect_answer(f, IPC_Q_PEER, "p30", "{'ID':30,");
	expect_answer(f, IPC_Q_PEER, "100.64.1.3", "{'ID':30,");
	expect_answer(f, IPC_Q_PEER, "30", "{'ID':30,");
	expect_answer(f, IPC_Q_PEER, "-4", "{'ID':-4,");
	expect_answer(f, IPC_Q_PEER, KEY_OF("33"), "{'ID':30,");
	expect_answer(f, IPC_Q_PEER, "p9", "'code':'invalid'");
	expect_answer(f, IPC_Q_PEER, "", "'code':'usage'");
	expect_answer(f, IPC_Q_PEER, "p3 p4", "'code':'usage'");
	expect_answer(f, IPC_Q_HOSTS, "x", "'code':'usage'");
	expect_answer(f, IPC_Q_WGCONF, "private", "'code':'usage'");
	fixture_free(f);
}

/* `printf 'netmap\n' | nc -U` is done with sending before the answer comes. */
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

/* Lines of a watcher: event names in order, with numbers checked. */
static void
check_events(char *s, uint64_t first, const char *want)
{
	char have[4096] = "", *line, *save = NULL;
	struct json_object *o, *v;
	size_t n = 0;

	for (line = strtok_r(s, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		if ((o = json_tokener_parse(line)) == NULL)
			fail_msg("not JSON: %s", line);
		assert_true(json_object_object_get_ex(o, "v", &v));
		assert_true(json_object_object_get_ex(o, "seq", &v));
		assert_true((uint64_t)json_object_get_int64(v) == first++);
		assert_true(json_object_object_get_ex(o, "time", &v));
		assert_true(json_object_object_get_ex(o, "event", &v));
		n += (size_t)snprintf(have + n, sizeof(have) - n, "%s%s", n ? " " : "", json_object_get_string(v));
		json_object_put(o);
	}
	assert_string_equal(have, want);
}

/* One that the parent has served so far: no status again, and the count goes on. */
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
change(struct fixture *f, const char *text)
{
	if (mt_msg(f->m, text) == 1)
		query_changed(f->q, &f->m->ch);
}

static void
test_watch(void **state)
{
	struct fixture *f = fixture(NULL);
	int a, b, ended;
	char *s;

	(void)state;
	/* the first status may come before the query or after it; nothing is said before it */
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
	struct client *c;
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
		TAILQ_FOREACH(c, &f->q->clients, link)
			if (c->queued_bytes + c->out.n > most)
				most = c->queued_bytes + c->out.n;
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

static void
many_peers(struct pb *b)
{
	int i;

	pb_puts(b, "{\"Node\":{\"ID\":1,\"Key\":\"" SELF_KEY "\"},\"Peers\":[");
	for (i = 0; i < 20000; i++)
		pb_printf(b,
		    "%s{\"ID\":%d,\"Name\":\"p%d.x.\",\"Key\":\"nodekey:%064x\",\"HomeDERP\":1,"
		    "\"Addresses\":[\"100.64.%d.%d/32\"]}",
		    i ? "," : "", i + 2, i, i + 1, i >> 8, i & 255);
	pb_puts(b, "]}");
}

static void
renew(struct fixture *f, const struct pb *b)
{
	assert_int_equal(mt_raw(f->m, (char *)b->p, b->n, 100000), 1);
	query_changed(f->q, &f->m->ch);
	turn(f);
}

/* Deltas alone fill the queue no further than anything else does. */
static void
test_slow_watcher_without_notices(void **state)
{
	struct fixture *f = fixture(TWO);
	int fd = ask(f, 1, IPC_Q_WATCH_NETMAP, ""), ended, i;
	char *s, *p, text[700];
	size_t most = 0;
	struct client *c;

	(void)state;
	query_event(f->q, 1, "\"event\":\"status\"", 16);
	c = TAILQ_FIRST(&f->q->clients);
	for (i = 0; i < 10000; i++) {
		snprintf(text, sizeof(text), "{'PeersChangedPatch':[{'NodeID':2,'CapMap':{'filler':['%0500d']}}]}", i);
		change(f, text);
		if (c->queued_bytes + c->out.n > most)
			most = c->queued_bytes + c->out.n;
	}
	assert_in_range(most, QUERY_QUEUE_MAX / 2, QUERY_QUEUE_MAX + (32u << 10));
	s = take(f, fd, 64u << 20, &ended);
	assert_non_null(p = strstr(s, "\"event\":\"lagged\""));
	assert_non_null(strstr(p, "\"netmapSeq\":10001,"));
	free(s);
	close(fd);
	fixture_free(f);
}

/* What happens while a whole map is owed is in that map: nothing of it was lost. */
static void
test_owed_map(void **state)
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
	/* so much that deltas would be dropped now, if there were any */
	memset(notice, 'x', QUERY_QUEUE_MAX - 1000);
	memcpy(notice, head, strlen(head));
	notice[QUERY_QUEUE_MAX - 1001] = '"';
	query_event(f->q, 1, notice, QUERY_QUEUE_MAX - 1000);
	s = take(f, fd, 64u << 20, &ended);
	assert_non_null(p = strstr(s, "\"event\":\"lagged\",\"dropped\":0}"));
	assert_non_null(strstr(p, "\"netmapSeq\":7,"));
	check_events(s, 1, "status netmap big lagged netmap");
	free(s);
	free(notice);
	pb_free(&b);
	close(fd);
	fixture_free(f);
}

/* A big map, and readers that take their time: each sees one moment's map, whole, while deltas go on. */
static void
test_snapshot_readers(void **state)
{
	struct fixture *f = fixture(NULL);
	struct pb b = { 0 };
	int fd[4], i, k, ended;
	char *want[4], *have, *more;
	size_t n;

	(void)state;
	pb_puts(&b, "{\"Node\":{\"ID\":1,\"Key\":\"" SELF_KEY "\"},\"Peers\":[");
	for (i = 0; i < 20000; i++)
		pb_printf(&b, "%s{\"ID\":%d,\"Name\":\"p%d.x.\",\"Key\":\"nodekey:%064x\",\"Online\":true}",
		    i ? "," : "", i + 2, i, i + 1);
	pb_puts(&b, "]}");
	assert_int_equal(mt_raw(f->m, (char *)b.p, b.n, 100000), 1);
	query_changed(f->q, &f->m->ch);
	pb_free(&b);
	for (k = 0; k < 4; k++) {
		want[k] = mt_dump(f->m);
		fd[k] = ask(f, 1, IPC_Q_NETMAP, "");
		for (i = 0; i < 2000; i++) {
			char text[300];

			snprintf(text, sizeof(text),
			    "{'OnlineChange':{'%d':%s},'PeersRemoved':[%d],'PeersChanged':[{'ID':%d,'Key':'" KEY_OF(
				"77") "'}]}",
			    2 + (i * 7 + k) % 20000, k & 1 ? "true" : "false", 2 + (i * 11 + k * 3) % 20000,
			    30000 + i + k * 1000);
			change(f, text);
		}
	}
	for (k = 0; k < 4; k++) {
		have = take(f, fd[k], 1000000, &ended);
		n = strlen(have);
		change(f, "{'PeersRemoved':[5,6,7,8,9]}");
		more = take(f, fd[k], 64u << 20, &ended);
		assert_int_equal(ended, 1);
		assert_int_equal(n + strlen(more), strlen(want[k]) + 1);
		assert_memory_equal(have, want[k], n);
		assert_memory_equal(more, want[k] + n, strlen(more) - 1);
		free(have);
		free(more);
		free(want[k]);
		close(fd[k]);
	}
	assert_int_equal(query_clients(f->q), 0);
	/* with the last reader gone nothing old is kept */
	assert_true(recset_bytes(f->m->nm->cur->peers->set) < 6u << 20);
	fixture_free(f);
}

/* All that fd has to say but its last line, which is an error object; to be freed. */
static char *
broken_off(struct fixture *f, int fd, const char *code)
{
	int ended;
	char *s = take(f, fd, 64u << 20, &ended), *last, want[64];
	struct json_object *o;

	assert_int_equal(ended, 1);
	assert_true(strlen(s) > 10000);
	assert_int_equal(s[strlen(s) - 1], '\n');
	s[strlen(s) - 1] = '\0';
	assert_non_null(last = strrchr(s, '\n'));
	*last++ = '\0';
	assert_non_null(o = json_tokener_parse(last));
	json_object_put(o);
	snprintf(want, sizeof(want), "{\"error\":{\"code\":\"%s\",", code);
	assert_memory_equal(last, want, strlen(want));
	close(fd);
	return s;
}

/* All of an answer, against what it had to be; both are freed. */
static void
whole(struct fixture *f, int fd, char *want)
{
	int ended;
	char *s = take(f, fd, 64u << 20, &ended);

	assert_int_equal(ended, 1);
	assert_int_equal(s[strlen(s) - 1], '\n');
	s[strlen(s) - 1] = '\0';
	assert_string_equal(s, want);
	free(s);
	free(want);
	close(fd);
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
	for (i = 0; i < 4; i++) { /* two are in the way of nobody, whatever they take */
		want[i] = mt_dump(f->m);
		fd[i] = ask(f, (uint32_t)i + 1, IPC_Q_NETMAP, "");
		turn(f);
		renew(f, &b);
	}
	assert_true(view_bytes(f->m->nm->cur) > 2u << 20 && view_bytes(f->m->nm->cur) < QUERY_OLD_MAPS / 3);
	assert_int_equal(query_clients(f->q), 5);
	query_event(f->q, IPC_ID_NONE, "\"event\":\"status2\"", 17);
	event = take(f, watcher, 64u << 20, &ended);
	assert_int_equal(ended, 0);
	check_events(event, 1, "status netmap status2 netmap");
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
		fd[i] = ask(f, (uint32_t)i + 1, IPC_Q_NETMAP, "");
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

/*
 * Maps older than the last but one are not kept when there is no room.  The answer that ends early says so: a list of peers or a
 * WireGuard configuration that merely stops would be taken for the whole.
 */
static void
test_broken_off_answers(void **state)
{
	static const enum ipc_query_verb verbs[] = { IPC_Q_NETMAP, IPC_Q_PEERS, IPC_Q_WGCONF, IPC_Q_HOSTS,
		IPC_Q_WATCH_NETMAP };
	struct fixture *f = fixture(NULL);
	struct pb b = { 0 };
	int fd[5], i, gone;
	char *s;

	(void)state;
	f->q->old_maps = 0;
	many_peers(&b);
	for (gone = 0; gone < 2; gone++) {
		renew(f, &b);
		for (i = 0; i < 5; i++)
			fd[i] = ask(f, (uint32_t)i + 1, verbs[i], "");
		query_event(f->q, 5, "\"event\":\"status\"", 16);
		turn(f);
		renew(f, &b); /* once is nothing to them */
		assert_int_equal(query_clients(f->q), 5);
		if (gone) {
			netmap_session_end(f->m->nm);
			netmap_drop(f->m->nm);
			query_dropped(f->q);
		} else
			renew(f, &b);
		for (i = 0; i < 5; i++) {
			s = broken_off(f, fd[i], gone ? "no-netmap" : "timeout");
			if (verbs[i] == IPC_Q_PEERS)
				assert_int_equal(s[strlen(s) - 1], '}'); /* nothing but whole lines */
			free(s);
		}
		assert_int_equal(query_clients(f->q), 0);
	}
	pb_free(&b);
	fixture_free(f);
}

/* A reader that takes nothing for a minute is dropped. */
static void
test_stuck_readers(void **state)
{
	struct fixture *f = fixture(NULL);
	struct pb b = { 0 };
	struct client *c;
	int two;

	(void)state;
	many_peers(&b);
	renew(f, &b);
	two = ask(f, 1, IPC_Q_PEERS, "");
	turn(f);
	renew(f, &b);
	assert_int_equal(query_clients(f->q), 1);
	c = TAILQ_FIRST(&f->q->clients);
	c->progress_ms -= (QUERY_STALL_SECONDS - 1) * 1000;
	event_active(f->q->tick, EV_TIMEOUT, 1);
	turn(f);
	assert_int_equal(query_clients(f->q), 1);
	c->progress_ms -= 2000;
	event_active(f->q->tick, EV_TIMEOUT, 1);
	turn(f);
	assert_int_equal(query_clients(f->q), 0);
	close(two);
	pb_free(&b);
	fixture_free(f);
}

static void
test_too_many(void **state)
{
	struct fixture *f = fixture(TWO);
	int fd[QUERY_MAX_CLIENTS + QUERY_MAX_ROOT], extra, ended;
	unsigned i;
	char *s;

	(void)state;
	for (i = 0; i < QUERY_MAX_CLIENTS + QUERY_MAX_ROOT; i++)
		fd[i] = ask(f, i + 1, IPC_Q_WATCH_NETMAP, "");
	extra = ask(f, 1000, IPC_Q_NETMAP, "");
	s = take(f, extra, 1000, &ended);
	assert_non_null(strstr(s, "\"code\":\"busy\""));
	assert_int_equal(ended, 1);
	free(s);
	close(extra);
	query_event(f->q, IPC_ID_NONE, "\"event\":\"status\"", 16);
	for (i = 0; i < QUERY_MAX_CLIENTS + QUERY_MAX_ROOT; i++) {
		s = take(f, fd[i], 1u << 20, &ended);
		check_events(s, 1, "status netmap");
		free(s);
		close(fd[i]);
	}
	turn(f);
	assert_int_equal(query_clients(f->q), 0);
	fixture_free(f);
}

static int
ask_as(struct fixture *f, uint32_t uid, uint32_t id)
{
	struct ipc_query m = { .listen_port = 41641, .uid = uid };

	return ask_with(f, id, &m, IPC_Q_WATCH_NETMAP, "");
}

static int
is_busy(struct fixture *f, int fd)
{
	int ended, busy;
	char *s = take(f, fd, 1000, &ended);

	busy = strstr(s, "\"code\":\"busy\"") != NULL;
	assert_int_equal(busy, ended);
	free(s);
	return busy;
}

/* Nobody's readers are in another's way, and root always has places (interface.md 3, security.md D13). */
static void
test_places_for_each(void **state)
{
	struct fixture *f = fixture(TWO);
	int fd[QUERY_MAX_CLIENTS + QUERY_MAX_ROOT], fd2;
	unsigned i, n;

	(void)state;
	for (n = 0; n < QUERY_MAX_UID; n++)
		fd[n] = ask_as(f, 1000, n + 1);
	fd2 = ask_as(f, 1000, 500);
	assert_true(is_busy(f, fd2));
	close(fd2);
	while (n < QUERY_MAX_CLIENTS) {
		fd[n] = ask_as(f, 1001 + n / QUERY_MAX_UID, n + 1);
		n++;
	}
	fd2 = ask_as(f, 5000, 501);
	assert_true(is_busy(f, fd2));
	close(fd2);
	while (n < QUERY_MAX_CLIENTS + QUERY_MAX_ROOT) {
		fd[n] = ask_as(f, 0, n + 1);
		n++;
	}
	for (i = 0; i < n; i++)
		assert_false(is_busy(f, fd[i]));
	close(fd[0]); /* one of user 1000's */
	for (i = n - QUERY_MAX_ROOT; i < n; i++)
		close(fd[i]);
	turn(f);
	fd[0] = ask_as(f, 1000, 600);
	assert_false(is_busy(f, fd[0]));
	for (i = 0; i < n - QUERY_MAX_ROOT; i++)
		close(fd[i]);
	turn(f);
	assert_int_equal(query_clients(f->q), 0);
	fixture_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_netmap),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_half_closed),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_slow_watcher),
		cmocka_unit_test(test_slow_watcher_without_notices),
		cmocka_unit_test(test_owed_map),
		cmocka_unit_test(test_snapshot_readers),
		cmocka_unit_test(test_watcher_from_the_parent),
		cmocka_unit_test(test_old_maps_are_kept),
		cmocka_unit_test(test_broken_off_answers),
		cmocka_unit_test(test_stuck_readers),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_places_for_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
