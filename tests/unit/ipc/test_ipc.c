/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "util_ipc.h"

/* The list once more, in the test's own words: what each row permits. */
struct spec {
	const char *name;
	int to_child, roles, fd, tail;
	size_t head, max, off;
	int states;
};
enum { P2C = 1, C2P = 0, A = 1, M = 2, AM = 3, NOFD = 0, FD = 1, OPTFD = 2, START = 1, IDLE = 2, BUSY = 4 };
#define S_EXACT(t) 0, sizeof(t), sizeof(t), 0
#define S_TAIL(t)  1, offsetof(t, data), offsetof(t, data) + sizeof(((t *)0)->data), offsetof(t, data_len)
static const struct spec specs[] = { [0] = { .name = "none" },
#define X(name, dir, role, fd, size, type, st) { #name, dir, role, fd, S_##size(type), st },
	IPC_MESSAGES(X)
#undef X
};

static uint8_t blank[IPC_MAX_MSG + 64];

/* A payload of n bytes that is right for the type if n is. */
static const uint8_t *
payload_for(const struct spec *s, size_t n, int wrong_tail)
{
	static uint8_t p[IPC_MAX_MSG + 64];
	uint16_t tail;

	memset(p, 0, sizeof(p));
	if (s->tail && n >= s->head) {
		tail = (uint16_t)(n - s->head + (wrong_tail ? 1 : 0));
		memcpy(p + s->off, &tail, sizeof(tail));
	}
	return p;
}

/* One message to a fresh channel.  Returns 1 accepted, 0 violation; anything else fails the test. */
static int
judge(enum ipc_side side, enum ipc_role role, enum ipc_state state, unsigned type, uint32_t len, int with_fd,
    int wrong_tail)
{
	struct rig r = { .side = side };
	const struct spec *s = type > 0 && type < IPC_NTYPES ? &specs[type] : &specs[0];
	size_t n = len <= IPC_MAX_MSG ? len : IPC_MAX_MSG;
	int null, accepted;

	rig_open(&r, side, role);
	ipc_set_state(r.c, state);
	null = open("/dev/null", O_RDONLY);
	rig_put(&r, type, with_fd ? 1 : 0, len, payload_for(s, n, wrong_tail), n, &null,
	    with_fd && side == IPC_CHILD_SIDE);
	close(null);
	rig_turn(&r);
	assert_int_equal(r.handled + r.closed, 1);
	accepted = r.handled;
	if (r.closed)
		assert_int_equal(r.violation, 1);
	rig_close(&r);
	return accepted;
}

/* rows: PRIV-04 */
static void
test_every_type_length_state(void **state)
{
	static const enum ipc_side sides[] = { IPC_PARENT_SIDE, IPC_CHILD_SIDE };
	static const enum ipc_role roles[] = { IPC_AUTHD, IPC_MAPD };
	static const enum ipc_state states[] = { IPC_S_START, IPC_S_IDLE, IPC_S_BUSY };
	int i, j, k, l, accepted = 0, tried = 0, before = open_descriptors();
	unsigned t;

	(void)state;
	for (t = 0; t <= IPC_NTYPES; t++) {
		const struct spec *s = &specs[t < IPC_NTYPES ? t : 0];
		const uint32_t lengths[] = { 0, s->head > 0 ? (uint32_t)s->head - 1 : 1, (uint32_t)s->head,
			(uint32_t)s->max, (uint32_t)s->max + 1, IPC_MAX_MSG - 16, UINT32_MAX };

		for (i = 0; i < 2; i++)
			for (j = 0; j < 2; j++)
				for (k = 0; k < 3; k++)
					for (l = 0; l < 7; l++) {
						int right = t > 0 && t < IPC_NTYPES &&
						    s->to_child == (sides[i] == IPC_CHILD_SIDE) &&
						    (s->roles & (roles[j] == IPC_AUTHD ? A : M)) &&
						    (s->states & (int)states[k]) && lengths[l] >= s->head &&
						    lengths[l] <= s->max;
						int got =
						    judge(sides[i], roles[j], states[k], t, lengths[l], s->fd == FD, 0);

						if (got != right)
							fail_msg("%s side %d role %d state %d length %u: %d", s->name,
							    i, j, k, lengths[l], got);
						accepted += got;
						tried++;
					}
	}
	assert_true(accepted > 100 && tried > 3000);
	assert_int_equal(open_descriptors(), before);
}

/* rows: PRIV-04 */
static void
test_tail_must_equal_data_len(void **state)
{
	(void)state;
	assert_int_equal(judge(IPC_PARENT_SIDE, IPC_MAPD, IPC_S_IDLE, IPC_LOG, (uint32_t)ipc_head_len(IPC_LOG) + 5, 0,
			     0),
	    1);
	assert_int_equal(judge(IPC_PARENT_SIDE, IPC_MAPD, IPC_S_IDLE, IPC_LOG, (uint32_t)ipc_head_len(IPC_LOG) + 5, 0,
			     1),
	    0);
	assert_int_equal(judge(IPC_CHILD_SIDE, IPC_MAPD, IPC_S_IDLE, IPC_HOSTINFO, (uint32_t)ipc_head_len(IPC_HOSTINFO),
			     0, 1),
	    0);
}

/* rows: PRIV-04 */
static void
test_stale_generation(void **state)
{
	struct raw_hdr h = { IPC_PONG, 0, sizeof(struct ipc_empty), 1, GENERATION - 1 };
	uint8_t msg[sizeof(h) + sizeof(struct ipc_empty)] = { 0 };
	struct rig r = { 0 };

	(void)state;
	rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
	ipc_set_state(r.c, IPC_S_IDLE);
	memcpy(msg, &h, sizeof(h));
	raw_write(r.raw, msg, sizeof(msg), NULL, 0);
	rig_turn(&r);
	assert_int_equal(r.handled, 0);
	assert_int_equal(r.violation, 1);
	assert_non_null(strstr(r.why, "generation"));
	rig_close(&r);
}

/* rows: PRIV-04 */
static void
test_descriptor_from_child_never_arrives(void **state)
{
	struct ipc_empty none = { 0 };
	struct rig r = { 0 };
	int fds[4], i, before;

	(void)state;
	rig_open(&r, IPC_PARENT_SIDE, IPC_AUTHD);
	ipc_set_state(r.c, IPC_S_IDLE);
	for (i = 0; i < 4; i++)
		fds[i] = open("/dev/null", O_RDONLY);
	before = open_descriptors();
	for (i = 0; i < 100; i++) {
		rig_put(&r, IPC_PONG, 0, sizeof(none), &none, sizeof(none), fds, 4);
		rig_turn(&r);
	}
	assert_int_equal(r.handled, 100);
	assert_int_equal(r.last.fd, -1);
	assert_int_equal(open_descriptors(), before);
	rig_put(&r, IPC_PONG, 1, sizeof(none), &none, sizeof(none), fds, 1); /* says it has one */
	rig_turn(&r);
	assert_int_equal(r.violation, 1);
	for (i = 0; i < 4; i++)
		close(fds[i]);
	rig_close(&r);
}

static void
test_descriptor_rules_of_the_child_side(void **state)
{
	struct ipc_empty none = { 0 };
	struct ipc_dialled dialled = { 0 };
	struct rig r = { 0 };
	int fds[2] = { open("/dev/null", O_RDONLY), open("/dev/null", O_RDONLY) }, i, before;
	static const struct {
		unsigned type, flags;
		size_t len;
		int nfds, right;
	} cases[] = {
		{ IPC_CA, 1, sizeof(struct ipc_empty), 1, 1 },
		{ IPC_CA, 0, sizeof(struct ipc_empty), 0, 0 },   /* must have one */
		{ IPC_CA, 1, sizeof(struct ipc_empty), 0, 0 },   /* says so, none came */
		{ IPC_CA, 1, sizeof(struct ipc_empty), 2, 0 },   /* surplus */
		{ IPC_PING, 0, sizeof(struct ipc_empty), 1, 0 }, /* belongs to nothing */
		{ IPC_PING, 1, sizeof(struct ipc_empty), 1, 0 },
		{ IPC_PING, 2, sizeof(struct ipc_empty), 0, 0 }, /* unknown flag */
		{ IPC_DIALLED, 0, sizeof(struct ipc_dialled), 0, 1 },
		{ IPC_DIALLED, 1, sizeof(struct ipc_dialled), 1, 1 },
	};

	(void)state;
	before = open_descriptors();
	for (i = 0; i < (int)(sizeof(cases) / sizeof(cases[0])); i++) {
		memset(&r, 0, sizeof(r));
		rig_open(&r, IPC_CHILD_SIDE, IPC_AUTHD);
		ipc_set_state(r.c, IPC_S_IDLE);
		rig_put(&r, cases[i].type, cases[i].flags, (uint32_t)cases[i].len,
		    cases[i].type == IPC_DIALLED ? (void *)&dialled : (void *)&none, cases[i].len, fds, cases[i].nfds);
		rig_turn(&r);
		if ((r.closed == 0) != cases[i].right)
			fail_msg("case %d: %s", i, r.why);
		if (cases[i].right)
			assert_int_equal(r.last.fd != -1, cases[i].flags);
		rig_close(&r);
		assert_int_equal(open_descriptors(), before);
	}
	close(fds[0]);
	close(fds[1]);
}

/* Two messages with a descriptor each, cut at every byte: each gets its own. */
static void
test_split_at_every_byte(void **state)
{
	struct ipc_dialled d;
	uint8_t msg[2 * (16 + sizeof(d))];
	struct raw_hdr h = { IPC_DIALLED, 1, sizeof(d), 9, GENERATION };
	const size_t one = 16 + sizeof(d), all = sizeof(msg);
	size_t cut;
	int null = open("/dev/null", O_RDONLY);

	(void)state;
	memset(&d, 0, sizeof(d));
	d.ok = 1;
	IPC_SET(&d, text, "192.0.2.1", 9);
	for (cut = 0; cut < 2; cut++) {
		memcpy(msg + cut * one, &h, 16);
		memcpy(msg + cut * one + 16, &d, sizeof(d));
	}
	for (cut = 1; cut < all; cut++) {
		struct rig r = { 0 };

		rig_open(&r, IPC_CHILD_SIDE, IPC_AUTHD);
		ipc_set_state(r.c, IPC_S_IDLE);
		/* each message begins a write of its own, as the parent's side does it */
		raw_write(r.raw, msg, cut < one ? cut : one, &null, 1);
		if (cut > one)
			raw_write(r.raw, msg + one, cut - one, &null, 1);
		rig_turn(&r);
		assert_int_equal(r.handled, cut >= one ? 1 : 0);
		if (cut < one) {
			raw_write(r.raw, msg + cut, one - cut, NULL, 0);
			rig_turn(&r);
			assert_int_equal(r.handled, 1);
		}
		if (cut <= one)
			raw_write(r.raw, msg + one, one, &null, 1);
		else
			raw_write(r.raw, msg + cut, all - cut, NULL, 0);
		rig_turn(&r);
		assert_int_equal(r.closed, 0);
		assert_int_equal(r.handled, 2);
		assert_int_not_equal(r.last.fd, -1);
		assert_int_equal(r.last.id, 9);
		assert_memory_equal(r.copy, &d, sizeof(d));
		rig_close(&r);
	}
	close(null);
}

static void
test_half_messages_and_end(void **state)
{
	size_t n;
	struct ipc_empty none = { 0 };

	(void)state;
	for (n = 0; n < 16 + sizeof(none); n++) {
		struct raw_hdr h = { IPC_PONG, 0, sizeof(none), 1, GENERATION };
		uint8_t msg[16 + sizeof(none)] = { 0 };
		struct rig r = { 0 };

		memcpy(msg, &h, sizeof(h));
		rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
		ipc_set_state(r.c, IPC_S_IDLE);
		if (n > 0)
			raw_write(r.raw, msg, n, NULL, 0);
		rig_turn(&r);
		assert_int_equal(r.closed, 0);
		close(r.raw);
		r.raw = -1;
		rig_turn(&r);
		assert_int_equal(r.closed, 1);
		assert_int_equal(r.violation, 0); /* it died; that is told by its exit */
		assert_int_equal(r.handled, 0);
		rig_close(&r);
	}
}

/* rows: PRIV-04 */
static void
test_rate_of_a_child(void **state)
{
	struct {
		struct raw_hdr h;
		struct ipc_empty none;
	} m = { { IPC_PONG, 0, sizeof(struct ipc_empty), 1, GENERATION }, { 0 } };
	struct rig r = { 0 };
	int i;

	(void)state;
	rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
	ipc_set_state(r.c, IPC_S_IDLE);
	for (i = 0; i < 1900; i++) {
		raw_write(r.raw, &m, sizeof(m), NULL, 0);
		if (i % 50 == 0)
			rig_turn(&r);
	}
	rig_turn(&r);
	assert_int_equal(r.handled, 1900);
	assert_int_equal(r.closed, 0);
	for (i = 0; i < 20000 && !r.closed; i++) {
		raw_write(r.raw, &m, sizeof(m), NULL, 0);
		if (i % 50 == 0)
			rig_turn(&r);
	}
	assert_int_equal(r.violation, 1);
	assert_non_null(strstr(r.why, "a second"));
	assert_in_range(r.handled, 2000, 12000);
	rig_close(&r);
}

static void
test_parent_may_be_fast(void **state)
{
	struct {
		struct raw_hdr h;
		struct ipc_empty none;
	} m = { { IPC_PING, 0, sizeof(struct ipc_empty), 1, GENERATION }, { 0 } };
	struct rig r = { 0 };
	int i;

	(void)state;
	rig_open(&r, IPC_CHILD_SIDE, IPC_MAPD);
	ipc_set_state(r.c, IPC_S_IDLE);
	for (i = 0; i < 10000; i++) {
		raw_write(r.raw, &m, sizeof(m), NULL, 0);
		if (i % 50 == 0)
			rig_turn(&r);
	}
	rig_turn(&r);
	assert_int_equal(r.handled, 10000);
	rig_close(&r);
}

/* rows: PRIV-04 */
static void
test_child_that_never_reads(void **state)
{
	struct ipc_chunk m;
	struct rig r = { 0 };
	size_t len = offsetof(struct ipc_chunk, data) + sizeof(m.data), sent = 0;
	int rv = 0, before = open_descriptors();

	(void)state;
	memset(&m, 0, sizeof(m));
	m.data_len = sizeof(m.data);
	m.total = sizeof(m.data);
	rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
	while (rv == 0 && sent < 64 * 1024 * 1024) {
		assert_int_equal(r.closed, 0);
		rv = ipc_send(r.c, IPC_HOSTINFO, 1, &m, len, -1);
		sent += len;
	}
	assert_int_equal(rv, -1);
	assert_int_equal(r.closed, 0); /* never from within ipc_send */
	assert_in_range(ipc_queued(r.c), 256 * 1024, 256 * 1024 + 2 * IPC_MAX_MSG);
	assert_int_equal(ipc_send(r.c, IPC_QUERY, 1, memset(blank, 0, sizeof(blank)), ipc_head_len(IPC_QUERY),
			     open("/dev/null", O_RDONLY)),
	    -1);
	rig_turn(&r);
	assert_int_equal(r.closed, 1);
	assert_int_equal(r.violation, 1);
	rig_close(&r);
	assert_int_equal(open_descriptors(), before);
}

struct text {
	struct buf b;
	uint32_t total;
	int complete;
};

static int
add_chunk(void *arg, const struct ipc_msg *m)
{
	struct text *t = arg;
	int rv = ipc_chunk_add(&t->b, &t->total, m->payload, 1024 * 1024);

	if (rv == 1)
		t->complete++;
	return rv == -1 ? -1 : 0;
}

static void
no_end(void *arg, int violation, const char *why)
{
	(void)arg;
	fail_msg("closed: %d %s", violation, why);
}

/* rows: PRIV-04 */
static void
test_long_texts_travel_in_pieces(void **state)
{
	static const size_t sizes[] = { 0, 1, IPC_CHUNK - 1, IPC_CHUNK, IPC_CHUNK + 1, 65536, 1024 * 1024 };
	struct ipc_handlers h = { .on = { [IPC_EVENT] = add_chunk, [IPC_PONG] = add_chunk }, .closed = no_end };
	char *text = malloc(1024 * 1024);
	size_t i, j;

	(void)state;
	for (i = 0; i < 1024 * 1024; i++)
		text[i] = (char)('a' + i % 23);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct event_base *base = event_base_new();
		struct text t = { 0 };
		struct ipc *p, *c;
		int sv[2];

		buf_init(&t.b, 1024 * 1024);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
		p = ipc_new(base, sv[0], IPC_PARENT_SIDE, IPC_MAPD, 3, &h, NULL);
		c = ipc_new(base, sv[1], IPC_CHILD_SIDE, IPC_MAPD, 0, &h, &t);
		ipc_set_state(c, IPC_S_BUSY);
		assert_int_equal(ipc_send_chunks(p, IPC_EVENT, 5, text, sizes[i]), 0);
		for (j = 0; j < 1000 && !t.complete; j++)
			event_base_loop(base, EVLOOP_NONBLOCK);
		assert_int_equal(t.complete, 1);
		assert_int_equal(buf_len(&t.b), sizes[i]);
		if (sizes[i] > 0)
			assert_memory_equal(buf_ptr(&t.b), text, sizes[i]);
		assert_int_equal(ipc_queued(p), 0);
		ipc_free(p);
		ipc_free(c);
		event_base_free(base);
		buf_free(&t.b);
	}
	free(text);
}

static void
test_pieces_out_of_order(void **state)
{
	struct ipc_chunk m;
	struct buf b;
	uint32_t total = 0;

	(void)state;
	memset(&m, 0, sizeof(m));
	buf_init(&b, 100000);
	m.total = 20000;
	m.data_len = IPC_CHUNK;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 19999), -1); /* over the receiver's limit */
	m.off = 1;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), -1); /* does not begin at the beginning */
	m.off = 0;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), 0);
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), -1); /* twice */
	m.off = IPC_CHUNK;
	m.total = 20001;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), -1); /* another total */
	m.total = 20000;
	m.data_len = 0;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), -1); /* no progress */
	m.data_len = IPC_CHUNK;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), 0);
	m.off = 2 * IPC_CHUNK;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), -1); /* past the total */
	m.data_len = 20000 - 2 * IPC_CHUNK;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), 1);
	buf_free(&b);
}

static void
test_handler_frees_the_channel(void **state)
{
	struct {
		struct raw_hdr h;
		struct ipc_empty none;
	} m[3];
	struct rig r = { .free_in_handler = 1 };
	int i;

	(void)state;
	memset(m, 0, sizeof(m));
	for (i = 0; i < 3; i++)
		m[i].h = (struct raw_hdr){ IPC_PONG, 0, sizeof(struct ipc_empty), 1, GENERATION };
	rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
	ipc_set_state(r.c, IPC_S_IDLE);
	raw_write(r.raw, m, sizeof(m), NULL, 0);
	rig_turn(&r);
	assert_int_equal(r.handled, 1);
	assert_int_equal(r.closed, 0);
	rig_close(&r);
	/* the same when the handler also finds fault */
	memset(&r, 0, sizeof(r));
	r.free_in_handler = 1;
	r.answer = -1;
	rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
	ipc_set_state(r.c, IPC_S_IDLE);
	raw_write(r.raw, m, sizeof(m), NULL, 0);
	rig_turn(&r);
	assert_int_equal(r.handled, 1);
	assert_int_equal(r.closed, 0);
	rig_close(&r);
}

static void
test_closed_frees_the_channel(void **state)
{
	struct rig r = { .free_in_closed = 1 };

	(void)state;
	rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
	raw_write(r.raw, "0123456789abcdef", 16, NULL, 0);
	rig_turn(&r);
	assert_int_equal(r.closed, 1);
	assert_null(r.c);
	rig_close(&r);
}

/* rows: PRIV-04 */
static void
test_handler_finds_fault(void **state)
{
	struct ipc_empty none = { 0 };
	struct rig r = { .answer = -1 };

	(void)state;
	rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
	ipc_set_state(r.c, IPC_S_IDLE);
	rig_put(&r, IPC_PONG, 0, sizeof(none), &none, sizeof(none), NULL, 0);
	rig_put(&r, IPC_PONG, 0, sizeof(none), &none, sizeof(none), NULL, 0);
	rig_turn(&r);
	assert_int_equal(r.handled, 1); /* nothing after the violation */
	assert_int_equal(r.violation, 1);
	assert_int_equal(ipc_send(r.c, IPC_PING, 1, &none, sizeof(none), -1), -1);
	rig_turn(&r);
	assert_int_equal(r.closed, 1);
	rig_close(&r);
}

static void
test_message_without_handler(void **state)
{
	struct ipc_empty none = { 0 };
	struct rig r = { .silent = IPC_PONG };

	(void)state;
	rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
	ipc_set_state(r.c, IPC_S_IDLE);
	rig_put(&r, IPC_PONG, 0, sizeof(none), &none, sizeof(none), NULL, 0);
	rig_turn(&r);
	assert_int_equal(r.violation, 1);
	rig_close(&r);
}

static void
must_abort(enum ipc_side side, enum ipc_role role, enum ipc_type type, const void *payload, size_t len, int fd)
{
	struct rig r = { 0 };
	int status;
	pid_t pid;

	rig_open(&r, side, role);
	if ((pid = fork()) == 0) {
		signal(SIGABRT, SIG_DFL);
		close(2);
		ipc_send(r.c, type, 1, payload, len, fd);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	rig_close(&r);
}

static void
test_own_bugs_abort(void **state)
{
	struct ipc_log l;

	(void)state;
	memset(&l, 0, sizeof(l));
	must_abort(IPC_PARENT_SIDE, IPC_MAPD, IPC_NTYPES, blank, 4, -1);
	must_abort(IPC_PARENT_SIDE, IPC_MAPD, IPC_NONE, blank, 4, -1);
	must_abort(IPC_PARENT_SIDE, IPC_MAPD, IPC_PONG, blank, 4, -1);      /* direction */
	must_abort(IPC_PARENT_SIDE, IPC_MAPD, IPC_KEY_FETCH, blank, 4, -1); /* role */
	must_abort(IPC_PARENT_SIDE, IPC_MAPD, IPC_PING, blank, 5, -1);      /* size */
	must_abort(IPC_PARENT_SIDE, IPC_MAPD, IPC_CA, blank, 4, -1);        /* needs a descriptor */
	must_abort(IPC_PARENT_SIDE, IPC_MAPD, IPC_PING, blank, 4, 0);       /* takes none */
	l.data_len = 4;
	must_abort(IPC_CHILD_SIDE, IPC_MAPD, IPC_LOG, &l, ipc_head_len(IPC_LOG) + 3, -1); /* tail */
}

/* A child learns its generation from HELLO; what it had to say before waits. */
static void
test_child_learns_its_generation(void **state)
{
	struct ipc_handlers h = { .on = { [IPC_PONG] = add_chunk, [IPC_HELLO] = add_chunk }, .closed = no_end };
	struct event_base *base = event_base_new();
	struct ipc_hello hello;
	struct raw_hdr got, hdr = { IPC_HELLO, 0, sizeof(hello), 0, 91 };
	struct ipc_log l;
	struct text t = { 0 };
	struct ipc *c;
	int sv[2];

	(void)state;
	memset(&l, 0, sizeof(l));
	memset(&hello, 0, sizeof(hello));
	buf_init(&t.b, 1024 * 1024);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
	c = ipc_new(base, sv[0], IPC_CHILD_SIDE, IPC_AUTHD, 0, &h, &t);
	assert_int_equal(ipc_send(c, IPC_LOG, 0, &l, ipc_head_len(IPC_LOG), -1), 0);
	ipc_flush(c, 1000);
	assert_int_equal(read(sv[1], &got, sizeof(got)), -1);
	raw_write(sv[1], &hdr, sizeof(hdr), NULL, 0);
	raw_write(sv[1], &hello, sizeof(hello), NULL, 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(read(sv[1], &got, sizeof(got)), sizeof(got));
	assert_int_equal(got.type, IPC_LOG);
	assert_int_equal(got.generation, 91);
	ipc_free(c);
	close(sv[1]);
	event_base_free(base);
	buf_free(&t.b);
}

static void
test_flush_is_bounded(void **state)
{
	struct ipc_chunk m;
	struct rig r = { 0 };
	char sink[4096];
	size_t total = 0;
	ssize_t n;
	int i;

	(void)state;
	memset(&m, 0, sizeof(m));
	rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
	m.data_len = sizeof(m.data);
	for (i = 0; i < 40; i++)
		assert_int_equal(ipc_send(r.c, IPC_HOSTINFO, 1, &m, offsetof(struct ipc_chunk, data) + sizeof(m.data),
				     -1),
		    0);
	assert_true(ipc_queued(r.c) > 0);
	ipc_flush(r.c, 20); /* nobody reads: comes back */
	assert_true(ipc_queued(r.c) > 0);
	fcntl(r.raw, F_SETFL, O_NONBLOCK);
	while (ipc_queued(r.c) > 0) {
		while ((n = read(r.raw, sink, sizeof(sink))) > 0)
			total += (size_t)n;
		ipc_flush(r.c, 1000);
	}
	while ((n = read(r.raw, sink, sizeof(sink))) > 0)
		total += (size_t)n;
	assert_int_equal(total, 40 * (16 + offsetof(struct ipc_chunk, data) + sizeof(m.data)));
	rig_close(&r);
}

/* How often the 32 bytes stand in this process's writable memory. */
static int
occurrences(const uint8_t *masked)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC), found = 0;
	unsigned long from, to, at;
	static uint8_t page[65536];
	char line[512], mode[8];
	size_t i, j;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' || to - from > (64ul << 20))
			continue;
		for (at = from; at < to; at += 4096) {
			ssize_t n = pread(mem, page, 4096 + 32, (off_t)at);

			for (i = 0; n >= 32 && i + 32 <= (size_t)n && i < 4096; i++) {
				for (j = 0; j < 32 && page[i + j] == (uint8_t)(masked[j] ^ 0x5a); j++)
					;
				found +=
				    j == 32 && !(at + i >= (uintptr_t)page && at + i < (uintptr_t)page + sizeof(page));
			}
		}
	}
	fclose(maps);
	close(mem);
	explicit_bzero(page, sizeof(page));
	return found;
}

static int
swallow(void *arg, const struct ipc_msg *m)
{
	(void)m;
	(*(int *)arg)++;
	return 0;
}

static void
test_secrets_leave_nothing_behind(void **state)
{
	struct ipc_handlers h = { .on = { [IPC_HS_KEYS] = swallow, [IPC_PONG] = swallow }, .closed = no_end };
	struct event_base *base = event_base_new();
	uint8_t masked[32];
	struct ipc_hs_keys k;
	struct ipc *p, *c;
	int sv[2], i, got = 0;

	(void)state;
	for (i = 0; i < 32; i++)
		masked[i] = (uint8_t)(arc4random() | 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	p = ipc_new(base, sv[0], IPC_PARENT_SIDE, IPC_AUTHD, 1, &h, &got);
	c = ipc_new(base, sv[1], IPC_CHILD_SIDE, IPC_AUTHD, 0, &h, &got);
	ipc_set_state(c, IPC_S_BUSY);
	memset(&k, 0, sizeof(k));
	for (i = 0; i < 32; i++)
		k.tx[i] = masked[i] ^ 0x5a;
	assert_true(occurrences(masked) >= 1);
	assert_int_equal(ipc_send(p, IPC_HS_KEYS, 1, &k, sizeof(k), -1), 0);
	explicit_bzero(&k, sizeof(k));
	for (i = 0; i < 8; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(got, 1);
	assert_int_equal(occurrences(masked), 0);
	ipc_free(p);
	ipc_free(c);
	event_base_free(base);
}

static void
test_texts(void **state)
{
	struct ipc_browse m;
	char s[sizeof(m.url) + 1];

	(void)state;
	memset(&m, 0, sizeof(m));
	IPC_SET(&m, url, "https://x/", 10);
	assert_int_equal(m.url_len, 10);
	assert_true(IPC_OK(&m, url));
	IPC_STR(&m, url, s);
	assert_string_equal(s, "https://x/");
	m.url_len = sizeof(m.url) + 1;
	assert_false(IPC_OK(&m, url));
	assert_false(ipc_text_ok("a\nb", 3, 10));
	assert_false(ipc_text_ok("a\x7f", 2, 10));
	assert_false(ipc_text_ok("\xc2\x9b", 2, 10)); /* C1: CSI */
	assert_true(ipc_text_ok("\xc2\xa0", 2, 10));
	assert_false(ipc_text_ok("\xff", 1, 10));
	assert_false(ipc_text_ok("a\0b", 3, 10));
	assert_int_equal(ipc_text_put(s, 4, "abc\xc3\xa4", 5), 3); /* never half a character */
	assert_string_equal(ipc_type_name(IPC_HS_BEGIN), "HS_BEGIN");
	assert_string_equal(ipc_type_name(IPC_NTYPES), "?");
	assert_int_equal(ipc_head_len(IPC_LOG), offsetof(struct ipc_log, data));
	assert_int_equal(ipc_head_len(IPC_DIAL), sizeof(struct ipc_dial));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type_length_state),
		cmocka_unit_test(test_tail_must_equal_data_len),
		cmocka_unit_test(test_stale_generation),
		cmocka_unit_test(test_descriptor_from_child_never_arrives),
		cmocka_unit_test(test_descriptor_rules_of_the_child_side),
		cmocka_unit_test(test_split_at_every_byte),
		cmocka_unit_test(test_half_messages_and_end),
		cmocka_unit_test(test_rate_of_a_child),
		cmocka_unit_test(test_parent_may_be_fast),
		cmocka_unit_test(test_child_that_never_reads),
		cmocka_unit_test(test_long_texts_travel_in_pieces),
		cmocka_unit_test(test_pieces_out_of_order),
		cmocka_unit_test(test_handler_frees_the_channel),
		cmocka_unit_test(test_closed_frees_the_channel),
		cmocka_unit_test(test_handler_finds_fault),
		cmocka_unit_test(test_message_without_handler),
		cmocka_unit_test(test_own_bugs_abort),
		cmocka_unit_test(test_child_learns_its_generation),
		cmocka_unit_test(test_flush_is_bounded),
		cmocka_unit_test(test_secrets_leave_nothing_behind),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
