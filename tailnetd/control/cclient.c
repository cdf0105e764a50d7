/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <sodium.h>

#include "cclient.h"
#include "clients.h"
#include "command.h"
#include "control_int.h"
#include "doctor.h"
#include "eventwatch.h"
#include "jsonwrite.h"
#include "peerfd.h"

#define FIRST_LINE_MS 5000
#define WRITE_MS      30000         /* a client that reads nothing for this time is closed */
#define LINGER_MS     2000          /* the time and ... */
#define LINGER_MAX    (512u * 1024) /* ... the bytes for which one that sends more than its command is still read */
#define HALF_MS       5000          /* how often a client that only listens is asked whether it is still there */
#define READ_MAX      4096          /* at a time */

/* The descriptor is what is left of it. */
static int
forget(struct cclient *cc)
{
	struct event *evs[] = { cc->rd, cc->wr };
	struct control *c = cc->ctl;
	int fd = cc->fd;
	size_t i;

	TAILQ_REMOVE(&c->clients, cc, entry);
	c->n--;
	if (cc->phase == CC_WATCHING)
		watchers_remove(c->watchers, cc);
	if (cc->wants_doctor)
		doctor_abandon(c->doctor);
	for (i = 0; i < sizeof(evs) / sizeof(evs[0]); i++)
		if (evs[i] != NULL)
			event_free(evs[i]);
	timer_free(&cc->deadline);
	if (buf_len(&cc->in) > 0)
		sodium_memzero(buf_ptr(&cc->in), buf_len(&cc->in)); /* it may have held an auth key */
	buf_free(&cc->in);
	buf_free(&cc->out);
	free(cc);
	return fd;
}

void
cclient_close(struct cclient *cc)
{
	peerfd_close(forget(cc));
}

int
cclient_release(struct cclient *cc)
{
	int fd = forget(cc);

	peerfd_hand_over(fd);
	return fd;
}

/*
 * The answer is complete.  Read the remaining input first, or the kernel resets the connection before the client has
 * read the answer; wait a short time for a client that is still sending.
 */
static void
finish_reading(struct cclient *cc)
{
	char junk[4096];
	ssize_t n = 1;

	while (cc->excess <= LINGER_MAX && (n = peerfd_recv(cc->fd, junk, sizeof(junk))) > 0)
		cc->excess += (size_t)n;
	if (cc->excess == 0 || cc->excess > LINGER_MAX || n == 0) {
		cclient_close(cc);
		return;
	}
	if (cc->phase != CC_LINGERING) {
		cc->phase = CC_LINGERING;
		(void)shutdown(cc->fd, SHUT_WR);
		(void)timer_set_ms(&cc->deadline, LINGER_MS);
		event_add(cc->rd, NULL);
	}
}

/* Writes what the socket takes.  cc may be freed. */
static void
write_out(struct cclient *cc)
{
	while (buf_len(&cc->out) > 0 || (cc->phase == CC_WATCHING && watchers_more(cc))) {
		ssize_t n = send(cc->fd, buf_ptr(&cc->out), buf_len(&cc->out), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			event_add(cc->wr, NULL);
			return;
		}
		if (n <= 0) {
			cclient_close(cc);
			return;
		}
		buf_consume(&cc->out, (size_t)n);
		if (cc->phase == CC_WRITING)
			(void)timer_set_ms(&cc->deadline, WRITE_MS);
	}
	if (cc->phase == CC_WRITING)
		finish_reading(cc);
	else if (cc->out.failed) /* no memory for an event */
		cclient_close(cc);
	else if (cc->phase == CC_WATCHING)
		watchers_drained(cc);
}

void
cclient_flush(struct cclient *cc)
{
	if (cc->out.failed)
		cclient_close(cc);
	else
		write_out(cc);
}

static void
put_error(struct buf *out, enum errcode code, const char *message)
{
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w);
	jw_key(&w, "error");
	jw_obj(&w);
	jw_kstr(&w, "code", errcode_text(code));
	jw_kstr(&w, "message", message);
	jw_obj_end(&w);
	jw_obj_end(&w);
	buf_putc(out, '\n');
}

void
cclient_finish(struct cclient *cc)
{
	cc->phase = CC_WRITING;
	event_del(cc->rd);
	(void)timer_set_ms(&cc->deadline, WRITE_MS);
	if (cc->out.failed) { /* no part of it was sent yet */
		buf_reset(&cc->out);
		put_error(&cc->out, ERR_INTERNAL, "no memory for the answer");
	}
	cclient_flush(cc);
}

void
cclient_listen(struct cclient *cc)
{
	event_add(cc->rd, NULL);
}

void
cclient_ok(struct cclient *cc)
{
	buf_puts(&cc->out, "{\"ok\":true}\n");
	cclient_finish(cc);
}

void
cclient_error(struct cclient *cc, enum errcode code, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_error(&cc->out, code, text);
	cclient_finish(cc);
}

static void
writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	write_out(arg);
}

static void
deadline_over(void *arg)
{
	struct cclient *cc = arg;

	if (cc->phase == CC_READING)
		cclient_error(cc, ERR_TIMEOUT, "no complete command within %d seconds", FIRST_LINE_MS / 1000);
	else if ((cc->phase == CC_WATCHING || cc->phase == CC_WAITING) && !client_hung_up(cc->fd))
		(void)timer_set_ms(&cc->deadline, HALF_MS);
	else
		cclient_close(cc);
}

/* The line is complete, or never will be. */
static void
read_line(struct cclient *cc, int eof)
{
	char *line = (char *)buf_ptr(&cc->in), *nl;
	size_t n = buf_len(&cc->in), max;

	max = command_is_set(line, n) ? CONTROL_LINE_SET : CONTROL_LINE;
	nl = n > 0 ? memchr(line, '\n', n) : NULL;
	if (nl == NULL && n < max) {
		if (eof)
			cclient_close(cc); /* closed in the middle of a line */
		return;
	}
	if (nl == NULL || (size_t)(nl - line) >= max) {
		cc->excess = n - max + 1;
		cclient_error(cc, ERR_TOO_LARGE, "a command has at most %zu bytes", max);
		return;
	}
	timer_stop(&cc->deadline);
	event_del(cc->rd);
	*nl = '\0';
	if (nl > line && nl[-1] == '\r')
		*--nl = '\0';
	command_run(cc, line, (size_t)(nl - line));
}

/* A client that waits or watches: its input is read and ignored; it may still listen when it has finished sending. */
static void
listener_readable(struct cclient *cc, ssize_t n)
{
	if (n > 0)
		return;
	event_del(cc->rd);
	if (n == -1 || client_hung_up(cc->fd))
		cclient_close(cc);
	else
		(void)timer_set_ms(&cc->deadline, HALF_MS);
}

/* Room for a whole line at once: a buffer that grows with an auth key in it would leave a copy behind. */
static int
append_input(struct buf *in, const uint8_t *p, size_t n)
{
	if (buf_len(in) == 0 && buf_reserve(in, CONTROL_LINE + READ_MAX) == NULL)
		return -1;
	return buf_put(in, p, n);
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	struct cclient *cc = arg;
	uint8_t text[READ_MAX];
	ssize_t n;
	int rv, err;

	(void)what;
	n = peerfd_recv(fd, text, sizeof(text));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (cc->phase == CC_WATCHING || cc->phase == CC_WAITING) {
		listener_readable(cc, n);
		return;
	}
	if (cc->phase == CC_LINGERING) {
		if (n > 0) {
			cc->excess += (size_t)n;
			finish_reading(cc);
		} else
			cclient_close(cc);
		return;
	}
	rv = n > 0 ? append_input(&cc->in, text, (size_t)n) : 0;
	err = errno;
	sodium_memzero(text, sizeof(text));
	if (rv == -1) {
		cc->excess = 1;
		if (err == ENOMEM)
			cclient_error(cc, ERR_INTERNAL, "out of memory");
		else
			cclient_error(cc, ERR_TOO_LARGE, "the command is too long");
	} else
		read_line(cc, n <= 0);
}

void
cclient_new(struct control *c, int fd, uid_t uid, gid_t gid, enum ipc_query_class class)
{
	struct cclient *cc = calloc(1, sizeof(*cc));

	if (cc == NULL) {
		peerfd_close(fd);
		return;
	}
	cc->uid = uid;
	cc->gid = gid;
	cc->ctl = c;
	cc->fd = fd;
	cc->class = class;
	buf_init(&cc->in, CONTROL_LINE_SET + 1);
	buf_init(&cc->out, CONTROL_OUT_MAX);
	cc->rd = event_new(c->ops.base, fd, EV_READ | EV_PERSIST, readable, cc);
	cc->wr = event_new(c->ops.base, fd, EV_WRITE, writable, cc);
	TAILQ_INSERT_TAIL(&c->clients, cc, entry);
	c->n++;
	if (timer_init(&cc->deadline, c->ops.base, deadline_over, cc) == -1 || cc->rd == NULL || cc->wr == NULL) {
		cclient_close(cc); /* no memory */
		return;
	}
	(void)timer_set_ms(&cc->deadline, FIRST_LINE_MS);
	event_add(cc->rd, NULL);
}
