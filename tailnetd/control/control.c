/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <sodium.h>

#include "control.h"
#include "doctor.h"
#include "log.h"
#include "parent.h"
#include "peerfd.h"
#include "text.h"
#include "eventwatch.h"

#define FIRST_LINE_S 5
#define WRITE_S      30            /* a client that reads nothing for so long is closed */
#define LINGER_S     2             /* so long, and ... */
#define LINGER_MAX   (512u * 1024) /* ... so much more is read from a client that says more than its command */
#define HALF_S       5             /* how often a client that only listens is asked whether it is still there */
#define METRICS_MS   300
#define READ_MAX     4096  /* at a time */
#define PAUSE_S      1     /* no descriptors left: accept again then */
#define FULL_MS      60000 /* and so often at most it is told */
#define ACCEPT_BATCH 128   /* in one go: a crowd that is sent away must not make others wait a turn of the loop each */
#define W_RATE       20
#define W_BURST      100

struct control {
	struct parent *p;
	int fd;
	char path[1024];
	dev_t dev; /* and what lies there */
	ino_t ino;
	struct event *accept, *resume, *counters;
	struct bucket w_rate;
	uint64_t full_ms; /* that there are no descriptors left was told then; 0 = never */
	TAILQ_HEAD(, cclient) clients;
	unsigned n;
};

/* --- one client --- */

/* The descriptor is what is left of it. */
static int
forget(struct cclient *cc)
{
	struct event *evs[] = { cc->rd, cc->wr, cc->deadline };
	struct control *c = cc->ctl;
	int fd = cc->fd;
	size_t i;

	TAILQ_REMOVE(&c->clients, cc, entry);
	c->n--;
	if (cc->phase == CC_WATCHING)
		watchers_remove(c->p->watchers, cc);
	if (cc->wants_doctor)
		doctor_abandon(c->p->doctor);
	for (i = 0; i < sizeof(evs) / sizeof(evs[0]); i++)
		if (evs[i] != NULL)
			event_free(evs[i]);
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

static void
set_deadline(struct cclient *cc, int seconds)
{
	struct timeval tv = { seconds, 0 };

	evtimer_add(cc->deadline, &tv);
}

/*
 * Everything is said.  What the client sent beyond its command is read first, or the kernel would make a reset of the end of our
 * answer; and one that is not through with sending is waited for a little, for it reads when it is.
 */
static void
part(struct cclient *cc)
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
		set_deadline(cc, LINGER_S);
		event_add(cc->rd, NULL);
	}
}

/* Writes what the socket takes.  cc may be gone afterwards. */
static void
write_out(struct cclient *cc)
{
	while (buf_len(&cc->out) > 0) {
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
			set_deadline(cc, WRITE_S);
	}
	if (cc->phase == CC_WRITING)
		part(cc);
	else if (cc->phase == CC_WATCHING)
		watchers_drained(cc->p->watchers, cc);
}

void
cclient_flush(struct cclient *cc)
{
	if (cc->out.failed)
		cclient_close(cc);
	else
		write_out(cc);
}

void
cclient_finish(struct cclient *cc)
{
	cc->phase = CC_WRITING;
	event_del(cc->rd);
	set_deadline(cc, WRITE_S);
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
cclient_error(struct cclient *cc, const char *code, const char *fmt, ...)
{
	char text[512];
	struct jw w;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	jw_init(&w, &cc->out);
	jw_obj(&w);
	jw_key(&w, "error");
	jw_obj(&w);
	jw_kstr(&w, "code", code);
	jw_kstr(&w, "message", text);
	jw_obj_end(&w);
	jw_obj_end(&w);
	buf_putc(&cc->out, '\n');
	cclient_finish(cc);
}

static void
writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	write_out(arg);
}

/* The other side is gone for good: not just done with sending (as `printf .. | nc -N` is). */
static int
hung_up(const struct cclient *cc)
{
	struct pollfd p = { .fd = cc->fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void
deadline_over(evutil_socket_t fd, short what, void *arg)
{
	struct cclient *cc = arg;

	(void)fd;
	(void)what;
	if (cc->phase == CC_READING)
		cclient_error(cc, "timeout", "no complete command within %d seconds", FIRST_LINE_S);
	else if ((cc->phase == CC_WATCHING || cc->phase == CC_WAITING) && !hung_up(cc))
		set_deadline(cc, HALF_S);
	else
		cclient_close(cc);
}

/* The line is complete, or never will be. */
static void
take_line(struct cclient *cc, int eof)
{
	char *line = (char *)buf_ptr(&cc->in), *nl;
	size_t n = buf_len(&cc->in), max;

	max = command_is_set(line, n) ? CONTROL_LINE_SET : CONTROL_LINE;
	nl = n > 0 ? memchr(line, '\n', n) : NULL;
	if (nl == NULL && n < max) {
		if (eof)
			cclient_close(cc); /* half a line and gone */
		return;
	}
	if (nl == NULL || (size_t)(nl - line) >= max) {
		cc->excess = n - max + 1;
		cclient_error(cc, "too-large", "a command has at most %zu bytes", max);
		return;
	}
	evtimer_del(cc->deadline);
	event_del(cc->rd);
	*nl = '\0';
	if (nl > line && nl[-1] == '\r')
		*--nl = '\0';
	command_run(cc, line, (size_t)(nl - line));
}

/* A client that waits or watches: what it sends is read and ignored, and that it sends no more does not mean that it does not listen. */
static void
listener_readable(struct cclient *cc, ssize_t n)
{
	if (n > 0)
		return;
	event_del(cc->rd);
	if (n == -1 || hung_up(cc))
		cclient_close(cc);
	else
		set_deadline(cc, HALF_S);
}

/* Room for a whole line at once: a buffer that grows with an auth key in it would leave a copy behind. */
static int
take_bytes(struct buf *in, const uint8_t *p, size_t n)
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
	int rv;

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
			part(cc);
		} else
			cclient_close(cc);
		return;
	}
	rv = n > 0 ? take_bytes(&cc->in, text, (size_t)n) : 0;
	sodium_memzero(text, sizeof(text));
	if (rv == -1) {
		cc->excess = 1;
		cclient_error(cc, "too-large", "the command is too long");
	} else
		take_line(cc, n <= 0);
}

/* --- accepting --- */

static int
peer_ids(int fd, uid_t *uid, gid_t *gid)
{
#ifdef __linux__
	struct ucred uc;
	socklen_t len = sizeof(uc);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &uc, &len) == -1)
		return -1;
	*uid = uc.uid;
	*gid = uc.gid;
	return 0;
#else
	return getpeereid(fd, uid, gid);
#endif
}

/* Who may connect at all is the socket's mode and group; here is who may also write (interface.md 3). */
static enum ipc_query_class
classify(const struct parent *p, uid_t uid)
{
	if (uid == 0)
		return IPC_CLASS_ROOT;
	if (uid == geteuid() || (p->ids.has_operator && uid == p->ids.operator_uid))
		return IPC_CLASS_W;
	return IPC_CLASS_R;
}

static int
over_limit(const struct control *c, uid_t uid)
{
	const struct cclient *cc;
	unsigned same = 0;

	TAILQ_FOREACH(cc, &c->clients, entry)
		same += cc->uid == uid;
	if (uid == 0)
		return c->n >= CONTROL_CLIENTS + CONTROL_CLIENTS_ROOT;
	return c->n >= CONTROL_CLIENTS || same >= CONTROL_CLIENTS_UID;
}

/* Costs as little as can be: who comes too often comes very often.  Unread words would turn the answer into a reset. */
static void
send_away(int fd)
{
	static const char busy[] = "{\"error\":{\"code\":\"busy\",\"message\":\"too many clients\"}}\n";
	char text[4096];

	(void)!peerfd_recv(fd, text, sizeof(text));
	(void)!send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	peerfd_close(fd);
}

static void
cclient_new(struct control *c, int fd)
{
	struct cclient *cc;
	uid_t uid;
	gid_t gid;

	if (peer_ids(fd, &uid, &gid) == -1 || over_limit(c, uid)) {
		send_away(fd);
		return;
	}
	if ((cc = calloc(1, sizeof(*cc))) == NULL) {
		peerfd_close(fd);
		return;
	}
	cc->uid = uid;
	cc->gid = gid;
	cc->ctl = c;
	cc->p = c->p;
	cc->fd = fd;
	cc->class = classify(c->p, cc->uid);
	buf_init(&cc->in, CONTROL_LINE_SET + 1);
	buf_init(&cc->out, CONTROL_OUT_MAX);
	cc->rd = event_new(c->p->base, fd, EV_READ | EV_PERSIST, readable, cc);
	cc->wr = event_new(c->p->base, fd, EV_WRITE, writable, cc);
	cc->deadline = evtimer_new(c->p->base, deadline_over, cc);
	TAILQ_INSERT_TAIL(&c->clients, cc, entry);
	c->n++;
	if (cc->rd == NULL || cc->wr == NULL || cc->deadline == NULL) {
		cclient_close(cc); /* no memory: who holds it will give some back */
		return;
	}
	set_deadline(cc, FIRST_LINE_S);
	event_add(cc->rd, NULL);
}

static void
tell_full(struct control *c)
{
	int err = errno;
	uint64_t now = time_mono_ms();

	if (c->full_ms != 0 && now - c->full_ms < FULL_MS)
		return;
	c->full_ms = now;
	log_warnx("control socket: accept: %s: clients have to wait", strerror(err));
}

static void
acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	struct timeval pause = { PAUSE_S, 0 };
	int cfd, i;

	(void)what;
	for (i = 0; i < ACCEPT_BATCH && (cfd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1; i++)
		cclient_new(c, cfd);
	if (i == ACCEPT_BATCH)
		return;
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		tell_full(c);
		event_del(c->accept);
		evtimer_add(c->resume, &pause);
	}
}

static void
resume_accept(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;

	(void)fd;
	(void)what;
	event_add(c->accept, NULL);
}

/* --- answers that come later --- */

void
control_logout_done(struct control *c, const char *err)
{
	struct cclient *cc, *next;

	for (cc = TAILQ_FIRST(&c->clients); cc != NULL; cc = next) {
		next = TAILQ_NEXT(cc, entry);
		if (!cc->wants_logout)
			continue;
		cc->wants_logout = 0;
		if (err == NULL)
			cclient_ok(cc);
		else
			cclient_error(cc, "internal", "%s", err);
	}
}

void
control_shutting_down(struct control *c)
{
	struct cclient *cc, *next;

	for (cc = TAILQ_FIRST(&c->clients); cc != NULL; cc = next) {
		next = TAILQ_NEXT(cc, entry);
		if (!cc->wants_logout)
			continue;
		cc->wants_logout = 0;
		cclient_error(cc, "shutting-down", "the daemon ends before the logout is done");
	}
}

void
control_counters_came(struct control *c)
{
	struct cclient *cc, *next;

	for (cc = TAILQ_FIRST(&c->clients); cc != NULL; cc = next) {
		next = TAILQ_NEXT(cc, entry);
		if (cc->wants_counters) {
			cc->wants_counters = 0;
			command_metrics_now(cc);
		}
	}
	evtimer_del(c->counters);
}

static void
counters_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	control_counters_came(arg); /* what is known will do */
}

/*
 * One question at a time: clients that ask and go must not fill the channel of a mapd that has no time, and none that comes later
 * makes the others wait longer.
 */
int
control_await_counters(struct control *c)
{
	struct timeval tv = { 0, METRICS_MS * 1000 };

	if (evtimer_pending(c->counters, NULL))
		return 0;
	evtimer_add(c->counters, &tv);
	return 1;
}

int
control_w_rate(struct control *c)
{
	return bucket_take(&c->w_rate, time_mono_ms());
}

/* --- the socket --- */

struct control *
control_new(struct parent *p, char *err, size_t errsize)
{
	struct control *c = calloc(1, sizeof(*c));
	struct stat st;

	if (c == NULL) {
		snprintf(err, errsize, "out of memory");
		return NULL;
	}
	c->p = p;
	snprintf(c->path, sizeof(c->path), "%s", p->cfg.control_socket);
	TAILQ_INIT(&c->clients);
	bucket_init(&c->w_rate, W_RATE, W_BURST, time_mono_ms());
	if ((c->fd = control_bind(p, c->path, err, errsize)) == -1) {
		free(c);
		return NULL;
	}
	if (lstat(c->path, &st) == 0) {
		c->dev = st.st_dev;
		c->ino = st.st_ino;
	}
	c->accept = event_new(p->base, c->fd, EV_READ | EV_PERSIST, acceptable, c);
	c->resume = evtimer_new(p->base, resume_accept, c);
	c->counters = evtimer_new(p->base, counters_late, c);
	if (c->accept == NULL || c->resume == NULL || c->counters == NULL) {
		snprintf(err, errsize, "out of memory");
		return NULL;
	}
	return c;
}

void
control_start(struct control *c)
{
	event_add(c->accept, NULL);
}

void
control_free(struct control *c)
{
	struct cclient *cc;
	struct stat st;

	while ((cc = TAILQ_FIRST(&c->clients)) != NULL)
		cclient_close(cc);
	event_free(c->accept);
	event_free(c->resume);
	event_free(c->counters);
	close(c->fd);
	if (lstat(c->path, &st) == 0 && st.st_dev == c->dev && st.st_ino == c->ino)
		(void)unlink(c->path); /* not another's, who came when ours had been removed */
	free(c);
}
