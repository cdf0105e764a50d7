/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "clients.h"
#include "util_query.h"

#define KEY_REST "0000000000000000000000000000000000000000000000000000"

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
		fd[k] = ask(f, 1, IPC_Q_netmap, "");
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
	/* without the last reader nothing old is kept */
	assert_true(recset_bytes(f->m->nm->cur->peers->set) < 6u << 20);
	fixture_free(f);
}

/*
 * Maps older than the last but one are not kept when there is no room.  The answer that ends early says so: a list of
 * peers or a WireGuard configuration that merely stops would look complete.
 */
static void
test_broken_off_answers(void **state)
{
	static const enum ipc_query_verb verbs[] = { IPC_Q_netmap, IPC_Q_peers, IPC_Q_wgconf, IPC_Q_hosts,
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
			if (verbs[i] == IPC_Q_peers)
				assert_int_equal(s[strlen(s) - 1], '}'); /* only whole lines */
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
	struct reader *c;
	int two;

	(void)state;
	many_peers(&b);
	renew(f, &b);
	two = ask(f, 1, IPC_Q_peers, "");
	turn(f);
	renew(f, &b);
	assert_int_equal(query_clients(f->q), 1);
	c = TAILQ_FIRST(&f->q->readers);
	c->progress_ms -= (QUERY_STALL_SECONDS - 1) * 1000;
	timer_soon(&f->q->tick);
	turn(f);
	assert_int_equal(query_clients(f->q), 1);
	c->progress_ms -= 2000;
	timer_soon(&f->q->tick);
	turn(f);
	assert_int_equal(query_clients(f->q), 0);
	close(two);
	pb_free(&b);
	fixture_free(f);
}

/* Only a client that keeps mapd waiting is: not one that mapd has kept waiting (A1 of the faults). */
static void
test_patient_readers(void **state)
{
	struct fixture *f = fixture(NULL);
	struct pb b = { 0 };
	struct reader *c;
	int fd, ended;
	char *s, junk[4096];

	(void)state;
	many_peers(&b);
	renew(f, &b);
	fd = ask(f, 1, IPC_Q_wgconf, ""); /* the scan has begun, there is nothing to read yet */
	c = TAILQ_FIRST(&f->q->readers);
	assert_int_equal(recv(fd, junk, sizeof(junk), MSG_DONTWAIT), strlen("[Interface]\nListenPort = 41641\n"));
	c->progress_ms -= (QUERY_STALL_SECONDS + 1) * 1000;
	reader_check(c, time_mono_ms());
	assert_int_equal(query_clients(f->q), 1);
	turn(f);
	turn(f);
	while (recv(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		continue; /* it reads what there is, and we do not look */
	c->progress_ms -= (QUERY_STALL_SECONDS + 1) * 1000;
	reader_check(c, time_mono_ms());
	assert_int_equal(query_clients(f->q), 1);
	s = take(f, fd, 64u << 20, &ended);
	assert_true(ended);
	assert_non_null(strstr(s, "\n# end: 20000 peers, netmapSeq "));
	free(s);
	close(fd);
	pb_free(&b);
	fixture_free(f);
}

/* What mapd does before it ends: interface.md 3. */
static void
test_stopped(void **state)
{
	static const enum ipc_query_verb verbs[] = { IPC_Q_netmap, IPC_Q_peers, IPC_Q_wgconf, IPC_Q_hosts,
		IPC_Q_WATCH_NETMAP };
	struct fixture *f = fixture(NULL), *idle = fixture(TWO);
	struct pb b = { 0 };
	int fd[5], i, ended;
	struct reader *r;
	uint64_t before;
	char *s;

	(void)state;
	many_peers(&b);
	renew(f, &b);
	for (i = 0; i < 5; i++)
		fd[i] = ask(f, (uint32_t)i + 1, verbs[i], "");
	query_event(f->q, 5, "\"event\":\"status\"", 16);
	turn(f);
	TAILQ_FOREACH(r, &f->q->readers, link)
		while (r->off == r->out.n) /* until the socket is full */
			assert_int_equal(reader_push(r), 0);
	before = time_mono_ms();
	query_stop(f->q); /* no client reads */
	assert_in_range(time_mono_ms() - before, QUERY_STOP_MS - 100, QUERY_STOP_MS + 10000);
	assert_in_range(query_clients(f->q), 1, 5);
	for (i = 0; i < 5; i++)
		free(broken_off(f, fd[i], "shutting-down"));
	assert_int_equal(query_clients(f->q), 0);

	/* A watcher between two events is closed, as it is when mapd ends in any other way. */
	fd[0] = ask(idle, 1, IPC_Q_WATCH_NETMAP, "");
	query_event(idle->q, 1, "\"event\":\"status\"", 16);
	free(take(idle, fd[0], 1u << 20, &ended));
	assert_false(ended);
	query_stop(idle->q);
	s = take(idle, fd[0], 1u << 20, &ended);
	assert_true(ended);
	assert_string_equal(s, "");
	free(s);
	close(fd[0]);
	pb_free(&b);
	fixture_free(idle);
	fixture_free(f);
}

static void
test_too_many(void **state)
{
	struct fixture *f = fixture(TWO);
	int fd[CLIENTS_MAX + CLIENTS_ROOT], extra, ended;
	unsigned i;
	char *s;

	(void)state;
	for (i = 0; i < CLIENTS_MAX + CLIENTS_ROOT; i++)
		fd[i] = ask(f, i + 1, IPC_Q_WATCH_NETMAP, "");
	extra = ask(f, 1000, IPC_Q_netmap, "");
	s = take(f, extra, 1000, &ended);
	assert_non_null(strstr(s, "\"code\":\"busy\""));
	assert_int_equal(ended, 1);
	free(s);
	close(extra);
	query_event(f->q, IPC_ID_NONE, "\"event\":\"status\"", 16);
	for (i = 0; i < CLIENTS_MAX + CLIENTS_ROOT; i++) {
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

/* The readers of a user do not block those of another, and root always has places (interface.md 3, security.md D13). */
static void
test_places_for_each(void **state)
{
	struct fixture *f = fixture(TWO);
	int fd[CLIENTS_MAX + CLIENTS_ROOT], fd2;
	unsigned i, n;

	(void)state;
	for (n = 0; n < CLIENTS_UID; n++)
		fd[n] = ask_as(f, 1000, n + 1);
	fd2 = ask_as(f, 1000, 500);
	assert_true(is_busy(f, fd2));
	close(fd2);
	while (n < CLIENTS_MAX) {
		fd[n] = ask_as(f, 1001 + n / CLIENTS_UID, n + 1);
		n++;
	}
	fd2 = ask_as(f, 5000, 501);
	assert_true(is_busy(f, fd2));
	close(fd2);
	while (n < CLIENTS_MAX + CLIENTS_ROOT) {
		fd[n] = ask_as(f, 0, n + 1);
		n++;
	}
	for (i = 0; i < n; i++)
		assert_false(is_busy(f, fd[i]));
	close(fd[0]); /* one of user 1000's */
	for (i = n - CLIENTS_ROOT; i < n; i++)
		close(fd[i]);
	turn(f);
	fd[0] = ask_as(f, 1000, 600);
	assert_false(is_busy(f, fd[0]));
	for (i = 0; i < n - CLIENTS_ROOT; i++)
		close(fd[i]);
	turn(f);
	assert_int_equal(query_clients(f->q), 0);
	fixture_free(f);
}

/* What no index finds is looked for in pieces: a client that asks for it does not hold up the others. */
static void
test_search_in_pieces(void **state)
{
	static const char *const what[] = { "absent", "p19998", ("nodekey:6da774d5d774" KEY_REST) };
	static const char *const want[] = { "no such peer", "\"Name\":\"p19998.x.\"", "no such peer" };
	struct fixture *f = fixture(NULL);
	struct pb b = { 0 };
	int fd, other, ended;
	size_t i, k;
	char *s;

	(void)state;
	many_peers(&b);
	renew(f, &b);
	for (i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		fd = ask(f, 1, IPC_Q_peer, what[i]);
		assert_int_equal(query_clients(f->q), 1);
		other = ask(f, 2, IPC_Q_peer, "2");
		assert_int_equal(query_clients(f->q), 1); /* has its answer */
		s = take(f, other, 1 << 20, &ended);
		assert_int_equal(ended, 1);
		assert_non_null(strstr(s, "\"ID\":2,"));
		free(s);
		close(other);
		for (k = 0; k < 20; k++)
			turn(f);
		s = take(f, fd, 1 << 20, &ended);
		assert_int_equal(ended, 1);
		assert_non_null(strstr(s, want[i]));
		free(s);
		close(fd);
	}
	/* the map changes, and goes, in the middle of it */
	fd = ask(f, 1, IPC_Q_peer, "p19998");
	change(f, "{'PeersRemoved':[3,4,20000]}");
	for (k = 0; k < 20; k++)
		turn(f);
	s = take(f, fd, 1 << 20, &ended);
	assert_int_equal(ended, 1);
	assert_non_null(strstr(s, "no such peer"));
	free(s);
	close(fd);
	assert_int_equal(query_clients(f->q), 0);
	fd = ask(f, 1, IPC_Q_peer, "p19998");
	query_dropped(f->q);
	turn(f);
	s = take(f, fd, 1 << 20, &ended);
	assert_int_equal(ended, 1);
	assert_non_null(strstr(s, "\"no-netmap\""));
	free(s);
	close(fd);
	pb_free(&b);
	fixture_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshot_readers),
		cmocka_unit_test(test_broken_off_answers),
		cmocka_unit_test(test_stuck_readers),
		cmocka_unit_test(test_patient_readers),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_places_for_each),
		cmocka_unit_test(test_search_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
