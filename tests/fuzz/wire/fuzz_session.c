/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "log.h"
#include "request.h"
#include "util_peer.h"
#include "session_int.h"
#include "tls.h"

/*
 * A whole session - race, TLS, upgrade, Noise, early payload, HTTP/2, requests - against servers that do anything at
 * any time, and an owner that makes requests, pauses, cancels and frees wherever it is called.  The input is a script
 * of both.  Every request ends once or is cancelled, nothing is called after the end, and nothing is left.
 */
#define PEERS 12
#define REQS  12

static const uint8_t k1[32] = { 1 }, k2[32] = { 2 };
static const char good_head[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\n"
				"Connection: upgrade\r\n\r\n\x02\x00\x30"
				"012345678901234567890123456789012345678901234567";

struct req {
	struct world *w;
	struct request *r;
	int paused;
};

struct world {
	struct event_base *base;
	struct wire_config cfg;
	struct session *s;
	struct script in;
	struct peer peers[PEERS];
	struct ask {
		uint32_t id;
		int kind; /* 0 none, 1 dial, 2 begin, 3 finish */
		enum wire_dial dial;
		int peer;
	} asks[PEERS];
	unsigned npeers;
	struct req reqs[REQS];
};

static void
ask(struct world *w, uint32_t id, int kind, enum wire_dial dial)
{
	struct ask *a = NULL;

	for (unsigned i = 0; i < PEERS; i++)
		if (w->asks[i].id == id)
			a = &w->asks[i];
	for (unsigned i = 0; i < PEERS && a == NULL; i++)
		if (w->asks[i].id == 0)
			a = &w->asks[i];
	if (a == NULL)
		return; /* stays without an answer */
	if (kind == 1)
		*a = (struct ask){ .id = id, .dial = dial, .peer = -1 };
	a->kind = kind;
}

static void
on_dial(void *arg, uint32_t id, enum wire_dial kind, uint32_t candidate)
{
	(void)candidate;
	ask(arg, id, 1, kind);
}

static void
on_cancel(void *arg, uint32_t id)
{
	struct world *w = arg;

	if (w->s == NULL)
		abort();
	for (unsigned i = 0; i < PEERS; i++)
		if (w->asks[i].id == id)
			w->asks[i].kind = 0;
}

static void
on_begin(void *arg, uint32_t id)
{
	ask(arg, id, 2, 0);
}

static void
on_finish(void *arg, uint32_t id, const uint8_t body[48])
{
	(void)body;
	ask(arg, id, 3, 0);
}

static void on_up(void *arg);
static void on_down(void *arg, const char *why, enum cause cause);
static void on_step(void *arg, enum wire_step what, enum wire_dial kind);

static void
make_session(struct world *w)
{
	static const struct session_ops ops = { .dial = on_dial,
		.dial_cancel = on_cancel,
		.hs_begin = on_begin,
		.hs_finish = on_finish,
		.up = on_up,
		.down = on_down,
		.step = on_step };
	struct race_times t = race_times_default;

	if ((w->s = session_new(w->base, &w->cfg, &ops, w)) == NULL)
		abort();
	t.tls_delay = 1;
	t.clear_delay = 1;
	t.deadline = 3;
	t.plan_min = t.plan_extra = 2;
	t.tls = 2;
	session_set_times(w->s, &t);
}

static void
end_session(struct world *w)
{
	session_free(w->s);
	w->s = NULL;
	for (unsigned i = 0; i < REQS; i++)
		w->reqs[i].r = NULL;
	memset(w->asks, 0, sizeof(w->asks));
}

/* --- requests --- */

static void
on_head(void *arg, int status)
{
	struct req *r = arg;

	if (r->r == NULL || r->w->s == NULL || status < 200)
		abort();
	request_header(r->r, "retry-after");
	if (take(&r->w->in) % 16 == 1) {
		request_cancel(r->r);
		r->r = NULL;
	}
}

static int
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct req *r = arg;
	struct world *w = r->w;

	if (r->r == NULL || w->s == NULL || n == 0 || p == NULL)
		abort();
	switch (take(&w->in) % 16) {
	case 1: end_session(w); return 0;
	case 2:
		request_cancel(r->r);
		r->r = NULL;
		return 0;
	case 3: r->r = NULL; return -1;
	case 4: request_pause(r->r, r->paused = !r->paused); return 0;
	default: return 0;
	}
}

static void new_request(struct world *w, uint8_t how);

static void
on_done(void *arg, enum request_err err, const char *why)
{
	struct req *r = arg;
	struct world *w = r->w;

	if (r->r == NULL || w->s == NULL || (err != REQ_OK && why == NULL))
		abort();
	r->r = NULL;
	switch (take(&w->in) % 16) {
	case 1: end_session(w); break;
	case 2: new_request(w, 2); break;
	default: break;
	}
}

static void
new_request(struct world *w, uint8_t how)
{
	static const struct request_ops ops = { on_head, on_data, on_done };
	static const uint8_t body[3000] = "{}";
	struct request_spec spec = { .method = how & 1 ? "HEAD" : "POST",
		.path = "/machine/map",
		.body = body,
		.body_len = how & 2 ? (size_t)how * 10 : 0,
		.max_answer = how & 4 ? 100 : 0,
		.timeout_ms = how & 8 ? 2 : 0 };

	for (unsigned i = 0; i < REQS && w->s != NULL; i++)
		if (w->reqs[i].r == NULL) {
			w->reqs[i] = (struct req){ w, session_request(w->s, &spec, &ops, &w->reqs[i]), 0 };
			if (w->reqs[i].r == NULL)
				abort();
			return;
		}
}

/* --- the owner --- */

static void
on_up(void *arg)
{
	struct world *w = arg;

	if (w->s == NULL)
		abort();
	switch (take(&w->in) % 16) {
	case 1: end_session(w); break;
	case 2: new_request(w, 0); break;
	default: break;
	}
}

static void
on_down(void *arg, const char *why, enum cause cause)
{
	struct world *w = arg;

	(void)cause;
	if (w->s == NULL || why == NULL || strchr(why, '\n') != NULL)
		abort();
	switch (take(&w->in) % 16) {
	case 1: end_session(w); break;
	case 2: new_request(w, 2); break;
	default: break;
	}
}

static void
on_step(void *arg, enum wire_step what, enum wire_dial kind)
{
	struct world *w = arg;

	(void)kind;
	if (w->s == NULL || what < WIRE_STEP_TLS || what > WIRE_STEP_HTTP2)
		abort();
}

static void
answer(struct world *w, uint8_t how)
{
	struct ask *a = &w->asks[how >> 4 < PEERS ? how >> 4 : 0];
	static const uint8_t init[101] = { 0, 131, 1, 0, 96 };
	int kind = a->kind, fd;

	a->kind = 0;
	if (w->s == NULL || kind == 0)
		return;
	switch (kind) {
	case 1:
		if (how & 1 || w->npeers == PEERS) {
			session_dialled(w->s, a->id, -1, how & 2 ? "refused" : NULL);
			break;
		}
		a->peer = (int)w->npeers++;
		fd = peer_open(&w->peers[a->peer], a->dial == WIRE_DIAL_TLS);
		session_dialled(w->s, a->id, fd, NULL);
		break;
	case 2:
		if (how & 1)
			session_hs_fail(w->s, a->id, "no");
		else
			session_hs_init(w->s, a->id, init);
		break;
	default:
		if (how & 1)
			session_hs_fail(w->s, a->id, "no");
		else {
			if (a->peer >= 0)
				noiserec_init(&w->peers[a->peer].rec, k2, k1);
			session_hs_keys(w->s, a->id, k1, k2);
		}
		break;
	}
}

/* --- the servers --- */

static void
frame(struct world *w, struct peer *p)
{
	uint8_t f[9 + 64] = { 0, 0, 0, take(&w->in) % 11, take(&w->in), 0, 0, 0, take(&w->in) % 16 };
	size_t n = take(&w->in) % 64;
	const uint8_t *data = script_bytes(&w->in, &n);

	f[2] = (uint8_t)n;
	memcpy(f + 9, data, n);
	peer_record(p, f, 9 + n);
}

static void
serve(struct world *w, uint8_t op)
{
	struct peer *p = &w->peers[op >> 4 < PEERS ? op >> 4 : 0];
	size_t n;
	const uint8_t *data;

	switch (op & 7) {
	case 0:
	case 1:
		n = take(&w->in);
		data = script_bytes(&w->in, &n);
		if (op & 1)
			peer_raw(p, data, n);
		else
			peer_say(p, data, n);
		break;
	case 2: peer_say(p, good_head, sizeof(good_head) - 1 - take(&w->in) % 4 * 30); break;
	case 3:
		n = take(&w->in);
		data = script_bytes(&w->in, &n);
		peer_record(p, data, n);
		break;
	case 4: frame(w, p); break;
	case 5: peer_record(p, "\0\0\0\4\0\0\0\0\0", 9); break;
	case 6: peer_close(p); break;
	default: peer_pump(p); break;
	}
}

static void
step(struct world *w)
{
	uint8_t op = take(&w->in), arg = take(&w->in);
	struct req *r = &w->reqs[arg % REQS];

	switch (op % 10) {
	case 0: new_request(w, arg); break;
	case 1:
		if (r->r != NULL)
			request_cancel(r->r);
		r->r = NULL;
		break;
	case 2:
		if (r->r != NULL)
			request_pause(r->r, r->paused = !r->paused);
		break;
	case 3:
	case 4: answer(w, arg); break;
	case 5:
	case 6:
	case 7: serve(w, arg); break;
	case 8:
		if (w->s != NULL)
			end_session(w);
		else
			make_session(w);
		break;
	default:
		if (arg & 1)
			usleep(1200);
		else if (w->s != NULL)
			session_connect(w->s);
		break;
	}
	event_base_loop(w->base, EVLOOP_NONBLOCK);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	peer_init();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct wire_candidate plan[2] = { { 0, 2 }, { 1, 2 } };
	struct world w = { .in = { data, size } };
	uint8_t how = take(&w.in);

	w.base = event_base_new();
	strcpy(w.cfg.host, "fuzz.example");
	strcpy(w.cfg.authority, "fuzz.example");
	w.cfg.capver = 131;
	w.cfg.clear_port = how & 1 ? 0 : 80;
	w.cfg.tls_port = how & 2 ? 0 : 443;
	w.cfg.via_proxy = how >> 2 & 1;
	if (how & 16)
		strcpy(w.cfg.proxy_auth, "user:pass");
	for (unsigned i = 0; i < PEERS; i++)
		w.peers[i].fd = -1;
	make_session(&w);
	if (how & 8)
		session_set_plan(w.s, plan, 2);
	while (w.in.n > 0)
		step(&w);
	if (w.s != NULL)
		end_session(&w);
	event_base_loop(w.base, EVLOOP_NONBLOCK);
	for (unsigned i = 0; i < PEERS; i++)
		peer_close(&w.peers[i]);
	event_base_free(w.base);
	return 0;
}
