/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "bucket.h"
#include "codec.h"
#include "ipc.h"
#include "mem.h"
#include "timefmt.h"
#include "timer.h"

#define HDR_LEN    16
#define FLAG_FD    1
#define QUEUE_MAX  (256u * 1024) /* security.md D7 */
#define QUEUE_FULL (64u * 1024)  /* pushes are gathered */
#define AGAIN_MS   10
#define RATE_MAX   2000u /* messages a second, and how many may come at once */
#define TEXT_MAX   (1024u * 1024)
#define IN_SIZE    (2 * IPC_MAX_MSG)

struct hdr {
	uint16_t type;
	uint16_t flags;
	uint32_t len;
	uint32_t id;
	uint32_t generation;
};
_Static_assert(sizeof(struct hdr) == HDR_LEN, "the header has no padding");

struct out {
	STAILQ_ENTRY(out) entry;
	size_t len, off;
	int fd;         /* sent with the first byte */
	int secret;     /* wiped after it was written */
	uint8_t data[]; /* header and payload */
};

struct ipc {
	int fd;
	enum ipc_side side;
	enum ipc_role role;
	enum ipc_state state;
	uint32_t generation;
	int have_generation; /* a child learns it from its first message */
	struct ipc_handlers h;
	void *arg;

	struct event *rd, *wr;
	struct timer again, end;
	int over;        /* no more reads and writes; closed() was or will be called */
	int violation;   /* for closed() */
	char why[160];   /* for closed() */
	int dispatching; /* a handler is running: ipc_free() waits */
	int freed;       /* ipc_free() was called meanwhile */

	STAILQ_HEAD(, out) queue;
	size_t queued; /* bytes in the queue */
	unsigned queued_fds;
	int gathers; /* drained() is due when there is room */

	int in_fd;          /* received with bytes of an incomplete message, or -1 */
	struct bucket rate; /* of what a child says */
	size_t in_len;
	uint8_t in[IN_SIZE];
	_Alignas(16) uint8_t cur[IPC_MAX_MSG]; /* the payload a handler sees */
};

static void over(struct ipc *c, int violation, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void destroy(struct ipc *c);
static int put_out(struct ipc *c);

static void
over(struct ipc *c, int violation, const char *fmt, ...)
{
	va_list ap;

	if (c->over)
		return;
	c->over = 1;
	c->violation = violation;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	event_del(c->rd);
	event_del(c->wr);
	timer_stop(&c->again);
	timer_soon(&c->end);
}

/* closed() has a call stack of its own: no sender is surprised by it. */
static void
on_end(void *arg)
{
	struct ipc *c = arg;

	c->dispatching++;
	c->h.closed(c->arg, c->violation, c->why);
	c->dispatching--;
	if (c->freed)
		destroy(c);
}

/* --- receiving --- */

/*
 * Everything a header alone can break, in the order of security.md D7.  NULL for the type: the channel is over.
 */
static const struct ipc_row *
check_header(struct ipc *c, const struct hdr *h)
{
	const struct ipc_row *r = ipc_row(h->type);

	if (r == NULL)
		over(c, 1, "unknown message type %u", h->type);
	else if ((r->dir == IPC_C2P) != (c->side == IPC_PARENT_SIDE))
		over(c, 1, "%s: wrong direction", r->name);
	else if ((r->roles & (1u << c->role)) == 0)
		over(c, 1, "%s: not for this child", r->name);
	else if ((r->states & (unsigned)c->state) == 0)
		over(c, 1, "%s: not in this state", r->name);
	else if (h->len < r->head || h->len > r->max)
		over(c, 1, "%s: length %u", r->name, h->len);
	else if (c->have_generation && h->generation != c->generation)
		over(c, 1, "%s: generation %u, not %u", r->name, h->generation, c->generation);
	else if ((h->flags & ~FLAG_FD) != 0 || (r->fd == IPC_NOFD && h->flags != 0) ||
	    (r->fd == IPC_FD && h->flags == 0))
		over(c, 1, "%s: flags %u", r->name, h->flags);
	else if (c->h.on[h->type] == NULL)
		over(c, 1, "%s: not expected", r->name);
	return c->over ? NULL : r;
}

static int
check_payload(struct ipc *c, const struct ipc_row *r, const struct hdr *h, const uint8_t *payload)
{
	if (r->len_off != 0 && ipc_row_tail(r, payload) != h->len - r->head)
		over(c, 1, "%s: tail of %zu, says %zu", r->name, h->len - r->head, ipc_row_tail(r, payload));
	else if (h->flags != 0 && c->in_fd == -1)
		over(c, 1, "%s: no descriptor came", r->name);
	else if (c->side == IPC_PARENT_SIDE && !bucket_take(&c->rate, time_mono_ms()))
		over(c, 1, "%s: more than %u messages a second", r->name, RATE_MAX);
	return c->over ? -1 : 0;
}

/* Hand one whole message over.  The bytes after a short tail are zeros, not those of an older message. */
static void
deliver(struct ipc *c, const struct ipc_row *r, const struct hdr *h, const uint8_t *payload)
{
	struct ipc_msg m = { .type = (enum ipc_type)h->type, .id = h->id, .payload = c->cur, .len = h->len, .fd = -1 };

	if (!c->have_generation) {
		c->generation = h->generation;
		c->have_generation = 1;
	}
	if (h->flags != 0) {
		m.fd = c->in_fd;
		c->in_fd = -1;
	}
	memcpy(c->cur, payload, h->len);
	memset(c->cur + h->len, 0, r->size > h->len ? r->size - h->len : 0);
	c->dispatching++;
	if (c->h.on[m.type](c->arg, &m) == -1 && !c->freed)
		over(c, 1, "%s: bad contents", r->name);
	c->dispatching--;
	if (r->secret)
		explicit_bzero(c->cur, h->len);
}

/* Returns bytes used up: 0 without a whole message. */
static size_t
next_message(struct ipc *c, const uint8_t *p, size_t n)
{
	const struct ipc_row *r;
	struct hdr h;

	if (n < HDR_LEN)
		return 0;
	memcpy(&h, p, sizeof(h));
	if ((r = check_header(c, &h)) == NULL || n < HDR_LEN + h.len)
		return 0;
	if (check_payload(c, r, &h, p + HDR_LEN) == -1)
		return 0;
	deliver(c, r, &h, p + HDR_LEN);
	return HDR_LEN + h.len;
}

/*
 * A descriptor is received with the first byte of its message, so after all whole messages are handled one may be
 * left only for a message that has begun.
 */
static void
check_left_descriptor(struct ipc *c)
{
	struct hdr h;

	if (c->in_fd == -1)
		return;
	memset(&h, 0, sizeof(h));
	memcpy(&h, c->in, c->in_len < sizeof(h) ? c->in_len : sizeof(h));
	if (c->in_len == 0 || (c->in_len >= sizeof(h) && h.flags == 0))
		over(c, 1, "a descriptor that belongs to no message");
}

static void
handle_input(struct ipc *c)
{
	size_t off = 0, n;

	while (!c->over && !c->freed && (n = next_message(c, c->in + off, c->in_len - off)) > 0)
		off += n;
	if (c->freed) {
		if (c->dispatching == 0)
			destroy(c);
		return;
	}
	if (off > 0) {
		memmove(c->in, c->in + off, c->in_len - off);
		explicit_bzero(c->in + c->in_len - off, off); /* secrets, whole or in part */
		c->in_len -= off;
	}
	if (!c->over)
		check_left_descriptor(c);
	put_out(c); /* what waited for the generation */
}

/* The child's side accepts at most one descriptor; more are closed and are a violation. */
static void
receive_descriptors(struct ipc *c, struct msghdr *mh)
{
	struct cmsghdr *cm;
	size_t i, n;
	int fd;

	for (cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(fd), sizeof(fd));
			if (c->in_fd == -1) {
				c->in_fd = fd;
			} else {
				close(fd);
				over(c, 1, "surplus descriptor");
			}
		}
	}
	if (mh->msg_flags & MSG_CTRUNC)
		over(c, 1, "surplus descriptor");
}

/*
 * How much may be read.  While a descriptor waits for the rest of its message, only up to the end of that message: the
 * following bytes may carry the next descriptor.
 */
static size_t
room(const struct ipc *c)
{
	struct hdr h;

	if (c->in_fd == -1)
		return sizeof(c->in) - c->in_len;
	if (c->in_len < HDR_LEN)
		return HDR_LEN - c->in_len;
	memcpy(&h, c->in, sizeof(h)); /* check_header() has seen it */
	return HDR_LEN + h.len - c->in_len;
}

static ssize_t
receive(struct ipc *c)
{
	union {
		struct cmsghdr align;
		uint8_t space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = c->in + c->in_len, .iov_len = room(c) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	/* The parent reads with read(2): the kernel drops what a child attaches (security.md E7). */
	if (c->side == IPC_PARENT_SIDE)
		return read(c->fd, iov.iov_base, iov.iov_len);
	memset(&control, 0, sizeof(control));
	mh.msg_control = &control;
	mh.msg_controllen = CMSG_LEN(sizeof(int));
	if ((n = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) >= 0)
		receive_descriptors(c, &mh);
	return n;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct ipc *c = arg;
	ssize_t n;

	(void)fd;
	(void)what;
	if (c->over)
		return;
	n = receive(c);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		over(c, 0, "read: %s", strerror(errno));
	} else if (n == 0) {
		over(c, 0, "closed by the other end");
	} else {
		c->in_len += (size_t)n;
		handle_input(c);
	}
}

/* --- sending --- */

static void
close_out(struct ipc *c, struct out *o)
{
	if (o->fd == -1)
		return;
	close(o->fd);
	o->fd = -1;
	c->queued_fds--;
}

static void
drop_out(struct ipc *c)
{
	struct out *o = STAILQ_FIRST(&c->queue);

	STAILQ_REMOVE_HEAD(&c->queue, entry);
	c->queued -= o->len;
	close_out(c, o);
	if (o->secret)
		explicit_bzero(o->data, o->len);
	free(o);
}

/* Children have no sendmsg(2) (security.md 4); only the parent passes descriptors. */
static ssize_t
transmit(struct ipc *c, struct out *o)
{
	union {
		struct cmsghdr align;
		uint8_t space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = o->data + o->off, .iov_len = o->len - o->off };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;

	if (o->fd == -1)
		return send(c->fd, iov.iov_base, iov.iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	memset(&control, 0, sizeof(control));
	mh.msg_control = &control;
	mh.msg_controllen = sizeof(control);
	cm = CMSG_FIRSTHDR(&mh);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &o->fd, sizeof(int));
	return sendmsg(c->fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Write what can be written.  0, or -1 when the channel is over. */
static int
put_out(struct ipc *c)
{
	struct out *o;
	ssize_t n;

	while (!c->over && c->have_generation && (o = STAILQ_FIRST(&c->queue)) != NULL) {
		memcpy(o->data + offsetof(struct hdr, generation), &c->generation, sizeof(c->generation));
		n = transmit(c, o);
		if (n == -1 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)) {
			event_add(c->wr, NULL);
			return 0;
		}
		/* Too many descriptors in flight: of all processes of this user on Linux, of the system on OpenBSD. */
		if (n == -1 && (errno == ETOOMANYREFS || errno == EMFILE)) {
			(void)timer_set_ms(&c->again, AGAIN_MS);
			return 0;
		}
		if (n == -1) {
			over(c, 0, "write: %s", strerror(errno));
			return -1;
		}
		close_out(c, o);
		o->off += (size_t)n;
		if (o->off == o->len)
			drop_out(c);
	}
	if (!c->over && c->gathers && c->queued <= QUEUE_FULL / 2)
		timer_soon(&c->again); /* drained() has a call stack of its own */
	return c->over ? -1 : 0;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	put_out(arg);
}

static void
send_again(void *arg)
{
	struct ipc *c = arg;

	if (put_out(c) == -1 || !c->gathers || c->queued > QUEUE_FULL / 2)
		return;
	c->gathers = 0;
	timer_stop(&c->again); /* put_out() has asked for it once more */
	c->dispatching++;
	c->h.drained(c->arg);
	c->dispatching--;
	if (c->freed)
		destroy(c);
}

/* Sending what the list does not permit is our own bug. */
static void
must_be_permitted(const struct ipc *c, enum ipc_type type, const void *payload, size_t len, int fd)
{
	const struct ipc_row *r = ipc_row((unsigned)type);

	if (r == NULL || (r->dir == IPC_P2C) != (c->side == IPC_PARENT_SIDE) || (r->roles & (1u << c->role)) == 0)
		abort();
	if (len < r->head || len > r->max || (r->len_off != 0 && ipc_row_tail(r, payload) != len - r->head))
		abort();
	if ((r->fd == IPC_FD && fd == -1) || (r->fd == IPC_NOFD && fd != -1))
		abort();
}

static int
enqueue(struct ipc *c, enum ipc_type type, uint32_t id, const void *payload, size_t len, int fd)
{
	struct hdr h = { .type = (uint16_t)type, .flags = fd != -1 ? FLAG_FD : 0, .len = (uint32_t)len, .id = id };
	struct out *o;

	if ((o = malloc(sizeof(*o) + HDR_LEN + len)) == NULL) {
		(void)mem_failed();
		over(c, 0, "out of memory");
		if (fd != -1)
			close(fd);
		return -1;
	}
	o->len = HDR_LEN + len;
	o->off = 0;
	o->fd = fd;
	o->secret = ipc_type_secret((unsigned)type);
	memcpy(o->data, &h, HDR_LEN);
	memcpy(o->data + HDR_LEN, payload, len);
	STAILQ_INSERT_TAIL(&c->queue, o, entry);
	c->queued += o->len;
	c->queued_fds += fd != -1;
	return 0;
}

/* The limit is on what the other end has not read yet: a text that has begun is sent whole. */
static int
may_queue(struct ipc *c)
{
	if (!c->over && c->queued > QUEUE_MAX)
		over(c, 0, "does not read: more than %u bytes wait for it", QUEUE_MAX);
	return !c->over;
}

int
ipc_send(struct ipc *c, enum ipc_type type, uint32_t id, void *payload, size_t len, int fd)
{
	int rv = -1;

	must_be_permitted(c, type, payload, len, fd);
	if (may_queue(c))
		rv = enqueue(c, type, id, payload, len, fd);
	else if (fd != -1)
		close(fd);
	if (ipc_type_secret((unsigned)type))
		explicit_bzero(payload, len);
	return rv == 0 ? put_out(c) : -1;
}

int
ipc_send_chunks(struct ipc *c, enum ipc_type type, uint32_t id, const char *text, size_t n)
{
	struct ipc_chunk m;
	size_t off = 0;

	if (n > TEXT_MAX)
		abort();
	if (!may_queue(c))
		return -1;
	memset(&m, 0, sizeof(m));
	m.total = (uint32_t)n;
	do {
		m.off = (uint32_t)off;
		m.data_len = (uint16_t)(n - off < sizeof(m.data) ? n - off : sizeof(m.data));
		if (m.data_len > 0)
			memcpy(m.data, text + off, m.data_len);
		must_be_permitted(c, type, &m, offsetof(struct ipc_chunk, data) + m.data_len, -1);
		if (enqueue(c, type, id, &m, offsetof(struct ipc_chunk, data) + m.data_len, -1) == -1)
			return -1;
		off += m.data_len;
	} while (off < n);
	return put_out(c);
}

void
ipc_flush(struct ipc *c, int ms)
{
	uint64_t deadline = time_mono_ms() + (uint64_t)ms, now;
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };

	while (put_out(c) == 0 && c->have_generation && !STAILQ_EMPTY(&c->queue) && (now = time_mono_ms()) < deadline)
		if (poll(&p, 1, (int)(deadline - now)) == -1 && errno != EINTR)
			return;
}

/* --- creating and freeing --- */

static void
destroy(struct ipc *c)
{
	while (!STAILQ_EMPTY(&c->queue))
		drop_out(c);
	if (c->rd != NULL)
		event_free(c->rd);
	if (c->wr != NULL)
		event_free(c->wr);
	timer_free(&c->again);
	timer_free(&c->end);
	if (c->in_fd != -1)
		close(c->in_fd);
	if (c->fd != -1)
		close(c->fd);
	explicit_bzero(c->in, sizeof(c->in));
	free(c);
}

struct ipc *
ipc_new(struct event_base *base, int fd, enum ipc_side side, enum ipc_role role, uint32_t generation,
    const struct ipc_handlers *h, void *arg)
{
	struct ipc *c;
	int flags;

	if ((flags = fcntl(fd, F_GETFL)) == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return NULL;
	if ((c = calloc(1, sizeof(*c))) == NULL) {
		(void)mem_failed();
		return NULL;
	}
	c->fd = -1;
	c->side = side;
	c->role = role;
	c->state = IPC_S_START;
	c->generation = generation;
	c->have_generation = side == IPC_PARENT_SIDE || generation != 0;
	c->h = *h;
	c->arg = arg;
	c->in_fd = -1;
	bucket_init(&c->rate, RATE_MAX, RATE_MAX, time_mono_ms());
	STAILQ_INIT(&c->queue);
	c->rd = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->wr = event_new(base, fd, EV_WRITE, on_writable, c);
	if (c->rd == NULL || c->wr == NULL || timer_init(&c->again, base, send_again, c) == -1 ||
	    timer_init(&c->end, base, on_end, c) == -1 || event_add(c->rd, NULL) == -1) {
		destroy(c);
		return NULL;
	}
	c->fd = fd;
	return c;
}

void
ipc_free(struct ipc *c)
{
	if (c == NULL || c->freed)
		return;
	if (c->dispatching == 0) {
		destroy(c);
		return;
	}
	c->freed = 1;
	c->over = 1;
	event_del(c->rd);
	event_del(c->wr);
	timer_stop(&c->again);
	timer_stop(&c->end);
}

void
ipc_set_state(struct ipc *c, enum ipc_state s)
{
	c->state = s;
}

size_t
ipc_queued(const struct ipc *c)
{
	return c->queued;
}

int
ipc_full(struct ipc *c)
{
	if (c->over || c->queued <= QUEUE_FULL)
		return 0;
	c->gathers = c->h.drained != NULL;
	return 1;
}

unsigned
ipc_queued_fds(const struct ipc *c)
{
	return c->queued_fds;
}
