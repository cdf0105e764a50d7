/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "unit.h"

#include "timefmt.h"
#include "util_childsim.h"

/*
 * One child sends every possible message, right or wrong, while the other child is honest and synchronized
 * (security.md 5.3, PRIV-04).  After a child was killed, the next starts at once; tests/e2e/test_evil.py
 * has the real pauses.
 */
#define RANDOM 100000 /* messages, half of them of each child */
#define WARM   5000   /* after this number, memory does not grow by more than ... */
#define GROWTH (2u << 20)

#if defined(__SANITIZE_ADDRESS__)
#define COUNT_MEMORY 0 /* freed memory is kept for a while */
#else
#define COUNT_MEMORY 1
#endif

enum { AUTHD, MAPD };

static uint32_t seed = 1;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static size_t
memory(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &size, &resident), 2);
	fclose(f);
	return resident * 4096;
}

static void
stream(struct rig *r, uint32_t what)
{
	struct ipc_stream m;

	memset(&m, 0, sizeof(m));
	m.what = what;
	say(r, MAPD, IPC_STREAM, r->s->p.login.map_id, &m, sizeof(m));
}

static void
accept_login(struct rig *r)
{
	struct ipc_reg_result m;

	memset(&m, 0, sizeof(m));
	m.outcome = IPC_REG_OK;
	m.user_id = 7;
	IPC_SET(&m, login_name, "anna", 4);
	say(r, AUTHD, IPC_REG_RESULT, child_of(r, AUTHD)->work.id, &m, sizeof(m));
}

static void
go_live(struct rig *r)
{
	stream(r, IPC_STREAM_CONNECTED);
	stream(r, IPC_STREAM_OPEN);
	stream(r, IPC_STREAM_LIVE);
	assert_int_equal(r->s->p.login.synced, 1);
}

static void
synchronize(struct rig *r)
{
	struct parent *p = &r->s->p;

	assert_non_null(strstr(ps_ask(r->s, "login auth-key=tskey-auth-unit"), "ok"));
	turn(r);
	accept_login(r);
	assert_true(login_logged_in(&p->login));
	go_live(r);
}

/* The next one of that kind, in that state of its channel. */
static void
next_child(struct rig *r, int i, enum ipc_state s)
{
	struct child *c = child_of(r, i);

	ps_detach(c, r->raw[i]);
	c->not_before = time_mono_ms() + 1000000000; /* no child is started */
	timer_stop(&c->retry);
	r->raw[i] = ps_attach(r->s, c);
	if (s == IPC_S_START)
		return;
	say_ready(r, i);
	ipc_set_state(c->ipc, s);
	c->unanswered = s == IPC_S_BUSY && i == AUTHD;
}

struct attempt {
	unsigned type, flags;
	uint32_t len, id, generation; /* as the header says */
	size_t n;                     /* bytes that come */
	int fd;                       /* is sent with it; 0 = none */
};

/* A descriptor is sent with the first byte. */
static void
send_with(int sock, const void *p, size_t n, int fd)
{
	union {
		struct cmsghdr align;
		uint8_t space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)p, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
	struct cmsghdr *cm;

	memset(&control, 0, sizeof(control));
	mh.msg_controllen = sizeof(control);
	cm = CMSG_FIRSTHDR(&mh);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	assert_int_equal(sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT), n);
}

static void
send_attempt(struct rig *r, int i, const struct attempt *a, const uint8_t *payload)
{
	struct hdr h = { (uint16_t)a->type, (uint16_t)a->flags, a->len, a->id, a->generation };
	uint8_t msg[sizeof(h) + IPC_MAX_MSG];

	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), payload, a->n);
	if (a->fd != 0)
		send_with(r->raw[i], msg, sizeof(h) + a->n, a->fd);
	else
		(void)!send(r->raw[i], msg, sizeof(h) + a->n, MSG_NOSIGNAL | MSG_DONTWAIT);
	turn(r);
}

static int
broke_a_rule(const struct rig *r, int i)
{
	const struct child *c = child_of(r, i);

	return c->violated || c->ipc == NULL;
}

/* The other child, and clients, notice nothing. */
static void
undisturbed(const struct rig *r, int evil)
{
	const struct child *c = child_of(r, !evil);

	if (c->violated || c->ipc == NULL || c->phase != CHILD_READY)
		fail_msg("the sibling is disturbed");
	if (evil == AUTHD && !r->s->p.login.synced)
		fail_msg("no longer synchronized");
}

static unsigned
tail_at(unsigned type, size_t *max)
{
	size_t head = ipc_head_len((enum ipc_type)type);

	switch (type) {
	case IPC_LOG: *max = head + sizeof(((struct ipc_log *)0)->data); return offsetof(struct ipc_log, data_len);
	case IPC_DELTAS:
		*max = head + sizeof(((struct ipc_deltas *)0)->data);
		return offsetof(struct ipc_deltas, data_len);
	default: *max = head; return 0;
	}
}

static int
for_parent(int i, unsigned type)
{
	return type >= IPC_READY && type < IPC_NTYPES && (i == AUTHD ? authd_handlers : mapd_handlers).on[type] != NULL;
}

/*
 * Every type, also those that the parent alone may send or that are not there, with every wrong length, in every
 * state.
 */
static void
sweep(struct rig *r, int i)
{
	static const enum ipc_state states[] = { IPC_S_START, IPC_S_IDLE, IPC_S_BUSY };
	static const uint8_t zeros[IPC_MAX_MSG];
	size_t s, k, max;
	unsigned type, refused = 0;

	for (s = 0; s < 3; s++)
		for (type = 0; type < IPC_NTYPES + 3; type++) {
			size_t n = ipc_head_len((enum ipc_type)type);
			uint32_t lens[] = { 0, (uint32_t)n - 1, (uint32_t)n, (uint32_t)n + 1, 0, IPC_MAX_MSG,
				UINT32_MAX };

			(void)tail_at(type, &max);
			lens[4] = (uint32_t)max + 1;
			for (k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
				struct attempt a = { .type = type, .len = lens[k] };

				next_child(r, i, states[s]);
				a.generation = child_of(r, i)->generation;
				a.n = a.len > IPC_MAX_MSG - 16 ? IPC_MAX_MSG - 16 : a.len;
				send_attempt(r, i, &a, zeros);
				if ((a.len < n || a.len > max || !for_parent(i, type)) && !broke_a_rule(r, i))
					fail_msg("type %u, length %u is let through", type, a.len);
				refused += (unsigned)broke_a_rule(r, i);
				undisturbed(r, i);
			}
		}
	assert_true(refused > 500);
}

/* Whether the writing end of a pipe is open anywhere; takes over both. */
static int
somebody_holds(int p[2])
{
	char c;
	int rv;

	close(p[1]);
	assert_int_equal(fcntl(p[0], F_SETFL, O_NONBLOCK), 0);
	rv = read(p[0], &c, 1) != 0;
	close(p[0]);
	return rv;
}

/* Right messages except the generation, the flags or a descriptor, which is never accepted, announced or not. */
static void
bend(struct rig *r, int i)
{
	enum { RIGHT, OLDER, NEWER, ANNOUNCED, FLAGGED, ATTACHED, ANNOUNCED_AND_ATTACHED, NBENDS };
	static const uint8_t zeros[IPC_MAX_MSG];
	unsigned type, k;
	int refused = 0, p[2];

	for (type = IPC_READY; type < IPC_NTYPES; type++)
		for (k = 0; for_parent(i, type) && k < NBENDS; k++) {
			struct attempt a = { .type = type, .len = (uint32_t)ipc_head_len((enum ipc_type)type) };

			next_child(r, i, type == IPC_READY ? IPC_S_START : IPC_S_BUSY);
			a.n = a.len;
			a.generation = child_of(r, i)->generation - (k == OLDER) + (k == NEWER);
			a.flags = k == ANNOUNCED || k == ANNOUNCED_AND_ATTACHED ? 1 : k == FLAGGED ? 0x8000 : 0;
			assert_int_equal(pipe(p), 0);
			a.fd = k >= ATTACHED ? p[1] : 0;
			send_attempt(r, i, &a, zeros);
			if (k == RIGHT)
				refused = broke_a_rule(r, i); /* most for what is in them */
			if (broke_a_rule(r, i) != (k == RIGHT || k == ATTACHED ? refused : 1))
				fail_msg("type %u, bend %u: %s", type, k, refused ? "refused" : "let through");
			if (somebody_holds(p))
				fail_msg("type %u, bend %u: the descriptor was accepted", type, k);
			undisturbed(r, i);
		}
}

/* All that the state machine knows except the time of its last event. */
static void
knowledge(const struct rig *r, struct login *out)
{
	memcpy(out, &r->s->p.login, sizeof(*out));
	out->now_ms = 0;
	memset(&out->now, 0, sizeof(out->now)); /* its padding, too */
	out->now_boot_ms = 0;
	out->clock_delta = 0; /* of the server's clock and ours at each event */
	out->out = NULL;
}

/* An answer is pending, whatever the child has sent before. */
static void
owes(struct rig *r, int i)
{
	ipc_set_state(child_of(r, i)->ipc, IPC_S_BUSY);
	child_of(r, i)->unanswered = i == AUTHD;
}

/*
 * Right in everything but the id: messages of an earlier operation or stream have no effect, and violate no
 * rule.
 */
static void
stale(struct rig *r, int i, unsigned type, const void *p, size_t n)
{
	uint32_t right = i == AUTHD ? r->s->p.login.op_id : r->s->p.login.map_id;
	const uint32_t ids[] = { IPC_ID_NONE, right - 1, right + 1, UINT32_MAX };
	static struct login before, after;
	size_t k;

	for (k = 0; k < sizeof(ids) / sizeof(ids[0]); k++) {
		owes(r, i);
		knowledge(r, &before);
		say(r, i, type, ids[k], p, n);
		knowledge(r, &after);
		if (memcmp(&before, &after, sizeof(before)) != 0)
			fail_msg("type %u with id %u and not %u has an effect", type, ids[k], right);
		if (broke_a_rule(r, i))
			fail_msg("type %u with id %u and not %u is a violation", type, ids[k], right);
		undisturbed(r, i);
	}
}

static void
stale_results(struct rig *r)
{
	struct ipc_key_result key = { .ok = 1, .key.b = { 7 } };
	struct ipc_reg_result reg;

	assert_non_null(strstr(ps_ask(r->s, "login"), "ok"));
	turn(r);
	assert_int_equal(r->s->p.login.op, OP_REGISTER);
	stale(r, AUTHD, IPC_KEY_RESULT, &key, sizeof(key));
	memset(&reg, 0, sizeof(reg));
	reg.user_id = 8;
	reg.cause = CAUSE_SERVER_KEY;
	IPC_SET(&reg, login_name, "eve", 3);
	IPC_SET(&reg, url, "https://eve.example/", 20);
	IPC_SET(&reg, err, "no", 2);
	for (reg.outcome = IPC_REG_OK; reg.outcome <= IPC_REG_TRANSPORT; reg.outcome++)
		stale(r, AUTHD, IPC_REG_RESULT, &reg, sizeof(reg));
	reg.outcome = IPC_REG_OK;
	owes(r, AUTHD);
	say(r, AUTHD, IPC_REG_RESULT, r->s->p.login.op_id, &reg, sizeof(reg));
	assert_int_not_equal(r->s->p.login.op, OP_REGISTER); /* the same with the right one */
	stream(r, IPC_STREAM_CLOSED);                        /* with the new login a new stream begins */
	go_live(r);
}

static void
stale_stream(struct rig *r)
{
	struct ipc_stream str;
	struct ipc_self self;
	struct ipc_lite lite;

	memset(&str, 0, sizeof(str));
	str.cause = CAUSE_SERVER_KEY;
	IPC_SET(&str, err, "no", 2);
	for (str.what = IPC_STREAM_CONNECTED; str.what <= IPC_STREAM_CLOSED; str.what++)
		stale(r, MAPD, IPC_STREAM, &str, sizeof(str));
	memset(&self, 0, sizeof(self));
	self.user_id = 8;
	self.key_expiry = 1;
	self.expired = 1;
	IPC_SET(&self, login_name, "eve", 3);
	stale(r, MAPD, IPC_SELF, &self, sizeof(self));
	memset(&lite, 0, sizeof(lite));
	IPC_SET(&lite, err, "no", 2);
	stale(r, MAPD, IPC_LITE, &lite, sizeof(lite));
	str.what = IPC_STREAM_CLOSED;
	say(r, MAPD, IPC_STREAM, r->s->p.login.map_id, &str, sizeof(str));
	assert_int_equal(r->s->p.login.synced, 0); /* the same with the right one */
}

/* Contents: zeros with some bytes here and there, so that not every text is broken; or anything. */
static void
fill(uint8_t *p, size_t n, unsigned type)
{
	size_t max, at = tail_at(type, &max), k;
	uint16_t tail = (uint16_t)(n - ipc_head_len((enum ipc_type)type));
	uint32_t how = rnd(8);

	memset(p, 0, n);
	for (k = 0; k < n && how == 0; k++)
		p[k] = (uint8_t)rnd(256);
	for (k = rnd(6); n > 0 && k > 0; k--)
		p[rnd(how < 4 && n > 16 ? 16 : (uint32_t)n)] = (uint8_t)(how < 6 ? rnd(6) : rnd(256));
	if (at != 0 && rnd(16) != 0)
		memcpy(p + at, &tail, sizeof(tail));
}

static uint32_t
some_id(const struct rig *r, int i)
{
	switch (rnd(5)) {
	case 0: return 0;
	case 1: return child_of(r, i)->work.id;
	case 2: return r->s->p.login.map_id;
	case 3: return rnd(8);
	default: return rnd(UINT32_MAX);
	}
}

static void
babble(struct rig *r, int i, unsigned n)
{
	uint8_t payload[IPC_MAX_MSG];
	unsigned k, killed = 0;
	size_t before = 0, max;

	for (k = 0; k < n; k++) {
		struct attempt a = { .type = IPC_READY + rnd(IPC_NTYPES - IPC_READY), .id = some_id(r, i) };

		while (!for_parent(i, a.type) && rnd(50) != 0)
			a.type = IPC_READY + rnd(IPC_NTYPES - IPC_READY);
		if (broke_a_rule(r, i)) {
			killed++;
			next_child(r, i, rnd(16) == 0 ? IPC_S_START : rnd(4) == 0 ? IPC_S_IDLE : IPC_S_BUSY);
		}
		if (rnd(50) == 0)
			a.type = rnd(65536);
		a.len = (uint32_t)ipc_head_len((enum ipc_type)a.type);
		if (tail_at(a.type, &max) != 0)
			a.len += rnd((uint32_t)(max - a.len + 1));
		if (rnd(50) == 0)
			a.len = rnd(2) ? rnd(IPC_MAX_MSG - 16) : rnd(UINT32_MAX);
		a.generation = child_of(r, i)->generation - (rnd(100) == 0);
		a.flags = rnd(100) == 0;
		a.n = a.len > IPC_MAX_MSG - 16 ? IPC_MAX_MSG - 16 : a.len;
		fill(payload, a.n, a.type);
		if (rnd(100) == 0)
			a.n = rnd((uint32_t)a.n + 1); /* half a message */
		send_attempt(r, i, &a, payload);
		undisturbed(r, i);
		if (k == WARM)
			before = memory();
	}
	print_message("%u messages, %u violations, seq %llu\n", n, killed, (unsigned long long)r->s->p.netmap.seq);
	assert_true(killed > n / 100 && killed < n / 2); /* both sides of the rules */
	if (COUNT_MEMORY && memory() > before + GROWTH)
		fail_msg("grown by %zu KiB", (memory() - before) >> 10);
}

static void
still_sane(struct rig *r, const struct pubkey *machine, const struct pubkey *server)
{
	struct parent *p = &r->s->p;
	char err[300];
	struct state st;
	struct keyring *k = keyring_new();

	assert_true(key_equal(keyring_public(p->keys, SLOT_MACHINE), machine));
	assert_true(key_equal(login_pin(&p->login, NULL), server));
	assert_non_null(strstr(ps_ask(r->s, "status"), "{\"v\":1,"));
	memset(&st, 0, sizeof(st)); /* and the file that a restart would find */
	if (state_load(p->store, p->cfg.control_url, &st, k, err, sizeof(err)) != STATE_OK)
		fail_msg("the state does not load: %s", err);
	assert_true(key_equal(keyring_public(k, SLOT_MACHINE), machine));
	assert_true(key_equal(keyring_public(k, SLOT_NODE), keyring_public(p->keys, SLOT_NODE)));
	state_free(&st);
	keyring_free(k);
}

static void
run(struct rig *r, int evil)
{
	struct pubkey machine = *keyring_public(r->s->p.keys, SLOT_MACHINE), server = *login_pin(&r->s->p.login, NULL);

	synchronize(r);
	if (evil == AUTHD)
		stale_results(r);
	else
		stale_stream(r);
	sweep(r, evil);
	bend(r, evil);
	next_child(r, evil, IPC_S_IDLE);
	babble(r, evil, RANDOM / 2);
	still_sane(r, &machine, &server);
}

static void
evil_authd(void **state)
{
	run(*state, AUTHD);
}

static void
evil_mapd(void **state)
{
	struct rig *r = *state;

	run(r, MAPD);
	/* authd can still do its work. */
	next_child(r, MAPD, IPC_S_IDLE);
	assert_non_null(strstr(ps_ask(r->s, "login interactive"), "ok"));
	turn(r);
	assert_int_equal(child_of(r, AUTHD)->unanswered > 0, 1);
	accept_login(r);
	assert_true(r->s->p.login.logged_in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(evil_authd, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(evil_mapd, childsim_setup, childsim_teardown),
	};

	return cmocka_run_group_tests_name("hostile children", tests, NULL, NULL);
}
