/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "buf.h"
#include "ctl.h"
#include "errcode.h"
#include "jget.h"
#include "out.h"
#include "scan.h"
#include "sock.h"
#include "timefmt.h"
#include "words.h"

#define CONNECT_MS 20
#define REFUSED_MS 500
#define SNIFF      8192 /* bytes of the last line of a relayed answer that are searched for an error object */

/*
 * 0, or an errno.  While the queue of new connections is full it tries again: the daemon may be about to accept.  On
 * OpenBSD that is ECONNREFUSED, as without a daemon, so it is believed after half a second only.
 */
static int
connect_within(int fd, const struct sockaddr_un *sun, int limit_ms)
{
	uint64_t now = time_mono_ms(), until = now + (uint64_t)limit_ms, believe = now + REFUSED_MS;

	while (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == -1) {
		if (errno == ECONNREFUSED ? time_mono_ms() >= believe : errno != EAGAIN && errno != EINTR)
			return errno;
		if (time_mono_ms() >= until)
			return ETIMEDOUT;
		poll(NULL, 0, CONNECT_MS);
	}
	return 0;
}

static int
no_answer(const struct ctl *c)
{
	return ctl_fail(c, CTL_TIMEOUT, "no answer from tailnetd within %d s (option -t)", c->limit_ms / 1000);
}

int
ctl_connect(const struct ctl *c, int *fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int err;

	if (strlcpy(sun.sun_path, c->socket, sizeof(sun.sun_path)) >= sizeof(sun.sun_path))
		return ctl_fail(c, CTL_USAGE, "socket path too long: %s", c->socket);
	if ((*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
		return ctl_fail(c, CTL_ERROR, "socket: %s", strerror(errno));
	if ((err = connect_within(*fd, &sun, c->limit_ms)) == 0)
		return CTL_OK;
	close(*fd);
	switch (err) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		return ctl_fail(c, CTL_DOWN,
		    "tailnetd is not running (%s: %s): start it, or, if its control-socket is another one, name that "
		    "with -s",
		    c->socket, strerror(err));
	case ETIMEDOUT: return no_answer(c);
	case EACCES:
	case EPERM:
		return ctl_fail(c, CTL_DENIED,
		    "%s: %s. You need to be root, the control-operator or a member of the control-group", c->socket,
		    strerror(err));
	default: return ctl_fail(c, CTL_ERROR, "%s: %s", c->socket, strerror(err));
	}
}

int
ctl_ask(const struct ctl *c, struct source *s, const char *line, size_t n)
{
	struct pollfd p = { .events = POLLOUT };
	ssize_t sent;
	int fd = -1, rc; /* for -flto, which does not see that ctl_connect() sets it */

	if ((rc = ctl_connect(c, &fd)) != CTL_OK)
		return rc;
	p.fd = fd;
	source_init(s, fd, c->limit_ms);
	while (n > 0) {
		if ((sent = send(fd, line, n, MSG_NOSIGNAL)) == -1) {
			if (errno == EINTR || (errno == EAGAIN && poll(&p, 1, c->limit_ms) == 1))
				continue;
			if (errno == EAGAIN) {
				source_close(s);
				return no_answer(c);
			}
			/* The daemon may have answered and hung up before it read: the answer says why. */
			if (errno == EPIPE || errno == ECONNRESET)
				break;
			rc = ctl_fail(c, CTL_ERROR, "%s: %s", c->socket, strerror(errno));
			source_close(s);
			return rc;
		}
		line += sent;
		n -= (size_t)sent;
	}
	return CTL_OK;
}

int
ctl_ask_words(const struct ctl *c, struct source *s, const char *verb, int argc, char **argv)
{
	struct buf line;
	const char *why;
	int rc;

	buf_init(&line, CTL_LINE_MAX + 1);
	if (words_line(&line, verb, argc, argv, CTL_LINE_MAX, &why) == -1)
		rc = ctl_fail(c, CTL_USAGE, "%s: %s", verb, why);
	else
		rc = ctl_ask(c, s, (char *)buf_ptr(&line), buf_len(&line));
	buf_free(&line);
	return rc;
}

int
ctl_error_code(const char *code)
{
	static const int exits[ERR_COUNT + 1] = {
#define E(id, text, exit) [ERR_##id] = CTL_##exit,
		ERROR_CODES(E)
#undef E
		    [ERR_COUNT] = CTL_ERROR /* of a later daemon */
	};

	return exits[errcode_parse(code)];
}

int
ctl_answer_error(const struct ctl *c, struct json_object *o)
{
	struct json_object *e;
	const char *code, *message;

	if (json_get_obj(o, "error", &e) != 1)
		return CTL_OK;
	code = jstr(e, "code");
	message = jstr(e, "message");
	return ctl_fail(c, ctl_error_code(code), "%s (%s)", message[0] ? message : "the daemon refused", code);
}

int
ctl_lost(const struct ctl *c, const struct source *s)
{
	if (s->err == ETIMEDOUT)
		return no_answer(c);
	if (s->err == EPROTO)
		return ctl_fail(c, CTL_ERROR, "tailnetd's answer cannot be read: %s", s->why);
	if (s->err != 0)
		return ctl_fail(c, CTL_ERROR, "%s: %s", c->socket, strerror(s->err));
	return ctl_fail(c, CTL_ERROR, "tailnetd closed the connection without an answer");
}

int
ctl_cut_off(const struct ctl *c)
{
	return ctl_fail(c, CTL_ERROR, "tailnetd's answer ends in the middle");
}

int
ctl_answer(const struct ctl *c, struct source *s, struct json_object **o)
{
	int rc;

	if (s->deadline_ms == 0) /* one value, from one process: bytes now and then are no progress */
		s->deadline_ms = time_mono_ms() + (uint64_t)c->limit_ms;
	if (scan_json(s, o) != 1)
		return ctl_lost(c, s);
	if ((rc = ctl_answer_error(c, *o)) != CTL_OK) {
		json_object_put(*o);
		*o = NULL;
	}
	return rc;
}

int
ctl_error_line(const struct ctl *c, char *line, size_t n)
{
	struct source s;
	struct json_object *o = NULL, *e;
	int rc = CTL_OK;

	if (n < 9 || memcmp(line, "{\"error\":", 9) != 0)
		return CTL_OK;
	source_init(&s, -1, -1);
	s.buf = line;
	s.len = n;
	if (scan_json(&s, &o) == 1 && json_get_obj(o, "error", &e) == 1)
		rc = c != NULL ? ctl_answer_error(c, o) : ctl_error_code(jstr(e, "code"));
	json_object_put(o);
	return rc;
}

struct lines {           /* of an answer that is relayed */
	struct buf last; /* the received beginning of the last one that is not empty */
	int ended;       /* it is whole */
	struct endmark mark;
};

static void
keep_line(struct lines *l, const char *p, size_t n)
{
	const char *nl;
	size_t len, room;

	for (; n > 0; p += len, n -= len) {
		if (*p == '\n') {
			if (!l->ended)
				endmark_line(&l->mark, (char *)buf_ptr(&l->last), buf_len(&l->last));
			l->ended = 1;
			len = 1;
			continue;
		}
		nl = memchr(p, '\n', n);
		len = nl != NULL ? (size_t)(nl - p) : n;
		if (l->ended)
			buf_reset(&l->last);
		l->ended = 0;
		room = SNIFF - buf_len(&l->last);
		buf_put(&l->last, p, len < room ? len : room);
	}
}

/* What the lines say, without a complaint about an error object: it was printed. */
static int
lines_check(const struct ctl *c, struct lines *l)
{
	char *last = (char *)buf_ptr(&l->last);
	int rc = l->ended ? ctl_error_line(NULL, last, buf_len(&l->last)) : ctl_cut_off(c);

	return rc != CTL_OK ? rc : endmark_check(&l->mark, c);
}

/* An answer that could not be finished ends with an error object (see mapd/readers/query.c), or anywhere. */
int
ctl_relay(const struct ctl *c, struct source *s, enum end_kind kind)
{
	struct lines l = { .mark = { .kind = kind } };
	struct json_out j = { 0 };
	int rc, any = 0;

	buf_init(&l.last, SNIFF);
	if (buf_reserve(&l.last, SNIFF) == NULL) /* in one place: it may be a secret */
		return ctl_fail(c, CTL_ERROR, "out of memory");
	while (source_fill(s) == 1) {
		keep_line(&l, s->buf + s->off, s->len - s->off);
		if (!c->quiet)
			out_json(c->out, &j, s->buf + s->off, s->len - s->off);
		if (ferror(c->out))
			break;
		s->off = s->len;
		any = 1;
	}
	if (!c->quiet)
		out_json_end(c->out, &j);
	if (s->err != 0 || !any)
		rc = ctl_lost(c, s);
	else
		rc = lines_check(c, &l);
	explicit_bzero(l.last.mem, l.last.cap); /* `wgconf private` */
	buf_free(&l.last);
	return rc;
}

int
ctl_simple(struct ctl *c, const char *verb, int argc, char **argv, int (*show)(struct ctl *, struct json_object *))
{
	struct json_object *o = NULL;
	struct source s;
	int rc;

	if ((rc = ctl_ask_words(c, &s, verb, argc, argv)) != CTL_OK)
		return rc;
	if (c->json || c->quiet)
		rc = ctl_relay(c, &s, END_NONE);
	else if ((rc = ctl_answer(c, &s, &o)) == CTL_OK)
		rc = show(c, o);
	json_object_put(o);
	source_close(&s);
	return rc;
}

/* Success prints nothing. */
int
ctl_show_ok(struct ctl *c, struct json_object *o)
{
	return jbool(o, "ok") ? CTL_OK : ctl_fail(c, CTL_ERROR, "tailnetd did not confirm");
}
