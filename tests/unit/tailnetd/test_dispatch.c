/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "unit.h"

#include "childsend.h"
#include "exits.h"
#include "hostreport.h"
#include "log.h"
#include "status.h"
#include "timefmt.h"
#include "util_childsim.h"

/* The parent against what children say and do (security.md D7, 5.3; PRIV-03, PRIV-04). */

/* PRIV-03: a child that has closed its channel and is still there, and then a HUP, the watchdog, a command. */
static void
channel_closed(void **state)
{
	struct rig *r = *state;
	struct supervisor *sup = r->s->p.sup;
	int i;

	for (i = 0; i < 2; i++) {
		shutdown(r->raw[i], SHUT_RDWR);
		ps_run(r->s);
		assert_null(child_of(r, i)->ipc);
		assert_int_equal(child_of(r, i)->phase, CHILD_READY);
	}
	childsend_new_config(sup);
	supervise_ping(sup);
	supervise_look(sup);
	assert_int_equal(supervise_answered(sup), 1); /* it has ended: no answer is missing */
	hostreport_refresh(r->s->p.report);
	childsend_log_level(r->s->p.sup);
	assert_non_null(strstr(ps_ask(r->s, "metrics"), "# EOF"));
	assert_non_null(strstr(ps_ask(r->s, "reconnect"), "ok"));
	assert_non_null(strstr(ps_ask(r->s, "pause"), "ok"));
}

/* PRIV-03, KA-02: a child that hangs does not count as synchronized permanently. */
static void
child_hangs(void **state)
{
	struct rig *r = *state;
	struct child *m = child_of(r, 1), *a = child_of(r, 0);
	struct ipc_empty e = { 0 };
	int i;

	for (i = 0; i < 10; i++) {
		supervise_look(r->s->p.sup);
		supervise_ping(r->s->p.sup); /* for systemd; a child that answers only that hangs nevertheless */
		assert_int_equal(m->violated, i >= 3);
		assert_int_equal(a->violated, 0);
		say(r, 0, IPC_PONG, IPC_ID_LOOK, &e, sizeof(e));
		say(r, 1, IPC_PONG, IPC_ID_NONE, &e, sizeof(e));
	}
}

static const char *
state_text(const struct rig *r)
{
	static char text[65536];
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/state/state", r->s->dir);
	assert_non_null(f = fopen(path, "r"));
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* A real process takes the child's place, and does not listen. */
static void
be_real(struct child *c)
{
	assert_int_not_equal(c->pid = fork(), -1);
	if (c->pid == 0)
		for (;;)
			pause();
}

static void
die(struct rig *r, struct child *c, int sig)
{
	int i;

	kill(c->pid, sig);
	for (i = 0; i < 1000 && c->pid != 0; i++) {
		usleep(1000);
		ps_run(r->s);
	}
	assert_int_equal(c->pid, 0);
}

static void
attach_again(struct rig *r, int i)
{
	close(r->raw[i]);
	r->raw[i] = ps_attach(r->s, child_of(r, i));
	say_ready(r, i);
}

static void
mapd_dies(struct rig *r, int sig)
{
	be_real(child_of(r, 1));
	die(r, child_of(r, 1), sig);
	attach_again(r, 1);
}

/*
 * A child that is wanted again while it still stops is started again when it has ended; psim lets it wait endlessly
 * then.
 */
/* rows: PRIV-03 */
static void
wanted_while_it_stops(void **state)
{
	struct rig *r = *state;
	struct child *c;
	int i, again;

	for (i = 0; i < 2; i++)
		for (again = 0; again < 2; again++) {
			c = child_of(r, i);
			be_real(c);
			child_unwant(c, 0);
			assert_int_equal(c->phase, CHILD_STOPPING);
			if (again)
				child_want(c);
			assert_int_equal(timer_pending(&c->retry), 0); /* not before it has ended */
			die(r, c, SIGKILL);
			assert_int_equal(timer_pending(&c->retry) != 0, again);
			attach_again(r, i);
		}
}

/*
 * What a child reports about this node within a second of the last time waits to be saved; a shutdown is no reason to
 * forget it.
 */
/* rows: SHUT-03 EXP-01 */
static void
shutdown_saves_what_waits(void **state)
{
	struct rig *r = *state;
	struct parent *p = &r->s->p;
	struct login_event e = { .type = LE_SELF, .id = p->login.map_id };

	p->login.map = MAP_STREAM;
	e.u.self.expiry = (struct wtime){ 1900000000, 0 };
	parent_event(p, &e);
	assert_non_null(strstr(state_text(r), "node-key-expiry 2030-03-17T"));
	e.u.self.expiry.sec += 86400;
	parent_event(p, &e);
	assert_non_null(strstr(state_text(r), "node-key-expiry 2030-03-17T"));
	parent_shutdown(p, EXIT_OK);
	assert_non_null(strstr(state_text(r), "node-key-expiry 2030-03-18T"));
}

/* PRIV-03, T4: the dial plan of a compromised mapd is dropped with it. */
static void
plan_of_a_crashed_mapd(void **state)
{
	struct rig *r = *state;
	struct ipc_dial_plan plan;
	struct ipc_dial_times times;

	memset(&plan, 0, sizeof(plan));
	plan.n = 1;
	plan.e[0].has_ip = 1;
	plan.e[0].ip = (struct ipc_addr){ .addr = { 8, 8, 8, 8 }, .family = 4, .bits = 32 };
	say(r, 1, IPC_DIAL_PLAN, 1, &plan, sizeof(plan));
	mapd_dies(r, SIGKILL); /* kill(1) by a user says nothing about it */
	dialler_times(r->s->p.dialler, &times);
	assert_int_equal(times.n, 1);
	mapd_dies(r, SIGUSR1); /* as a crash, without a core */
	dialler_times(r->s->p.dialler, &times);
	assert_int_equal(times.n, 0);
}

/* D8: a crash is what is wrong for ten minutes after it, and no longer. */
static void
crash_is_over(void **state)
{
	struct rig *r = *state;
	struct parent *p = &r->s->p;

	mapd_dies(r, SIGKILL);
	assert_false(p->health.h[HEALTH_CHILD_CRASH].on);
	mapd_dies(r, SIGUSR1);
	assert_true(p->health.h[HEALTH_CHILD_CRASH].on);
	supervise_look(p->sup);
	assert_true(p->health.h[HEALTH_CHILD_CRASH].on);
	p->sup->fault_ms[HEALTH_CHILD_CRASH] -= 599000;
	supervise_look(p->sup);
	assert_true(p->health.h[HEALTH_CHILD_CRASH].on);
	mapd_dies(r, SIGUSR1); /* again: the ten minutes start from the beginning */
	p->sup->fault_ms[HEALTH_CHILD_CRASH] -= 599000;
	supervise_look(p->sup);
	assert_true(p->health.h[HEALTH_CHILD_CRASH].on);
	p->sup->fault_ms[HEALTH_CHILD_CRASH] -= 1500;
	supervise_look(p->sup);
	assert_false(p->health.h[HEALTH_CHILD_CRASH].on);
}

static void
say_delta(struct rig *r, uint64_t seq)
{
	struct ipc_delta_rec rec = { .seq = seq, .full = 1 };
	struct ipc_deltas m;

	memset(&m, 0, sizeof(m));
	m.seq = seq;
	m.source = IPC_SRC_LIVE;
	m.data_len = sizeof(rec);
	memcpy(m.data, &rec, sizeof(rec));
	say(r, 1, IPC_DELTAS, 1, &m, offsetof(struct ipc_deltas, data) + sizeof(rec));
}

/* PRIV-04: a Seq near the end of all numbers would leave none for every mapd to come. */
static void
seq_runs_ahead(void **state)
{
	static const uint64_t far[] = { UINT64_MAX, UINT64_MAX / 2, UINT64_C(1) << 40 };
	struct rig *r = *state;
	struct child *m = child_of(r, 1);
	size_t i;

	for (i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		say_delta(r, 5 + i);
		assert_int_equal(r->s->p.netmap.seq, 5 + i);
		say_delta(r, far[i]);
		assert_int_equal(m->violated, 1);
		assert_int_equal(r->s->p.netmap.seq, 5 + i);
		ps_detach(m, r->raw[1]);
		r->raw[1] = ps_attach(r->s, m);
		say_ready(r, 1);
	}
	say_delta(r, 1000000); /* a mapd that gathers while the parent has no time */
	assert_int_equal(r->s->p.netmap.seq, 1000000);
	assert_int_equal(m->violated, 0);
}

static unsigned
times(const struct buf *b, const char *what)
{
	const char *p = (const char *)buf_ptr(b);
	unsigned n = 0;

	for (; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

/* INT-05, FLD-17, PRIV-04: no watcher may miss a browse event, so none may be drowned in them. */
static void
many_urls(void **state)
{
	struct rig *r = *state;
	struct ipc_browse m;
	struct buf out;
	int fd = ps_connect(r->s), i;

	buf_init(&out, PS_MAX_ANSWER);
	assert_int_equal(write(fd, "watch\n", 6), 6);
	memset(&m, 0, sizeof(m));
	for (i = 0; i < 1000; i++) {
		m.url_len = (uint16_t)snprintf(m.url, sizeof(m.url), "https://c.example/%d", i);
		say(r, 1, IPC_BROWSE, 1, &m, sizeof(m));
	}
	assert_int_equal(child_of(r, 1)->violated, 0);
	assert_int_equal(ps_read(r->s, fd, &out), 0); /* it is still there */
	buf_putc(&out, '\0');
	assert_in_range(times(&out, "\"event\":\"browse\""), 10, 80);
	buf_free(&out);
	close(fd);
}

/*
 * STAT-04, PRIV-04: a client that does not read costs nothing more once it lags; one that reads gets the content of a
 * message at once.
 */
static void
many_records(void **state)
{
	struct rig *r = *state;
	struct ipc_delta_rec rec = { .seq = 0, .fields = IPC_F_DNSConfig };
	struct ipc_deltas m;
	struct buf out;
	int fd = ps_connect(r->s), i;
	unsigned sent;

	buf_init(&out, PS_MAX_ANSWER);
	assert_int_equal(write(fd, "watch\n", 6), 6);
	memset(&m, 0, sizeof(m));
	m.source = IPC_SRC_LIVE;
	for (i = 0; i < 50; i++) {
		for (m.data_len = 0; m.data_len + sizeof(rec) <= sizeof(m.data);
		     m.data_len = (uint16_t)(m.data_len + sizeof(rec))) {
			rec.seq++;
			memcpy(m.data + m.data_len, &rec, sizeof(rec));
		}
		m.seq = rec.seq;
		say(r, 1, IPC_DELTAS, 1, &m, offsetof(struct ipc_deltas, data) + m.data_len);
	}
	assert_int_equal(child_of(r, 1)->violated, 0);
	assert_int_equal(ps_read(r->s, fd, &out), 0);
	buf_putc(&out, '\0');
	sent = times(&out, "\"event\":\"delta\"");
	assert_in_range(sent, 1000, rec.seq - 1000);
	assert_int_equal(times(&out, "\"event\":\"lagged\""), 1);
	assert_int_equal(strtoul(strstr((char *)buf_ptr(&out), "\"dropped\":") + 10, NULL, 10), rec.seq - sent);
	buf_free(&out);
	close(fd);
}

/* How many messages of that type the parent has sent. */
static unsigned
sent(int fd, unsigned type)
{
	uint8_t text[65536];
	struct hdr h;
	unsigned n = 0;
	ssize_t got = recv(fd, text, sizeof(text), MSG_DONTWAIT), at;

	for (at = 0; got - at >= (ssize_t)sizeof(h); at += (ssize_t)(sizeof(h) + h.len)) {
		memcpy(&h, text + at, sizeof(h));
		n += h.type == type;
	}
	return n;
}

/* Clients that ask for metrics and go, while mapd has no time: no more than one question waits for it. */
static void
metrics_and_gone(void **state)
{
	struct rig *r = *state;
	struct ipc_counters m;
	struct buf out;
	int i, fd, last;

	turn(r);
	for (i = 0; i < 500; i++) {
		fd = ps_connect(r->s);
		assert_int_equal(write(fd, "metrics\n", 8), 8);
		ps_run(r->s);
		close(fd);
		ps_run(r->s);
	}
	last = ps_connect(r->s);
	assert_int_equal(write(last, "metrics\n", 8), 8);
	shutdown(last, SHUT_WR); /* as nc -N does: it still waits for the answer */
	ps_run(r->s);
	assert_int_equal(sent(r->raw[1], IPC_COUNTERS_REQ), 1);
	memset(&m, 0, sizeof(m));
	m.msgs_full = 77;
	say(r, 1, IPC_COUNTERS, 0, &m, sizeof(m));
	buf_init(&out, PS_MAX_ANSWER);
	assert_int_equal(ps_read(r->s, last, &out), 1);
	buf_putc(&out, '\0');
	assert_int_equal(times(&out, "kind=\"full\"} 77\n"), 1);
	buf_free(&out);
	close(last);
	ps_run(r->s);
	fd = ps_connect(r->s); /* and the next one asks again */
	assert_int_equal(write(fd, "metrics\n", 8), 8);
	ps_run(r->s);
	assert_int_equal(sent(r->raw[1], IPC_COUNTERS_REQ), 1);
	close(fd);
	ps_run(r->s);
}

/* interface.md 1: a reload is applied whole, also by a child that has the old configuration and is not ready yet. */
static void
reload_while_a_child_starts(void **state)
{
	struct rig *r = *state;
	int i;

	for (i = 0; i < 2; i++) {
		(void)sent(r->raw[i], IPC_CONFIG);
		child_of(r, i)->phase = CHILD_STARTING;
	}
	childsend_new_config(r->s->p.sup);
	ps_run(r->s);
	for (i = 0; i < 2; i++) {
		assert_int_equal(sent(r->raw[i], IPC_CONFIG), 1);
		child_of(r, i)->phase = CHILD_READY;
	}
}

static void
empty(struct bucket *b)
{
	b->milli = 0;
	b->at_ms = time_mono_ms();
}

/*
 * Sends it as say() does; returns the number of answers of that type to mapd, waiting for one up to ms; last: the id of
 * the last one.
 */
static unsigned
heard(struct rig *r, unsigned type, uint32_t id, const void *p, size_t n, unsigned answer, int ms, uint32_t *last)
{
	struct hdr h = { (uint16_t)type, 0, (uint32_t)n, id, child_of(r, 1)->generation };
	uint8_t msg[sizeof(h) + 64], in[65536];
	unsigned count = 0;
	size_t have = 0, at = 0;
	ssize_t got;

	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), p, n);
	assert_int_equal(send(r->raw[1], msg, sizeof(h) + n, MSG_NOSIGNAL), sizeof(h) + n);
	for (;;) {
		ps_run(r->s);
		while ((got = recv(r->raw[1], in + have, sizeof(in) - have, MSG_DONTWAIT)) > 0)
			have += (size_t)got;
		for (; have - at >= sizeof(h); at += sizeof(h) + h.len) {
			memcpy(&h, in + at, sizeof(h));
			if (h.type == answer && (count++, last != NULL))
				*last = h.id;
		}
		if (count > 0 || ms-- <= 0)
			return count;
		usleep(1000);
	}
}

/*
 * PAU-01, STAT-03, PRIV-04: what a child asks for too early is not refused, which a user would see as an error: it
 * waits in the queue.
 */
static void
too_early(void **state)
{
	const struct ipc_dial d = { .kind = IPC_DIAL_CLEAR };
	const struct ipc_hs_begin b = { 0 };
	const struct ipc_empty e = { 0 };
	const struct ipc_hs_finish f = { { 0 } };
	struct rig *r = *state;
	struct child *m = child_of(r, 1);
	uint32_t id, last = 0;

	r->s->p.login.map = MAP_STREAM;
	empty(&m->hs_rate);
	assert_int_equal(heard(r, IPC_HS_BEGIN, 1, &b, sizeof(b), IPC_HS_INIT, 0, NULL), 0);
	assert_int_equal(heard(r, IPC_HS_BEGIN, 2, &b, sizeof(b), IPC_HS_FAIL, 0, NULL), 0);
	say(r, 1, IPC_DIAL_CANCEL, 1, &e, sizeof(e)); /* is not counted */
	assert_int_equal(heard(r, IPC_HS_BEGIN, 3, &b, sizeof(b), IPC_HS_INIT, 5000, &last), 1);
	assert_int_equal(last, 2);
	for (id = 4; id <= 5; id++)
		assert_int_equal(heard(r, IPC_HS_BEGIN, id, &b, sizeof(b), IPC_HS_FAIL, 0, NULL), 0);
	assert_int_equal(heard(r, IPC_HS_BEGIN, 6, &b, sizeof(b), IPC_HS_FAIL, 0, &last), 1); /* no fifth place */
	assert_int_equal(last, 6);
	assert_int_equal(heard(r, IPC_HS_FINISH, 5, &f, sizeof(f), IPC_HS_FAIL, 0, &last), 1); /* not begun */
	assert_int_equal(last, 5);

	empty(&m->dial_rate);
	for (id = 101; id <= 116; id++)
		assert_int_equal(heard(r, IPC_DIAL, id, &d, sizeof(d), IPC_DIALLED, 0, NULL), 0);
	assert_int_equal(heard(r, IPC_DIAL, 117, &d, sizeof(d), IPC_DIALLED, 0, &last), 1); /* no 17th */
	assert_int_equal(last, 117);
	say(r, 1, IPC_DIAL_CANCEL, 101, &e, sizeof(e));
	assert_int_equal(heard(r, IPC_DIAL, 118, &d, sizeof(d), IPC_DIALLED, 5000, &last), 1);
	assert_int_equal(last, 102);
	assert_int_equal(m->violated, 0);
	/* and a child that has ended waits in no queue */
	shutdown(r->raw[1], SHUT_RDWR);
	ps_run(r->s);
	assert_int_equal(m->ndials, 0);
	assert_int_equal(timer_pending(&m->turn), 0);
}

/*
 * PRIV-04, security.md D1: keys of an unfinished handshake are wiped after 30 s, and it cannot be finished
 * after that.
 */
static void
half_open(void **state)
{
	const struct ipc_hs_begin b = { 0 };
	const struct ipc_hs_finish f = { { 0 } };
	struct rig *r = *state;
	struct child *m = child_of(r, 1);
	struct timeval when, now;
	uint32_t last = 0;
	int i;

	r->s->p.login.map = MAP_STREAM;
	assert_int_equal(heard(r, IPC_HS_BEGIN, 1, &b, sizeof(b), IPC_HS_INIT, 0, NULL), 1);
	assert_true(evtimer_pending(m->turn.ev, &when));
	event_base_gettimeofday_cached(r->s->p.base, &now);
	assert_in_range(when.tv_sec - now.tv_sec, 29, 31);
	m->hs[0].since -= 29950;
	assert_int_equal(heard(r, IPC_HS_BEGIN, 2, &b, sizeof(b), IPC_HS_INIT, 0, NULL), 1);
	assert_non_null(m->hs[0].noise);
	for (i = 0; i < 5000 && m->hs[0].noise != NULL; i++) {
		usleep(1000);
		ps_run(r->s);
	}
	assert_null(m->hs[0].noise);
	assert_non_null(m->hs[1].noise);
	assert_true(timer_pending(&m->turn)); /* for the other */
	assert_int_equal(heard(r, IPC_HS_FINISH, 1, &f, sizeof(f), IPC_HS_FAIL, 0, &last), 1);
	assert_int_equal(last, 1);
	assert_int_equal(m->violated, 0);
}

/* An event that an action causes waits for the end of the others, with a text of its own. */
/* rows: REG-12 */
static void
queued_event_keeps_its_text(void **state)
{
	struct rig *r = *state;
	struct login_event e = { .type = LE_LOGIN };
	const char *status;

	ps_config(r->s,
	    "server-key mkey:1111111111111111111111111111111111111111111111111111111111111111\n"
	    "auth-key-file /nonexistent/key\n");
	parent_event(&r->s->p, &e);
	turn(r);
	status = ps_ask(r->s, "status");
	assert_non_null(strstr(status, "\"errSource\":\"auth\""));
	assert_non_null(strstr(status, "\"err\":\"auth-key-file /nonexistent/key: "));
}

/* --- what is pushed to children that do not read at the moment --- */

struct inbox {
	unsigned hostinfos, params, events;
	struct buf text; /* of the last Hostinfo, or of the one under way */
	struct buf in;
};

/* All that child i was sent until now. */
static void
read_inbox(struct rig *r, int i, struct inbox *b)
{
	uint8_t bytes[65536];
	struct ipc_chunk m;
	struct hdr h;
	ssize_t n;
	int idle = 0;

	buf_init(&b->in, 1u << 24);
	buf_init(&b->text, 1u << 20);
	while (idle < 3) { /* drained() may have more */
		ps_run(r->s);
		if ((n = recv(r->raw[i], bytes, sizeof(bytes), MSG_DONTWAIT)) <= 0) {
			idle++;
			continue;
		}
		idle = 0;
		assert_int_equal(buf_put(&b->in, bytes, (size_t)n), 0);
		while (buf_len(&b->in) >= sizeof(h)) {
			memcpy(&h, buf_ptr(&b->in), sizeof(h));
			if (buf_len(&b->in) < sizeof(h) + h.len)
				break;
			memset(&m, 0, sizeof(m));
			memcpy(&m, buf_ptr(&b->in) + sizeof(h), h.len < sizeof(m) ? h.len : sizeof(m));
			b->params += h.type == IPC_MAP_PARAMS;
			b->events += h.type == IPC_EVENT && m.off + m.data_len == m.total;
			if (h.type == IPC_HOSTINFO) {
				if (m.off == 0)
					buf_reset(&b->text);
				buf_put(&b->text, m.data, m.data_len);
				b->hostinfos += m.off + m.data_len == m.total;
			}
			buf_consume(&b->in, sizeof(h) + h.len);
		}
	}
	buf_free(&b->in);
	buf_putc(&b->text, '\0');
}

static char *
large_set(int n)
{
	static char line[62000];
	int at = snprintf(line, sizeof(line), "set hostinfo {\"App\":\"%d", n);

	memset(line + at, 'x', 60000);
	snprintf(line + at + 60000, sizeof(line) - (size_t)at - 60000, "\"}");
	return line;
}

/* 100 of 60 KB, the documented burst: no child is killed for it, and it has the last one in the end. */
/* rows: PRIV-04 */
static void
pushes_are_gathered(void **state)
{
	struct rig *r = *state;
	struct inbox b = { 0 };
	char want[32];
	int i, n;

	for (n = 1; n <= 100; n++)
		assert_non_null(strstr(ps_ask(r->s, large_set(n)), "\"changed\":true"));
	snprintf(want, sizeof(want), "\"App\":\"%dxxx", n - 1);
	for (i = 0; i < 2; i++) {
		assert_non_null(child_of(r, i)->ipc);
		assert_int_equal(child_of(r, i)->violated, 0);
		assert_in_range(ipc_queued(child_of(r, i)->ipc), 1, 256 * 1024);
		memset(&b, 0, sizeof(b));
		read_inbox(r, i, &b);
		assert_in_range(b.hostinfos, 1, 12);
		assert_non_null(strstr((char *)buf_ptr(&b.text), want));
		assert_int_equal(b.events, 0); /* there are no watchers */
		assert_int_equal(child_of(r, i)->due, 0);
		buf_free(&b.text);
	}
	assert_true(b.params >= 1);
}

static unsigned
events_of(struct rig *r, const char *command)
{
	struct inbox b = { 0 };

	assert_non_null(strstr(ps_ask(r->s, command), "\"changed\":true"));
	for (; status_waits(r->s->p.control); usleep(1000))
		ps_run(r->s);
	read_inbox(r, 1, &b);
	buf_free(&b.text);
	return b.events;
}

/* Events go to mapd while it has watchers; of statuses that wait for a busy one only the newest is sent. */
/* rows: STAT-03 */
static void
events_for_watchers(void **state)
{
	struct rig *r = *state;
	struct ipc_empty none = { 0 };
	struct inbox b = { 0 };
	uint32_t id;
	int fd, n;

	assert_int_equal(events_of(r, "set hostinfo {\"App\":\"a\"}"), 0);
	fd = ps_connect(r->s);
	assert_int_equal(write(fd, "watch netmap\n", 13), 13);
	ps_run(r->s);
	assert_true(events_of(r, "set hostinfo {\"App\":\"b\"}") >= 1); /* its first status is among them */
	assert_int_equal(events_of(r, "set hostinfo {\"App\":\"c\"}"), 1);
	for (n = 0; n < 40; n++) {
		(void)ps_ask(r->s, large_set(n));
		for (; status_waits(r->s->p.control); usleep(1000))
			ps_run(r->s);
	}
	assert_int_equal(child_of(r, 1)->violated, 0);
	read_inbox(r, 1, &b);
	assert_in_range(b.events, 1, 8);
	buf_free(&b.text);
	for (id = 0; id < 1000; id++) /* an id of a watcher before the last one changes nothing */
		say(r, 1, IPC_UNWATCHED, id + 1000000, &none, sizeof(none));
	assert_int_equal(events_of(r, "set hostinfo {\"App\":\"d\"}"), 1);
	for (id = 0; id < 1000; id++)
		say(r, 1, IPC_UNWATCHED, id, &none, sizeof(none));
	assert_int_equal(events_of(r, "set hostinfo {\"App\":\"e\"}"), 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pushes_are_gathered, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(events_for_watchers, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(channel_closed, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(child_hangs, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(wanted_while_it_stops, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(shutdown_saves_what_waits, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(plan_of_a_crashed_mapd, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(crash_is_over, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(seq_runs_ahead, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(many_urls, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(many_records, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(metrics_and_gone, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(too_early, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(half_open, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(reload_while_a_child_starts, childsim_setup, childsim_teardown),
		cmocka_unit_test_setup_teardown(queued_event_keeps_its_text, childsim_setup, childsim_teardown),
	};

	return cmocka_run_group_tests_name("dispatch", tests, NULL, NULL);
}
