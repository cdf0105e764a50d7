/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "c2n.h"
#include "dialclient.h"
#include "log.h"
#include "mem.h"
#include "ping.h"
#include "request.h"
#include "text.h"
#include "timer.h"
#include "url.h"

#define PINGS_MAX       4     /* at once: each may take a stream of the session */
#define HEAD_MS         15000 /* protocol.md E.10 */
#define REPLY_MS        60000
#define C2N_ANSWER_MAX  (C2N_MAX_BODY + 512)
#define POST_ANSWER_MAX 65536 /* what the server answers to our answer: discarded */

struct ping {
	TAILQ_ENTRY(ping) entry;
	struct pings *all;
	struct request *request; /* through Noise */
	struct fetch *fetch;     /* ordinary HTTP(S) */
	int wait_ca;
	struct timer timeout;
	char path[IPC_URL_MAX];
};

struct pings {
	struct mapd *m;
	TAILQ_HEAD(, ping) list;
	unsigned n;
	char last_url[IPC_URL_MAX];
};

/* PING-06: an ordinary request is sent to the control server's own host and port only. */
static int
is_control_server(const struct mapd *m, const struct url *u)
{
	const struct wire_config *cfg = child_wire_config(m->c);
	unsigned port = u->port != 0 ? u->port : u->https ? 443 : 80;

	return (u->https != 0) == (cfg->https != 0) && port == cfg->url_port && strcasecmp(u->host, cfg->host) == 0;
}

/* --- one ping --- */

static void
ping_free(struct ping *p)
{
	if (p->request != NULL)
		request_cancel(p->request);
	if (p->fetch != NULL)
		child_fetch_cancel(p->all->m->c, p->fetch);
	timer_free(&p->timeout);
	TAILQ_REMOVE(&p->all->list, p, entry);
	p->all->n--;
	free(p);
}

static void
timed_out(void *arg)
{
	log_debug("ping: no answer in time");
	ping_free(arg);
}

static struct ping *
ping_new(struct pings *all, unsigned ms)
{
	struct ping *p;

	if (all->n >= PINGS_MAX) {
		log_warnx("ping: %d in progress already, one more dropped", PINGS_MAX);
		return NULL;
	}
	p = xcalloc(1, sizeof(*p));
	p->all = all;
	TAILQ_INSERT_TAIL(&all->list, p, entry);
	all->n++;
	if (timer_init(&p->timeout, all->m->base, timed_out, p) == -1)
		mem_exhausted();
	timer_set_ms(&p->timeout, ms);
	return p;
}

static void
noise_done(void *arg, enum request_err err, const char *why)
{
	struct ping *p = arg;

	p->request = NULL;
	if (err != REQ_OK)
		log_debug("ping: %s", why != NULL ? why : "connection lost");
	ping_free(p);
}

static void
noise_head(void *arg, int status)
{
	(void)arg;
	log_debug("ping: answered with HTTP %d", status);
}

static int
noise_data(void *arg, const uint8_t *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
	return 0;
}

/* Over the connection that carries the map stream, whatever host the URL names (PING-03). */
static void
through_noise(struct pings *all, const char *method, const struct url *u, const struct buf *body, unsigned ms)
{
	static const struct request_ops ops = { .head = noise_head, .data = noise_data, .done = noise_done };
	struct request_spec spec = { .method = method,
		.path = u->path,
		.authority = u->authority,
		.max_answer = POST_ANSWER_MAX };
	struct session *s = all->m->session;
	struct ping *p;

	if (s == NULL || (p = ping_new(all, ms)) == NULL)
		return;
	if (body != NULL) {
		spec.body = buf_ptr(body);
		spec.body_len = buf_len(body);
	}
	if ((p->request = session_request(s, &spec, &ops, p)) == NULL)
		ping_free(p);
}

static void
fetched(void *arg, int status, const uint8_t *body, size_t n, const char *err)
{
	struct ping *p = arg;

	(void)body;
	(void)n;
	p->fetch = NULL;
	if (status == 0)
		log_debug("ping: %s", err);
	ping_free(p);
}

static void
start_fetch(struct ping *p)
{
	p->wait_ca = 0;
	if ((p->fetch = child_fetch(p->all->m->c, "HEAD", p->path, POST_ANSWER_MAX, HEAD_MS, fetched, p)) == NULL)
		ping_free(p);
}

static void
plain_head(struct pings *all, const struct url *u)
{
	struct ping *p;

	if (!is_control_server(all->m, u)) {
		log_info("ping: refused, %s is not the control server", u->authority);
		return;
	}
	if ((p = ping_new(all, HEAD_MS + 500)) == NULL)
		return;
	strlcpy(p->path, u->path, sizeof(p->path));
	if (u->https && child_trust(all->m->c) == NULL) {
		p->wait_ca = 1;
		child_need_ca(all->m->c);
	} else {
		start_fetch(p);
	}
}

static void
answer_c2n(struct pings *all, const struct url *u, const struct ping_request *ping)
{
	struct buf answer;

	buf_init(&answer, C2N_ANSWER_MAX);
	if (c2n_answer(ping->payload, ping->payload_len, &answer) == 0)
		through_noise(all, "POST", u, &answer, REPLY_MS);
	else
		log_warnx("ping: the c2n payload is not an HTTP request, dropped");
	buf_free(&answer);
}

void
pings_handle(struct pings *all, const struct ping_request *ping)
{
	char types[64], why[80];
	struct url u;

	if (ping->url[0] == '\0' || strlen(ping->url) >= sizeof(all->last_url) || strcmp(ping->url, all->last_url) == 0)
		return; /* PING-02 */
	strlcpy(all->last_url, ping->url, sizeof(all->last_url));
	if (url_parse(ping->url, URL_QUERY, &u, why, sizeof(why)) == -1) {
		log_warnx("ping: not an http or https URL, ignored");
	} else if (strcmp(ping->types, "c2n") == 0) {
		answer_c2n(all, &u, ping);
	} else if (ping->types[0] != '\0') {
		text_sanitize(ping->types, strlen(ping->types), types, sizeof(types));
		log_info("ping: types %s are not supported, ignored", types); /* PING-06 */
	} else if (ping->url_is_noise) {
		through_noise(all, "HEAD", &u, NULL, HEAD_MS);
	} else {
		plain_head(all, &u);
	}
}

void
pings_ca_received(struct pings *all)
{
	struct ping *p, *next;

	TAILQ_FOREACH_SAFE(p, &all->list, entry, next) {
		if (!p->wait_ca)
			continue;
		if (child_trust(all->m->c) != NULL)
			start_fetch(p);
		else
			ping_free(p);
	}
}

void
pings_stop(struct pings *all)
{
	struct ping *p;

	while ((p = TAILQ_FIRST(&all->list)) != NULL)
		ping_free(p);
}

struct pings *
pings_new(struct mapd *m)
{
	struct pings *all = xcalloc(1, sizeof(*all));

	all->m = m;
	TAILQ_INIT(&all->list);
	return all;
}

void
pings_free(struct pings *all)
{
	pings_stop(all);
	free(all);
}
