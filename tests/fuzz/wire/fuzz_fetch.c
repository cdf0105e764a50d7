/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "fetch.h"
#include "log.h"
#include "serverkey.h"
#include "util_peer.h"
#include "tls.h"

/*
 * A fetch (GET /key, HEAD pings) against servers that do anything, an owner that cancels it, and trust anchors that
 * are replaced meanwhile.  It ends once or is cancelled; the first byte chooses scheme, proxy, method and time.
 */
#define PEERS 6

struct world {
	struct event_base *base;
	struct wire_config cfg;
	struct script in;
	struct trust *trust;
	struct fetch *f;
	struct peer peers[PEERS];
	unsigned npeers;
	uint32_t dial; /* waits for an answer; 0 = none */
	int head, done;
};

static void
on_dial(void *arg, uint32_t id, enum wire_dial kind, uint32_t candidate)
{
	struct world *w = arg;

	if (kind != WIRE_DIAL_URL || candidate != 0 || w->done)
		abort();
	w->dial = id;
}

static void
on_cancel(void *arg, uint32_t id)
{
	struct world *w = arg;

	if (w->dial == id)
		w->dial = 0;
}

static void
on_step(void *arg, enum wire_step what, enum wire_dial kind)
{
	(void)arg;
	if (what != WIRE_STEP_TLS || kind != WIRE_DIAL_URL)
		abort();
}

static void
on_done(void *arg, int status, const uint8_t *body, size_t n, const char *err)
{
	struct world *w = arg;
	struct pubkey key;
	int good = status >= 200 && status <= 299;

	if (w->done++ || body == NULL || n > 300 || (good && err != NULL) || (!good && err == NULL))
		abort();
	for (const char *c = err; c != NULL && *c != '\0'; c++)
		if ((uint8_t)*c < 0x20 || *c == 0x7f)
			abort();
	if (w->head && good && n != 0)
		abort();
	if (good)
		serverkey_parse(body, n, &key);
	w->f = NULL;
	fetch_cancel(w->f);
}

static struct trust *
anchors(void)
{
	char err[200];
	int sv[2];

	if (pipe(sv) == -1 || write(sv[1], peer_cert(), strlen(peer_cert())) == -1)
		abort();
	close(sv[1]);
	return trust_load(sv[0], err, sizeof(err));
}

static void
serve(struct world *w, uint8_t op)
{
	struct peer *p = &w->peers[op >> 4 < PEERS ? op >> 4 : 0];
	const uint8_t *data;
	size_t n;

	switch (op & 3) {
	case 0:
	case 1:
		n = take(&w->in);
		data = script_bytes(&w->in, &n);
		if (op & 1)
			peer_raw(p, data, n);
		else
			peer_say(p, data, n);
		break;
	case 2: peer_close(p); break;
	default: peer_pump(p); break;
	}
}

static void
step(struct world *w)
{
	uint8_t op = take(&w->in), arg = take(&w->in);

	switch (op % 6) {
	case 0:
		if (w->f == NULL || w->dial == 0)
			break;
		if (arg & 1 || w->npeers == PEERS)
			fetch_dialled(w->f, w->dial, -1, arg & 2 ? "no\nroute" : NULL);
		else
			fetch_dialled(w->f, w->dial, peer_open(&w->peers[w->npeers++], w->cfg.https), NULL);
		break;
	case 1:
	case 2:
	case 3: serve(w, arg); break;
	case 4:
		if (arg % 4 == 0) {
			fetch_cancel(w->f);
			w->f = NULL;
		} else if (w->trust != NULL) {
			trust_free(w->trust);
			w->trust = anchors();
		}
		break;
	default:
		if (arg & 1)
			usleep(1500);
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
	static const struct fetch_ops ops = { .dial = on_dial,
		.dial_cancel = on_cancel,
		.step = on_step,
		.done = on_done };
	struct world w = { .in = { data, size } };
	uint8_t how = take(&w.in);

	w.base = event_base_new();
	strcpy(w.cfg.host, "fuzz.example");
	strcpy(w.cfg.authority, how & 1 ? "fuzz.example" : "fuzz.example:8080");
	w.cfg.url_port = how & 1 ? 443 : 8080;
	w.cfg.https = how >> 1 & 1;
	w.cfg.via_proxy = how >> 2 & 1;
	w.head = how >> 3 & 1;
	if (w.cfg.https && !(how & 16))
		w.trust = anchors();
	for (unsigned i = 0; i < PEERS; i++)
		w.peers[i].fd = -1;
	w.f = fetch_start(w.base, &w.cfg, w.trust, w.head ? "HEAD" : "GET", "/key?v=131", 300, how & 32 ? 3 : 10000,
	    &ops, &w);
	if (w.f == NULL)
		abort();
	event_base_loop(w.base, EVLOOP_NONBLOCK);
	while (w.in.n > 0)
		step(&w);
	fetch_cancel(w.f);
	event_base_loop(w.base, EVLOOP_NONBLOCK);
	trust_free(w.trust);
	for (unsigned i = 0; i < PEERS; i++)
		peer_close(&w.peers[i]);
	event_base_free(w.base);
	return 0;
}
