/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "codec.h"
#include "util_ipc.h"

/*
 * The list of msgs.h once more, written out by hand: what each message may be.  It does not expand IPC_MESSAGES, so a
 * change there has to be made here as well, deliberately; test_list_is_as_agreed() names the rows that differ.
 */
enum { P2C = IPC_P2C, C2P = IPC_C2P };
enum { A = 1, M = 2, AM = 3 };
enum { NOFD = 0, FD = 1, OPTFD = 2 };
enum { START = 1, IDLE = 2, BUSY = 4 };
enum { PLAIN, SECRET };
struct spec {
	const char *name;
	int to, roles, fd;
	size_t head, max, off;
	int tail, states, secret;
};
#define EXACT(t) sizeof(t), sizeof(t), 0, 0
#define TAIL(t)  offsetof(t, data), offsetof(t, data) + sizeof(((t *)0)->data), offsetof(t, data_len), 1
/* clang-format off */
static const struct spec specs[IPC_NTYPES] = {
	[IPC_NONE] = { .name = "none" },
#define ROW(name, ...) [IPC_##name] = { #name, __VA_ARGS__ }
	ROW(HELLO, P2C, AM, NOFD, EXACT(struct ipc_hello), START, PLAIN),
	ROW(CONFIG, P2C, AM, NOFD, EXACT(struct ipc_config), START | IDLE | BUSY, SECRET),
	ROW(CA, P2C, AM, FD, EXACT(struct ipc_empty), START | IDLE | BUSY, PLAIN),
	ROW(HOSTINFO, P2C, AM, NOFD, TAIL(struct ipc_chunk), IDLE | BUSY, PLAIN),
	ROW(LOG_LEVEL, P2C, AM, NOFD, EXACT(struct ipc_log_level), IDLE | BUSY, PLAIN),
	ROW(STOP, P2C, AM, NOFD, EXACT(struct ipc_empty), START | IDLE | BUSY, PLAIN),
	ROW(PING, P2C, AM, NOFD, EXACT(struct ipc_empty), IDLE | BUSY, PLAIN),
	ROW(DIALLED, P2C, AM, OPTFD, EXACT(struct ipc_dialled), IDLE | BUSY, PLAIN),
	ROW(HS_INIT, P2C, AM, NOFD, EXACT(struct ipc_hs_init), IDLE | BUSY, PLAIN),
	ROW(HS_KEYS, P2C, AM, NOFD, EXACT(struct ipc_hs_keys), IDLE | BUSY, SECRET),
	ROW(HS_FAIL, P2C, AM, NOFD, EXACT(struct ipc_hs_fail), IDLE | BUSY, PLAIN),
	ROW(DIAL_TIMES, P2C, AM, NOFD, EXACT(struct ipc_dial_times), IDLE | BUSY, PLAIN),
	ROW(KEY_FETCH, P2C, A, NOFD, EXACT(struct ipc_empty), IDLE | BUSY, PLAIN),
	ROW(REGISTER, P2C, A, NOFD, EXACT(struct ipc_register), IDLE | BUSY, SECRET),
	ROW(CANCEL, P2C, A, NOFD, EXACT(struct ipc_empty), IDLE | BUSY, PLAIN),
	ROW(MAP_START, P2C, M, NOFD, EXACT(struct ipc_map_start), IDLE | BUSY, PLAIN),
	ROW(MAP_STOP, P2C, M, NOFD, EXACT(struct ipc_map_stop), IDLE | BUSY, PLAIN),
	ROW(MAP_PARAMS, P2C, M, NOFD, EXACT(struct ipc_map_params), IDLE | BUSY, PLAIN),
	ROW(QUERY, P2C, M, FD, TAIL(struct ipc_query), IDLE | BUSY, PLAIN),
	ROW(EVENT, P2C, M, NOFD, TAIL(struct ipc_chunk), IDLE | BUSY, PLAIN),
	ROW(COUNTERS_REQ, P2C, M, NOFD, EXACT(struct ipc_empty), IDLE | BUSY, PLAIN),
	ROW(CACHE_LOAD, P2C, M, FD, EXACT(struct ipc_cache_load), IDLE | BUSY, PLAIN),
	ROW(CACHE_WRITE, P2C, M, FD, EXACT(struct ipc_cache_write), IDLE | BUSY, PLAIN),
	ROW(CACHE_FORGET, P2C, M, NOFD, EXACT(struct ipc_empty), IDLE | BUSY, PLAIN),
	ROW(READY, C2P, AM, NOFD, EXACT(struct ipc_ready), START, PLAIN),
	ROW(LOG, C2P, AM, NOFD, TAIL(struct ipc_log), START | IDLE | BUSY, PLAIN),
	ROW(PONG, C2P, AM, NOFD, EXACT(struct ipc_empty), IDLE | BUSY, PLAIN),
	ROW(NEED_CA, C2P, AM, NOFD, EXACT(struct ipc_empty), IDLE | BUSY, PLAIN),
	ROW(DIAL, C2P, AM, NOFD, EXACT(struct ipc_dial), IDLE | BUSY, PLAIN),
	ROW(DIAL_CANCEL, C2P, AM, NOFD, EXACT(struct ipc_empty), IDLE | BUSY, PLAIN),
	ROW(HS_BEGIN, C2P, AM, NOFD, EXACT(struct ipc_hs_begin), IDLE | BUSY, PLAIN),
	ROW(HS_FINISH, C2P, AM, NOFD, EXACT(struct ipc_hs_finish), IDLE | BUSY, PLAIN),
	ROW(STEP, C2P, A, NOFD, EXACT(struct ipc_step), BUSY, PLAIN),
	ROW(KEY_RESULT, C2P, A, NOFD, EXACT(struct ipc_key_result), BUSY, PLAIN),
	ROW(REG_RESULT, C2P, A, NOFD, EXACT(struct ipc_reg_result), BUSY, SECRET),
	ROW(STREAM, C2P, M, NOFD, EXACT(struct ipc_stream), IDLE | BUSY, PLAIN),
	ROW(SELF, C2P, M, NOFD, EXACT(struct ipc_self), IDLE | BUSY, PLAIN),
	ROW(DELTAS, C2P, M, NOFD, TAIL(struct ipc_deltas), IDLE | BUSY, PLAIN),
	ROW(COUNTERS, C2P, M, NOFD, EXACT(struct ipc_counters), IDLE | BUSY, PLAIN),
	ROW(LITE, C2P, M, NOFD, EXACT(struct ipc_lite), IDLE | BUSY, PLAIN),
	ROW(LIMIT, C2P, M, NOFD, EXACT(struct ipc_limit), IDLE | BUSY, PLAIN),
	ROW(CONTROL_TIME, C2P, M, NOFD, EXACT(struct ipc_control_time), IDLE | BUSY, PLAIN),
	ROW(UNWATCHED, C2P, M, NOFD, EXACT(struct ipc_empty), IDLE | BUSY, PLAIN),
	ROW(BROWSE, C2P, M, NOFD, EXACT(struct ipc_browse), IDLE | BUSY, PLAIN),
	ROW(EXIT_WISH, C2P, M, NOFD, EXACT(struct ipc_exit_wish), IDLE | BUSY, PLAIN),
	ROW(DIAL_PLAN, C2P, M, NOFD, EXACT(struct ipc_dial_plan), IDLE | BUSY, PLAIN),
	ROW(CACHE_LOADED, C2P, M, NOFD, EXACT(struct ipc_cache_done), IDLE | BUSY, PLAIN),
	ROW(CACHE_WRITTEN, C2P, M, NOFD, EXACT(struct ipc_cache_done), IDLE | BUSY, PLAIN),
#undef ROW
};
/* clang-format on */

/* Which column of a row is not as agreed; NULL: none. */
static const char *
difference(const struct spec *s, const struct ipc_row *r, unsigned type)
{
	if (r == NULL || s->name == NULL || strcmp(s->name, r->name) != 0)
		return "name";
	if ((int)r->dir != s->to)
		return "direction";
	if (r->roles != (unsigned)((s->roles & A ? 1 << IPC_AUTHD : 0) | (s->roles & M ? 1 << IPC_MAPD : 0)))
		return "roles";
	if (r->fd != (s->fd == FD ? IPC_FD : s->fd == OPTFD ? IPC_OPTFD : IPC_NOFD))
		return "descriptor";
	if (r->head != s->head || r->max != s->max || (s->tail && r->len_off != s->off))
		return "size";
	if (r->states !=
	    (unsigned)((s->states & START ? IPC_S_START : 0) | (s->states & IDLE ? IPC_S_IDLE : 0) |
		(s->states & BUSY ? IPC_S_BUSY : 0)))
		return "states";
	return ipc_type_secret(type) != (s->secret == SECRET) ? "secret" : NULL;
}

/* rows: PRIV-04 */
static void
test_list_is_as_agreed(void **state)
{
	unsigned t, rows = 0, bad = 0;

	(void)state;
	assert_null(ipc_row(IPC_NONE));
	assert_null(ipc_row(IPC_NTYPES));
	for (t = IPC_NONE + 1; t < IPC_NTYPES; t++, rows++) {
		const char *what = difference(&specs[t], ipc_row(t), t);

		if (what == NULL)
			continue;
		print_error("row %u of ipc/msgs.h, %s (here %s): %s differs\n", t, ipc_type_name((enum ipc_type)t),
		    specs[t].name != NULL ? specs[t].name : "none", what);
		bad++;
	}
	assert_int_equal(bad, 0);
	assert_int_equal(rows, 48);
}

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
						    (s->to == P2C) == (sides[i] == IPC_CHILD_SIDE) &&
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

static void
test_second_descriptor_for_one_message(void **state)
{
	struct raw_hdr h = { IPC_CA, 1, sizeof(struct ipc_empty), 1, GENERATION };
	struct ipc_empty none = { 0 };
	struct rig r = { 0 };
	int null = open("/dev/null", O_RDONLY), before = open_descriptors();

	(void)state;
	rig_open(&r, IPC_CHILD_SIDE, IPC_AUTHD);
	ipc_set_state(r.c, IPC_S_IDLE);
	raw_write(r.raw, &h, sizeof(h), &null, 1);
	rig_turn(&r);
	assert_int_equal(r.closed, 0);
	raw_write(r.raw, &none, sizeof(none), &null, 1);
	rig_turn(&r);
	assert_int_equal(r.handled, 0);
	assert_int_equal(r.violation, 1);
	rig_close(&r);
	assert_int_equal(open_descriptors(), before);
	close(null);
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
		assert_int_equal(r.violation, 0); /* it ended; its exit reports that */
		assert_int_equal(r.handled, 0);
		rig_close(&r);
	}
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
must_abort(enum ipc_side side, enum ipc_role role, enum ipc_type type, void *payload, size_t len, int fd)
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list_is_as_agreed),
		cmocka_unit_test(test_every_type_length_state),
		cmocka_unit_test(test_tail_must_equal_data_len),
		cmocka_unit_test(test_stale_generation),
		cmocka_unit_test(test_descriptor_from_child_never_arrives),
		cmocka_unit_test(test_descriptor_rules_of_the_child_side),
		cmocka_unit_test(test_second_descriptor_for_one_message),
		cmocka_unit_test(test_split_at_every_byte),
		cmocka_unit_test(test_half_messages_and_end),
		cmocka_unit_test(test_handler_frees_the_channel),
		cmocka_unit_test(test_closed_frees_the_channel),
		cmocka_unit_test(test_handler_finds_fault),
		cmocka_unit_test(test_message_without_handler),
		cmocka_unit_test(test_own_bugs_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
