/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "reader.h"
#include "log.h"
#include "text.h"

#define LOW_WATER    (8u << 10)  /* below this a client is given more to write */
#define BATCH        (24u << 10) /* put together in one go: bounds how long the loop is held up */
#define TICK_SECONDS 5
#define EARLY_MAX    32
#define INPUT_MAX    (512u << 10) /* more than a socket holds */

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)client_push(arg);
}

/* The other side is gone for good: not just done with sending (as `printf .. | nc` is). */
static int
hung_up(const struct client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	char junk[512];
	ssize_t n;

	(void)what;
	n = recv(fd, junk, sizeof(junk), MSG_DONTWAIT);
	if (n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR)))
		return; /* more words than one line: not for us */
	event_del(c->readable);
	c->half_closed = 1;
	if (n == -1 || hung_up(c))
		client_close(c);
}

static void
end_work(struct client *c)
{
	if (c->work == WORK_DUMP)
		dump_end(&c->dump);
	else if (c->work == WORK_EXPORT)
		export_end(&c->exp);
	c->work = WORK_NONE;
}

/* Unread input would turn the end of our answer into a reset.  Who goes on sending for ever does not keep us here. */
static void
drain_input(int fd)
{
	char junk[4096];
	size_t left = INPUT_MAX;
	ssize_t n;

	while (left > 0 && (n = recv(fd, junk, sizeof(junk), MSG_DONTWAIT)) > 0)
		left -= (size_t)n < left ? (size_t)n : left;
}

void
client_close(struct client *c)
{
	TAILQ_REMOVE(&c->q->clients, c, link);
	c->q->n--;
	end_work(c);
	if (c->watch)
		watch_free(c);
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	drain_input(c->fd);
	close(c->fd);
	pb_free(&c->out);
	free(c);
}

/* Go on with what fills out.  1 = there is more to come. */
static int
work(struct client *c)
{
	int more = 0;

	if (c->work == WORK_DUMP)
		more = dump_more(&c->dump, &c->out, BATCH);
	else if (c->work == WORK_EXPORT)
		more = export_more(&c->exp, &c->out, BATCH);
	if (more)
		return 1;
	if (c->watch)
		watch_full_done(c);
	else if (c->work == WORK_DUMP && !c->dump.lines)
		pb_byte(&c->out, '\n');
	end_work(c);
	return 1;
}

/* Fill out to the low-water mark.  0, or -1: out of memory. */
static int
fill(struct client *c)
{
	size_t before;
	int r;

	if (c->off > 0) {
		memmove(c->out.p, c->out.p + c->off, c->out.n - c->off);
		c->out.n -= c->off;
		c->off = 0;
	}
	while (c->out.n < LOW_WATER) {
		before = c->out.n;
		if (c->work != WORK_NONE)
			r = work(c);
		else if (c->watch)
			r = watch_next(c);
		else
			r = 0;
		if (r == -1)
			return -1;
		if (r == 0)
			break;
		if (c->work == WORK_EXPORT && c->out.n == before)
			break; /* scanning: let others have their turn */
	}
	return 0;
}

/* 1 = the socket is full, 0 = everything written, -1 = the client is gone. */
static int
drain(struct client *c)
{
	ssize_t n;

	while (c->off < c->out.n) {
		n = send(c->fd, c->out.p + c->off, c->out.n - c->off, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 1 : -1;
		c->off += (size_t)n;
		c->progress_ms = time_mono_ms();
	}
	if (c->out.n > 0)
		c->last = c->out.p[c->out.n - 1];
	c->off = c->out.n = 0;
	return 0;
}

int
client_push(struct client *c)
{
	int full;

	if (c->out.n - c->off < LOW_WATER && fill(c) == -1) {
		log_warnx("control client dropped: out of memory");
		client_close(c);
		return -1;
	}
	if ((full = drain(c)) == -1) {
		client_close(c);
		return -1;
	}
	/* What there is to say when all was written, like the map that a lagged watcher is owed. */
	if (!full && c->watch && fill(c) == -1) {
		log_warnx("control client dropped: out of memory");
		client_close(c);
		return -1;
	}
	if (full || c->out.n > 0 || c->work != WORK_NONE || (c->watch && !TAILQ_EMPTY(&c->queue))) {
		event_add(c->writable, NULL);
		return 0;
	}
	event_del(c->writable);
	c->progress_ms = time_mono_ms();
	if (!c->watch) {
		client_close(c);
		return -1;
	}
	if (c->out.cap > BATCH)
		pb_free(&c->out);
	return 0;
}

/* --- who stands still --- */

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct query *q = arg;
	struct client *c, *next;
	uint64_t now = time_mono_ms();

	(void)fd;
	(void)what;
	TAILQ_FOREACH_SAFE(c, &q->clients, link, next) {
		int busy = c->work != WORK_NONE || (!c->watch && c->off < c->out.n);

		if ((busy && now - c->progress_ms > QUERY_STALL_SECONDS * 1000u) || (c->half_closed && hung_up(c)))
			client_close(c);
	}
}

struct query *
query_new(struct event_base *base, struct netmap *nm)
{
	struct query *q = calloc(1, sizeof(*q));
	struct timeval tv = { TICK_SECONDS, 0 };

	if (q == NULL)
		return NULL;
	q->base = base;
	q->nm = nm;
	q->old_maps = QUERY_OLD_MAPS;
	TAILQ_INIT(&q->clients);
	TAILQ_INIT(&q->early);
	if ((q->tick = event_new(base, -1, EV_PERSIST, on_tick, q)) == NULL) {
		free(q);
		return NULL;
	}
	event_add(q->tick, &tv);
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
	while (!TAILQ_EMPTY(&q->clients))
		client_close(TAILQ_FIRST(&q->clients));
	while (!TAILQ_EMPTY(&q->early))
		forget_early(q, TAILQ_FIRST(&q->early));
	event_free(q->tick);
	free(q);
}

unsigned
query_clients(const struct query *q)
{
	return q->n;
}

/* --- answers --- */

static void
answer_error(struct client *c, const char *code, const char *text)
{
	pb_printf(&c->out, "{\"error\":{\"code\":\"%s\",\"message\":", code);
	pb_quote(&c->out, text, strlen(text));
	pb_puts(&c->out, "}}\n");
}

/*
 * The answer cannot be finished.  What is out already may well end behind a line: the last line says that it is not all
 * (for `wg setconf` it is a line that it refuses).
 */
static void
break_off(struct client *c, const char *code, const char *text)
{
	uint8_t last = c->out.n > c->off ? c->out.p[c->out.n - 1] : c->last;

	end_work(c);
	if (c->watch)
		watch_free(c);
	c->watch = 0;
	if (last != 0 && last != '\n')
		pb_byte(&c->out, '\n');
	answer_error(c, code, text);
	(void)client_push(c);
}

static void
no_netmap(struct client *c)
{
	if (c->q->nm->cur == NULL)
		answer_error(c, "no-netmap", "there is no network map yet");
	else
		answer_error(c, "busy", "too many readers");
}

/* "limit=N" "after=ID", each at most once. */
static int
parse_peers_args(char *args, uint64_t *limit, int *has_after, int64_t *after)
{
	char *word, *save = NULL;
	int has_limit = 0;
	int64_t v;

	*limit = UINT64_MAX;
	*has_after = 0;
	for (word = strtok_r(args, " \t", &save); word != NULL; word = strtok_r(NULL, " \t", &save)) {
		if (strncmp(word, "limit=", 6) == 0 && !has_limit &&
		    text_to_i64(word + 6, strlen(word + 6), 0, INT64_MAX, &v) == 0) {
			*limit = (uint64_t)v;
			has_limit = 1;
		} else if (strncmp(word, "after=", 6) == 0 && !*has_after &&
		    text_to_i64(word + 6, strlen(word + 6), INT64_MIN, INT64_MAX, after) == 0)
			*has_after = 1;
		else
			return -1;
	}
	return 0;
}

static void
answer_peers(struct client *c, char *args)
{
	uint64_t limit;
	int64_t after = 0;
	int has_after;

	if (parse_peers_args(args, &limit, &has_after, &after) == -1) {
		answer_error(c, "usage", "usage: peers [limit=N] [after=ID]");
		return;
	}
	if (dump_peers(&c->dump, c->q->nm, limit, has_after, after) == -1) {
		dump_end(&c->dump);
		no_netmap(c);
		return;
	}
	c->work = WORK_DUMP;
}

static void
answer_peer(struct client *c, const char *what)
{
	struct netmap *nm = c->q->nm;
	const struct node *n;

	if (what[0] == '\0' || strpbrk(what, " \t") != NULL) {
		answer_error(c, "usage", "usage: peer NAME|IP|KEY|ID");
		return;
	}
	if (nm->cur == NULL) {
		no_netmap(c);
		return;
	}
	if ((n = find_peer(nm, what)) == NULL) {
		answer_error(c, "invalid", "no such peer");
		return;
	}
	node_print(&c->out, n, nm->cur->peers->dict);
	pb_byte(&c->out, '\n');
}

static void
answer_export(struct client *c, const struct ipc_query *m, const char *args)
{
	char exit_node[IPC_NAME_MAX + 1];
	struct wgconf_options o = { .accept_routes = m->accept_routes != 0,
		.listen_port = m->listen_port,
		.has_interface = m->private_written != 0,
		.exit_node = exit_node };
	int r;

	memcpy(exit_node, m->exit_node, m->exit_node_len);
	exit_node[m->exit_node_len] = '\0';
	if (args[0] != '\0' && !(m->verb == IPC_Q_WGCONF && m->private_written && strcmp(args, "private") == 0)) {
		answer_error(c, "usage", m->verb == IPC_Q_HOSTS ? "usage: hosts" : "usage: wgconf [private]");
		return;
	}
	r = m->verb == IPC_Q_HOSTS ? export_hosts(&c->exp, c->q->nm) : export_wgconf(&c->exp, c->q->nm, &o, &c->out);
	if (r == -1) {
		export_end(&c->exp);
		no_netmap(c);
		return;
	}
	c->work = WORK_EXPORT;
}

static void
answer_watch(struct client *c, uint64_t events)
{
	struct early *e, *next;

	watch_begin(c, events);
	if (c->begun) {
		(void)client_push(c);
		return;
	}
	TAILQ_FOREACH_SAFE(e, &c->q->early, link, next) {
		if (e->id != c->id)
			continue;
		struct notice *t = e->what;

		t->refs++;
		forget_early(c->q, e);
		watch_notice(c, t); /* may close c: it is the only one for it */
		notice_unref(t);
		return;
	}
}

static void
answer(struct client *c, const struct ipc_query *m)
{
	char args[IPC_LINE_MAX + 1], *a = args, *end;

	memcpy(args, m->data, m->data_len);
	end = args + m->data_len;
	while (end > a && (end[-1] == ' ' || end[-1] == '\r' || end[-1] == '\t'))
		end--;
	*end = '\0';
	while (*a == ' ' || *a == '\t')
		a++;
	switch (m->verb) {
	case IPC_Q_NETMAP:
		if (dump_netmap(&c->dump, c->q->nm) == -1) {
			dump_end(&c->dump);
			no_netmap(c);
			break;
		}
		c->work = WORK_DUMP;
		break;
	case IPC_Q_PEERS: answer_peers(c, a); break;
	case IPC_Q_PEER: answer_peer(c, a); break;
	case IPC_Q_WATCH_NETMAP: answer_watch(c, m->events); return;
	default: answer_export(c, m, a); break;
	}
	(void)client_push(c);
}

static struct client *
client_new(struct query *q, uint32_t id, uint32_t uid, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	int flags = fcntl(fd, F_GETFL);

	if (c == NULL || flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1) {
		free(c);
		return NULL;
	}
	c->q = q;
	c->fd = fd;
	c->id = id;
	c->uid = uid;
	c->generation = q->generation;
	c->progress_ms = time_mono_ms();
	TAILQ_INIT(&c->queue);
	c->readable = event_new(q->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(q->base, fd, EV_WRITE, on_writable, c);
	if (c->readable == NULL || c->writable == NULL || event_add(c->readable, NULL) == -1) {
		if (c->readable != NULL)
			event_free(c->readable);
		if (c->writable != NULL)
			event_free(c->writable);
		free(c);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&q->clients, c, link);
	q->n++;
	return c;
}

/* A client that was handed over does not count at the parent's door any more: the same limits hold here. */
static int
room_for(const struct query *q, uint32_t uid)
{
	const struct client *c;
	unsigned same = 0;

	if (uid == 0)
		return q->n < QUERY_MAX_CLIENTS + QUERY_MAX_ROOT;
	TAILQ_FOREACH(c, &q->clients, link)
		same += c->uid == uid;
	return q->n < QUERY_MAX_CLIENTS && same < QUERY_MAX_UID;
}

void
query_handle(struct query *q, uint32_t id, const struct ipc_query *m, int fd)
{
	static const char busy[] = "{\"error\":{\"code\":\"busy\",\"message\":\"too many clients\"}}\n";
	struct client *c = room_for(q, m->uid) ? client_new(q, id, m->uid, fd) : NULL;

	if (c == NULL) {
		(void)send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		drain_input(fd);
		close(fd);
		return;
	}
	answer(c, m);
}

/* --- events --- */

static void
keep_early(struct query *q, uint32_t id, struct notice *t)
{
	struct early *e;

	if (q->nearly == EARLY_MAX)
		forget_early(q, TAILQ_FIRST(&q->early));
	if ((e = malloc(sizeof(*e))) == NULL)
		return;
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
	struct client *c, *next;
	int found = 0;

	if (t == NULL)
		return;
	TAILQ_FOREACH_SAFE(c, &q->clients, link, next) {
		if (!c->watch || (id != IPC_ID_NONE && c->id != id))
			continue;
		found = 1;
		watch_notice(c, t);
	}
	if (!found && id != IPC_ID_NONE)
		keep_early(q, id, t);
	notice_unref(t);
}

static int
anyone_watching(const struct query *q)
{
	const struct client *c;

	TAILQ_FOREACH(c, &q->clients, link)
		if (c->watch && c->begun && !c->want_full)
			return 1;
	return 0;
}

void
query_changed(struct query *q, const struct netmap_change *ch)
{
	struct notice *t = NULL;
	struct client *c, *next;
	uint64_t kept = 0;

	if (ch->full) {
		q->generation++;
		kept = query_oldest_kept(q);
	}
	if (!ch->full && anyone_watching(q))
		t = watch_delta(q->nm, ch);
	TAILQ_FOREACH_SAFE(c, &q->clients, link, next) {
		if (c->work != WORK_NONE && c->generation < kept)
			break_off(c, "timeout",
			    "incomplete: the network map was replaced too often while this was read");
		else if (c->watch)
			watch_change(c, ch, t);
	}
	notice_unref(t);
}

void
query_dropped(struct query *q)
{
	struct client *c, *next;

	TAILQ_FOREACH_SAFE(c, &q->clients, link, next) {
		if (c->work != WORK_NONE)
			break_off(c, "no-netmap", "incomplete: the network map is gone");
		else if (c->watch)
			watch_dropped(c);
	}
}
