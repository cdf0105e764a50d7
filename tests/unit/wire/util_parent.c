/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "timefmt.h"
#include "util_clock.h"
#include "util_parent.h"

struct answer {
	struct tparent *p;
	uint32_t id;
	int fd;
};

static void
deliver(int fd, short what, void *arg)
{
	struct answer *a = arg;
	const char *err = a->fd == -1 ? "connect to 192.0.2.1: Connection refused" : NULL;

	(void)fd;
	(void)what;
	if (a->p->f != NULL)
		fetch_dialled(a->p->f, a->id, a->fd, err);
	else if (a->p->s != NULL)
		session_dialled(a->p->s, a->id, a->fd, err);
	else if (a->fd != -1)
		close(a->fd);
	free(a);
}

static void
on_dial(void *arg, uint32_t id, enum wire_dial kind, uint32_t candidate)
{
	struct tparent *p = arg;
	struct answer *a = calloc(1, sizeof(*a));
	enum tp_way way = p->use_cand && candidate > 0 ? p->cand_way[candidate] : p->way[kind];
	unsigned i = p->ndials++;
	int fds[2];

	assert_true(i < TP_MAX);
	p->dials[i].id = id;
	p->dials[i].kind = kind;
	p->dials[i].candidate = candidate;
	p->dials[i].at_ms = time_mono_ms();
	if (way == TP_IGNORE) {
		free(a);
		return;
	}
	*a = (struct answer){ p, id, -1 };
	if (way == TP_CONNECT) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
		a->fd = fds[0];
		p->dials[i].server = ts_new(p->base, fds[1], &p->plan[kind]);
	}
	p->later[p->nlater] = event_new(p->base, -1, 0, deliver, a);
	event_active(p->later[p->nlater++], EV_TIMEOUT, 0);
}

static void
on_dial_cancel(void *arg, uint32_t id)
{
	struct tparent *p = arg;

	p->ncancels++;
	for (unsigned i = 0; i < p->ndials; i++)
		if (p->dials[i].id == id)
			p->dials[i].cancelled = 1;
}

static void
on_hs_begin(void *arg, uint32_t id)
{
	struct tparent *p = arg;
	uint8_t s[32], sp[32], r[32], rp[32];
	unsigned i = p->nhs++;

	assert_true(i < TP_MAX);
	tn_keypair(TS_CLIENT_SEED, s, sp);
	tn_keypair(TS_SERVER_SEED, r, rp);
	p->hs[i].id = id;
	tn_begin(&p->hs[i].n, s, rp, TS_VERSION, p->hs[i].msg);
	session_hs_init(p->s, id, p->hs[i].msg);
}

static void
finish(struct tparent *p, uint32_t id, const uint8_t body[48])
{
	uint8_t tx[32], rx[32];

	for (unsigned i = 0; i < p->nhs; i++) {
		if (p->hs[i].id != id)
			continue;
		if (tn_finish(&p->hs[i].n, body, tx, rx) == 0)
			session_hs_keys(p->s, id, tx, rx);
		else
			session_hs_fail(p->s, id, "the answer does not decrypt");
		return;
	}
	fail_msg("HS_FINISH for an unknown id");
}

static void
on_hs_finish(void *arg, uint32_t id, const uint8_t body[48])
{
	struct tparent *p = arg;

	if (!p->hold_keys) {
		finish(p, id, body);
		return;
	}
	p->held_id = id;
	memcpy(p->held_body, body, 48);
}

void
tp_release_keys(struct tparent *p)
{
	finish(p, p->held_id, p->held_body);
}

static void
on_up(void *arg)
{
	struct tparent *p = arg;

	p->ups++;
	if (p->on_up != NULL)
		p->on_up(p);
}

static void
on_down(void *arg, const char *why, enum cause cause)
{
	struct tparent *p = arg;

	p->downs++;
	p->cause = cause;
	snprintf(p->why, sizeof(p->why), "%s", why);
	assert_null(strchr(p->why, '\n'));
	if (p->on_down != NULL)
		p->on_down(p);
}

static void
on_fetched(void *arg, int status, const uint8_t *body, size_t n, const char *err)
{
	struct tparent *p = arg;

	p->fetched++;
	p->cause = fetch_cause(p->f);
	p->f = NULL;
	p->status = status;
	buf_reset(&p->body);
	buf_put(&p->body, body, n);
	snprintf(p->err, sizeof(p->err), "%s", err != NULL ? err : "");
}

void
tp_init(struct tparent *p, const char *host)
{
	memset(p, 0, sizeof(*p));
	clock_simulate(); /* all other ends are in this process */
	p->base = event_base_new();
	assert_non_null(p->base);
	snprintf(p->cfg.host, sizeof(p->cfg.host), "%s", host);
	snprintf(p->cfg.authority, sizeof(p->cfg.authority), "%s:8080", host);
	p->cfg.clear_port = p->cfg.url_port = 8080;
	p->cfg.capver = TS_VERSION;
	buf_init(&p->body, 256 << 20);
	tp_mark(p);
}

static void
on_step(void *arg, enum wire_step what, enum wire_dial kind)
{
	struct tparent *p = arg;
	size_t n = strlen(p->steps);

	snprintf(p->steps + n, sizeof(p->steps) - n, "%s%c%u", n > 0 ? " " : "", "?tunh"[what], (unsigned)kind);
}

void
tp_session(struct tparent *p)
{
	static const struct session_ops ops = { .dial = on_dial,
		.dial_cancel = on_dial_cancel,
		.hs_begin = on_hs_begin,
		.hs_finish = on_hs_finish,
		.up = on_up,
		.down = on_down,
		.step = on_step };

	p->s = session_new(p->base, &p->cfg, &ops, p);
	assert_non_null(p->s);
}

void
tp_fetch(struct tparent *p, struct trust *trust, const char *path, unsigned timeout_ms)
{
	static const struct fetch_ops ops = { .dial = on_dial,
		.dial_cancel = on_dial_cancel,
		.done = on_fetched,
		.step = on_step };

	p->f = fetch_start(p->base, &p->cfg, trust, "GET", path, 65536, timeout_ms, &ops, p);
	assert_non_null(p->f);
}

void
tp_free(struct tparent *p)
{
	session_free(p->s);
	fetch_cancel(p->f);
	p->s = NULL;
	p->f = NULL;
	event_base_loop(p->base, EVLOOP_NONBLOCK);
	for (unsigned i = 0; i < p->nlater; i++)
		event_free(p->later[i]);
	for (unsigned i = 0; i < p->ndials; i++)
		ts_free(p->dials[i].server);
	buf_free(&p->body);
	event_base_free(p->base);
}

unsigned
tp_since(const struct tparent *p)
{
	return (unsigned)(time_mono_ms() - p->start_ms);
}

void
tp_mark(struct tparent *p)
{
	p->start_ms = time_mono_ms();
}

static void
nothing(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

int
tp_wait(struct tparent *p, const unsigned *flag, unsigned n, unsigned ms)
{
	struct timeval tick = { 0, 2000 };
	struct event *ev = event_new(p->base, -1, EV_PERSIST, nothing, NULL);
	uint64_t end = time_mono_ms() + ms;

	event_add(ev, &tick);
	while (*flag < n && time_mono_ms() < end)
		event_base_loop(p->base, EVLOOP_ONCE);
	event_free(ev);
	return *flag >= n;
}

void
tp_run(struct tparent *p, unsigned ms)
{
	unsigned never = 0;

	tp_wait(p, &never, 1, ms);
}

struct tserver *
tp_server(struct tparent *p, unsigned dial)
{
	assert_true(dial < p->ndials);
	assert_non_null(p->dials[dial].server);
	return p->dials[dial].server;
}
