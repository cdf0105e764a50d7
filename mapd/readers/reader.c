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

#include "clients.h"
#include "mapwatch.h"
#include "mem.h"
#include "nodeview.h"

#define LOW_WATER    (8u << 10)   /* a reader with less to write is given more */
#define BATCH        (24u << 10)  /* written in one go: bounds how long the event loop is held up */
#define SEARCH_PEERS 4000         /* looked at in one go: about 0.4 ms, of up to 64 clients */
#define INPUT_MAX    (512u << 10) /* more than a socket holds */

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)reader_push(arg);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct reader *r = arg;
	char junk[512];
	ssize_t n;

	(void)what;
	n = recv(fd, junk, sizeof(junk), MSG_DONTWAIT);
	if (n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR)))
		return; /* input after the command: ignored */
	event_del(r->readable);
	r->half_closed = 1;
	if (n == -1 || client_hung_up(r->fd))
		reader_close(r);
}

const struct view *
reader_view(const struct reader *r)
{
	return r->work == WORK_DUMP ? r->dump.walk.snap.view : r->work == WORK_EXPORT ? r->exp.walk.snap.view : NULL;
}

static void
end_work(struct reader *r)
{
	if (r->work == WORK_DUMP)
		dump_end(&r->dump);
	else if (r->work == WORK_EXPORT)
		export_end(&r->exp);
	r->work = WORK_NONE;
}

void
reader_drain(int fd)
{
	char junk[4096];
	size_t left = INPUT_MAX;
	ssize_t n;

	while (left > 0 && (n = recv(fd, junk, sizeof(junk), MSG_DONTWAIT)) > 0)
		left -= (size_t)n < left ? (size_t)n : left;
}

void
reader_close(struct reader *r)
{
	TAILQ_REMOVE(&r->q->readers, r, link);
	r->q->n--;
	end_work(r);
	if (r->watch)
		eventqueue_free(&r->events);
	event_free(r->readable);
	event_free(r->writable);
	reader_drain(r->fd);
	close(r->fd);
	pb_free(&r->out);
	free(r);
}

/* The end of the answer, as the last that is written of it (interface.md 3). */
static void
put_end(struct reader *r)
{
	char text[END_MAX];

	if (r->watch)
		watch_full_done(r);
	else if (r->work == WORK_EXPORT)
		pb_put(&r->out, text, end_text(text, r->exp.count, reader_view(r)->seq));
	else if (r->dump.lines)
		pb_put(&r->out, text, end_line(text, r->dump.count, reader_view(r)->seq));
	else
		pb_byte(&r->out, '\n');
}

void
reader_peer(struct reader *r, const struct node *n)
{
	if (n == NULL) {
		reader_error(r, ERR_INVALID, "no such peer");
		return;
	}
	node_print(&r->out, n, r->q->nm->cur->peers->dict);
	pb_byte(&r->out, '\n');
}

/* Piece by piece: any client can ask for what is not there, and the others are not to wait for that. */
static void
search(struct reader *r)
{
	const struct node *n = NULL;

	if (r->q->nm->cur != NULL)
		n = peers_search_more(r->q->nm->cur->peers, &r->search, SEARCH_PEERS);
	if (n == NULL && r->q->nm->cur != NULL && r->search.by != SEARCH_NONE)
		return;
	r->work = WORK_NONE;
	reader_peer(r, n);
}

/* Continue the answer. */
static void
work(struct reader *r)
{
	int more = 0;

	if (r->work == WORK_SEARCH) {
		search(r);
		return;
	}
	if (r->work == WORK_DUMP)
		more = dump_more(&r->dump, &r->out, BATCH);
	else if (r->work == WORK_EXPORT)
		more = export_more(&r->exp, &r->out, BATCH);
	if (more)
		return;
	put_end(r);
	end_work(r);
}

/* Fill out to the low-water mark. */
static void
fill(struct reader *r)
{
	size_t before;

	if (r->off > 0) {
		memmove(r->out.p, r->out.p + r->off, r->out.n - r->off);
		r->out.n -= r->off;
		r->off = 0;
	}
	while (r->out.n < LOW_WATER) {
		before = r->out.n;
		if (r->work != WORK_NONE)
			work(r);
		else if (!r->watch || !watch_next(r))
			break;
		if (r->work != WORK_NONE && r->out.n == before)
			break; /* scanning, checking: serve the other readers first */
	}
}

/* 1 = the socket is full, 0 = everything written, -1 = the client has closed the connection. */
static int
drain(struct reader *r)
{
	ssize_t n;

	while (r->off < r->out.n) {
		n = send(r->fd, r->out.p + r->off, r->out.n - r->off, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 1 : -1;
		r->off += (size_t)n;
		r->progress_ms = time_mono_ms();
	}
	if (r->out.n > 0)
		r->last = r->out.p[r->out.n - 1];
	r->off = r->out.n = 0;
	return 0;
}

int
reader_push(struct reader *r)
{
	int full;

	if (r->out.n - r->off < LOW_WATER)
		fill(r);
	if ((full = drain(r)) == -1) {
		reader_close(r);
		return -1;
	}
	/* What is sent only when all was written, like the map of a lagged watcher. */
	if (!full && r->watch)
		fill(r);
	if (full || r->out.n > 0 || r->work != WORK_NONE || (r->watch && !eventqueue_empty(&r->events))) {
		event_add(r->writable, NULL);
		return 0;
	}
	event_del(r->writable);
	r->progress_ms = time_mono_ms();
	if (!r->watch) {
		reader_close(r);
		return -1;
	}
	if (r->out.cap > BATCH)
		pb_free(&r->out);
	return 0;
}

void
reader_check(struct reader *r, uint64_t now_ms)
{
	int busy = r->work != WORK_NONE || (!r->watch && r->off < r->out.n);
	struct pollfd p = { .fd = r->fd, .events = POLLOUT };

	if (r->half_closed && client_hung_up(r->fd)) {
		reader_close(r);
		return;
	}
	if (!busy || now_ms - r->progress_ms <= QUERY_STALL_SECONDS * 1000u)
		return;
	if (poll(&p, 1, 0) == 0)
		reader_close(r);
	else
		r->progress_ms =
		    now_ms; /* it can be written to: it is this process that had no time, or nothing to write */
}

void
reader_error(struct reader *r, enum errcode code, const char *text)
{
	pb_printf(&r->out, "{\"error\":{\"code\":\"%s\",\"message\":", errcode_text(code));
	pb_quote(&r->out, text, strlen(text));
	pb_puts(&r->out, "}}\n");
}

void
reader_abort(struct reader *r, enum errcode code, const char *text)
{
	uint8_t last = r->out.n > r->off ? r->out.p[r->out.n - 1] : r->last;

	end_work(r);
	if (r->watch)
		eventqueue_free(&r->events);
	r->watch = 0;
	if (last != 0 && last != '\n')
		pb_byte(&r->out, '\n');
	reader_error(r, code, text);
	(void)reader_push(r);
}

void
reader_stop(struct reader *r)
{
	if (r->watch && r->work == WORK_NONE && r->off == r->out.n && eventqueue_empty(&r->events))
		reader_close(r); /* nothing is under way */
	else if (r->work != WORK_NONE || r->watch)
		reader_abort(r, ERR_SHUTTING_DOWN, "incomplete: the process that answers is ending");
	else
		(void)reader_push(r); /* the whole answer is in r->out */
}

static struct event *
on_fd(struct query *q, int fd, short what, event_callback_fn fn, struct reader *r)
{
	struct event *ev = event_new(q->base, fd, what, fn, r);

	if (ev == NULL)
		mem_exhausted();
	return ev;
}

struct reader *
reader_new(struct query *q, uint32_t id, uint32_t uid, int fd)
{
	struct reader *r;
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->q = q;
	r->fd = fd;
	r->id = id;
	r->uid = uid;
	r->generation = q->generation;
	r->progress_ms = time_mono_ms();
	r->readable = on_fd(q, fd, EV_READ | EV_PERSIST, on_readable, r);
	r->writable = on_fd(q, fd, EV_WRITE, on_writable, r);
	if (event_add(r->readable, NULL) == -1) {
		event_free(r->readable);
		event_free(r->writable);
		free(r);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&q->readers, r, link);
	q->n++;
	return r;
}
