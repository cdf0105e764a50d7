/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clients.h"
#include "commands.h"
#include "exportwg.h"
#include "ipc.h"
#include "mapwatch.h"
#include "mem.h"
#include "nodeview.h"
#include "peername.h"
#include "querytail.h"
#include "text.h"

#define TICK_MS   5000
#define EARLY_MAX 32

struct early { /* an event for a watcher that was not handed over yet */
	TAILQ_ENTRY(early) link;
	uint32_t id;
	struct notice *what;
};

static void
on_tick(void *arg)
{
	struct query *q = arg;
	struct reader *r, *next;
	uint64_t now = time_mono_ms();

	TAILQ_FOREACH_SAFE(r, &q->readers, link, next)
		reader_check(r, now);
	timer_set_ms(&q->tick, TICK_MS);
}

void
query_host(struct query *q, const struct ipc_map_params *host)
{
	q->host = host;
}

struct query *
query_new(struct event_base *base, struct netmap *nm, const struct ipc_config *cfg)
{
	struct query *q = xcalloc(1, sizeof(*q));

	q->base = base;
	q->nm = nm;
	q->cfg = cfg;
	q->old_maps = QUERY_OLD_MAPS;
	TAILQ_INIT(&q->readers);
	TAILQ_INIT(&q->early);
	if (timer_init(&q->tick, base, on_tick, q) == -1)
		mem_exhausted();
	timer_set_ms(&q->tick, TICK_MS);
	return q;
}

static void
forget_early(struct query *q, struct early *e)
{
	TAILQ_REMOVE(&q->early, e, link);
	q->nearly--;
	notice_unref(e->what);
	free(e);
}

void
query_free(struct query *q)
{
	if (q == NULL)
		return;
	while (!TAILQ_EMPTY(&q->readers))
		reader_close(TAILQ_FIRST(&q->readers));
	while (!TAILQ_EMPTY(&q->early))
		forget_early(q, TAILQ_FIRST(&q->early));
	timer_free(&q->tick);
	free(q);
}

/* One round of writing to all that can take something within that time. */
static void
write_round(struct query *q, uint64_t ms)
{
	struct pollfd p[CLIENTS_MAX + CLIENTS_ROOT];
	struct reader *r, *next;
	nfds_t n = 0;

	TAILQ_FOREACH(r, &q->readers, link)
		p[n++] = (struct pollfd){ .fd = r->fd, .events = POLLOUT };
	if (poll(p, n, (int)ms) == -1 && errno != EINTR)
		return;
	TAILQ_FOREACH_SAFE(r, &q->readers, link, next)
		(void)reader_push(r);
}

void
query_stop(struct query *q)
{
	struct reader *r, *next;
	uint64_t until = time_mono_ms() + QUERY_STOP_MS, now;

	TAILQ_FOREACH_SAFE(r, &q->readers, link, next)
		reader_stop(r);
	while (!TAILQ_EMPTY(&q->readers) && (now = time_mono_ms()) < until)
		write_round(q, until - now);
}

unsigned
query_clients(const struct query *q)
{
	return q->n;
}

unsigned
query_watchers(const struct query *q)
{
	const struct reader *r;
	unsigned n = 0;

	TAILQ_FOREACH(r, &q->readers, link)
		n += r->watch != 0;
	return n;
}

/* --- answers --- */

static void
no_netmap(struct reader *r)
{
	if (r->q->nm->cur == NULL)
		reader_error(r, ERR_NO_NETMAP, "there is no network map yet");
	else
		reader_error(r, ERR_BUSY, "too many readers");
}

/*
 * Handlers, one for each QUERY of common/lists/commands.h: each puts its answer, or an error, into r->out, or begins
 * work that does.
 */

static void
answer_netmap(struct reader *r, const struct ipc_query *m, const struct querytail *t)
{
	(void)m, (void)t;
	if (dump_netmap(&r->dump, r->q->nm) == -1) {
		dump_end(&r->dump);
		no_netmap(r);
		return;
	}
	r->work = WORK_DUMP;
}

static void
answer_peers(struct reader *r, const struct ipc_query *m, const struct querytail *t)
{
	(void)m;
	if (dump_peers(&r->dump, r->q->nm, t->limit, t->has_after, t->after) == -1) {
		dump_end(&r->dump);
		no_netmap(r);
		return;
	}
	r->work = WORK_DUMP;
}

static void
answer_peer(struct reader *r, const struct ipc_query *m, const struct querytail *t)
{
	struct netmap *nm = r->q->nm;
	const struct node *n;

	(void)m;
	if (nm->cur == NULL) {
		no_netmap(r);
		return;
	}
	if ((n = find_peer(nm, t->text, &r->search)) == NULL)
		r->work = WORK_SEARCH;
	else
		reader_peer(r, n);
}

/* rv: 0, or -1 when the text cannot be begun. */
static void
begin_export(struct reader *r, int rv)
{
	if (rv == -1) {
		export_end(&r->exp);
		no_netmap(r);
		return;
	}
	r->work = WORK_EXPORT;
}

static void
answer_wgconf(struct reader *r, const struct ipc_query *m, const struct querytail *t)
{
	const struct ipc_config *cfg = r->q->cfg;
	char exit_node[sizeof(cfg->exit_node) + 1];
	struct wgconf_options o = { .accept_routes = cfg->accept_routes != 0,
		.listen_port = m->listen_port,
		.has_interface = m->private_written != 0,
		.host = r->q->host,
		.exit_node = exit_node };

	(void)t;
	IPC_STR(cfg, exit_node, exit_node);
	begin_export(r, export_wgconf(&r->exp, r->q->nm, &o, &r->out));
}

static void
answer_hosts(struct reader *r, const struct ipc_query *m, const struct querytail *t)
{
	char hostname[sizeof(m->hostname) + 1];

	(void)t;
	IPC_STR(m, hostname, hostname);
	begin_export(r, export_hosts(&r->exp, r->q->nm, hostname));
}

static void
answer_watch(struct reader *r, uint64_t events)
{
	struct early *e, *next;

	watch_begin(r, events);
	if (r->begun) {
		(void)reader_push(r);
		return;
	}
	TAILQ_FOREACH_SAFE(e, &r->q->early, link, next) {
		if (e->id != r->id)
			continue;
		struct notice *t = e->what;

		t->refs++;
		forget_early(r->q, e);
		watch_notice(r, t); /* may close r: there is no other event for it */
		notice_unref(t);
		return;
	}
}

static void
answer(struct reader *r, const struct ipc_query *m)
{
	static void (*const handlers[IPC_Q_COUNT])(struct reader *, const struct ipc_query *,
	    const struct querytail *) = {
#define HANDLER_SPLIT(id)
#define HANDLER_WHOLE(id)
#define HANDLER_QUERY(id)                                                 [IPC_Q_##id] = answer_##id,
#define C(id, name, class, min, max, tail, usage, run, args, help, words) HANDLER_##tail(id)
#define T(name, run, args, help, words)
		COMMANDS(C, T)
#undef C
#undef T
	};
	struct querytail t;
	char usage[80];

	if (m->verb == IPC_Q_WATCH_NETMAP) {
		answer_watch(r, m->events);
		return;
	}
	if (querytail_read(&t, m) == -1)
		reader_error(r, ERR_USAGE, querytail_usage(m->verb, usage, sizeof(usage)));
	else
		handlers[m->verb](r, m, &t);
	(void)reader_push(r);
}

/* The parent no longer counts a client that it handed over: the same limits apply here (interface.md 3). */
static int
room_for(const struct query *q, uint32_t uid)
{
	const struct reader *r;
	unsigned same = 0;

	TAILQ_FOREACH(r, &q->readers, link)
		same += r->uid == uid;
	return clients_fit(q->n, same, uid);
}

void
query_handle(struct query *q, uint32_t id, const struct ipc_query *m, int fd)
{
	struct reader *r = room_for(q, m->uid) ? reader_new(q, id, m->uid, fd) : NULL;

	if (r == NULL) {
		(void)send(fd, CLIENTS_BUSY, strlen(CLIENTS_BUSY), MSG_NOSIGNAL | MSG_DONTWAIT);
		reader_drain(fd);
		close(fd);
		return;
	}
	answer(r, m);
}

/* --- events --- */

static void
keep_early(struct query *q, uint32_t id, struct notice *t)
{
	struct early *e;

	if (q->nearly == EARLY_MAX)
		forget_early(q, TAILQ_FIRST(&q->early));
	e = xmalloc(sizeof(*e));
	e->id = id;
	e->what = t;
	t->refs++;
	TAILQ_INSERT_TAIL(&q->early, e, link);
	q->nearly++;
}

void
query_event(struct query *q, uint32_t id, const char *body, size_t n)
{
	struct notice *t = notice_new(body, n, 1);
	struct reader *r, *next;
	int found = 0;

	TAILQ_FOREACH_SAFE(r, &q->readers, link, next) {
		if (!r->watch || (id != IPC_ID_NONE && r->id != id))
			continue;
		found = 1;
		watch_notice(r, t);
	}
	if (!found && id != IPC_ID_NONE)
		keep_early(q, id, t);
	notice_unref(t);
}

/*
 * --- old maps ---
 *
 * An answer is read from the map of one moment, which is kept until all is written, also when the server sends whole
 * maps meanwhile. An old map costs as much memory as the present one, so their number is limited.
 */

/* The newest generation older than `than` that is being read, and its map; NULL if there is none. */
static const struct view *
next_older(const struct query *q, uint64_t *than)
{
	const struct view *v = NULL;
	const struct reader *r;
	uint64_t found = 0;

	TAILQ_FOREACH(r, &q->readers, link)
		if (reader_view(r) != NULL && r->generation < *than && (v == NULL || r->generation > found)) {
			found = r->generation;
			v = reader_view(r);
		}
	*than = found;
	return v;
}

/* Generations from this one on are kept for their readers: the last one, and older ones that fit into old_maps. */
static uint64_t
oldest_kept(const struct query *q)
{
	uint64_t than = q->generation > 0 ? q->generation - 1 : 0, kept = than;
	const struct view *v;
	size_t sum = 0, n;

	for (; (v = next_older(q, &than)) != NULL; kept = than) {
		n = view_bytes(v);
		if (n > q->old_maps - sum)
			break;
		sum += n;
	}
	return kept;
}

/* --- changes of the netmap --- */

static int
anyone_watching(const struct query *q)
{
	const struct reader *r;

	TAILQ_FOREACH(r, &q->readers, link)
		if (r->watch && r->begun && !r->events.want_full)
			return 1;
	return 0;
}

void
query_changed(struct query *q, const struct netmap_change *ch)
{
	struct notice *t = NULL;
	struct reader *r, *next;
	uint64_t kept = 0;

	if (ch->full) {
		q->generation++;
		kept = oldest_kept(q);
	}
	if (!ch->full && anyone_watching(q))
		t = watch_delta(q->nm, ch);
	TAILQ_FOREACH_SAFE(r, &q->readers, link, next) {
		if (r->work != WORK_NONE && r->generation < kept)
			reader_abort(r, ERR_TIMEOUT,
			    "incomplete: the network map was replaced too often during the answer");
		else if (r->watch)
			watch_change(r, ch, t);
	}
	notice_unref(t);
}

void
query_dropped(struct query *q)
{
	struct reader *r, *next;

	TAILQ_FOREACH_SAFE(r, &q->readers, link, next) {
		if (r->work != WORK_NONE)
			reader_abort(r, ERR_NO_NETMAP, "incomplete: the network map was removed");
		else if (r->watch)
			watch_dropped(r);
	}
}
