/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/queue.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "dial.h"
#include "dialaddr.h"
#include "log.h"
#include "lookup.h"
#include "standing.h"
#include "timefmt.h"
#include "timer.h"

#define DIAL_TIMEOUT_MS    10000
#define DIAL_STAGGER_MS    250
#define LOOKUP_PATIENCE_MS 3000 /* for a look-up when there are addresses from before */
#define LOOKUP_WAIT_MS     9000 /* without: less than the child waits, which must learn that it is the name service */
#define LOG_HOST_MAX       64
#define LOST_MS            (10u * 60000) /* until the same is logged again */

struct attempt {
	struct dial *dial;
	struct event *ev;
	int fd;
};

struct dial {
	TAILQ_ENTRY(dial) entry;
	struct dialler *d;
	struct lookup_wait *lookup;
	struct timer deadline, stagger;
	struct ipc_addr addrs[RESOLVE_MAX];
	struct attempt tries[RESOLVE_MAX];
	unsigned naddrs, started, running;
	uint64_t since;
	unsigned port;
	const void *owner;
	uint32_t attempt;
	int beside;  /* only an address that is not tried yet */
	int literal; /* the configuration names this very address */
	int local;   /* the configuration says localhost: loopback addresses only, however it is resolved */
	int err;     /* of the last attempt that failed */
	char why[IPC_ERR_MAX];
	char host[IPC_HOST_MAX];
	dial_done done;
	dial_looked_up looked_up;
	void *arg;
};

struct dialler {
	struct event_base *base;
	struct config cfg;
	struct resolve_ids ids;
	struct ipc_dial_plan plan;
	struct lookups *lookups;
	struct standings standings;
	uint64_t lost_ms; /* when it was last logged that they replace a look-up; 0 = never */
	TAILQ_HEAD(, dial) dials;
};

static void attempt_next(struct dial *x);

struct dialler *
dialler_new(struct event_base *base, const struct config *cfg, const struct spawn_image *resolver)
{
	struct dialler *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->base = base;
	d->cfg = *cfg;
	d->ids.required = !cfg->best_effort;
	TAILQ_INIT(&d->dials);
	if ((d->lookups = lookup_new(base, resolver, &d->ids)) == NULL) {
		free(d);
		return NULL;
	}
	return d;
}

void
dialler_ids(struct dialler *d, int drop, unsigned uid, unsigned gid)
{
	d->ids.drop = drop;
	d->ids.uid = uid;
	d->ids.gid = gid;
}

void
dialler_config(struct dialler *d, const struct config *cfg)
{
	if (strcmp(d->cfg.control_url, cfg->control_url) != 0)
		d->plan.n = 0;
	d->cfg = *cfg;
	d->ids.required = !cfg->best_effort;
}

static void
close_attempt(struct attempt *t)
{
	if (t->ev != NULL)
		event_free(t->ev);
	if (t->fd != -1)
		close(t->fd);
	t->ev = NULL;
	t->fd = -1;
}

static void
dial_free(struct dial *x)
{
	unsigned i;

	TAILQ_REMOVE(&x->d->dials, x, entry);
	if (x->lookup != NULL)
		lookup_leave(x->lookup);
	for (i = 0; i < RESOLVE_MAX; i++)
		close_attempt(&x->tries[i]);
	timer_free(&x->deadline);
	timer_free(&x->stagger);
	free(x);
}

void
dial_cancel(struct dial *x)
{
	dial_free(x);
}

void
dialler_free(struct dialler *d)
{
	struct dial *x;

	while ((x = TAILQ_FIRST(&d->dials)) != NULL)
		dial_free(x);
	lookup_free(d->lookups);
	free(d);
}

void
dialler_quiet(struct dialler *d, int on)
{
	lookup_quiet(d->lookups, on);
}

/* The result of x: everything of it is freed before done() is called, which may dial again at once. */
static void
dial_finish(struct dial *x, int fd, int err, const char *text)
{
	char copy[IPC_ERR_MAX];
	dial_done done = x->done;
	void *arg = x->arg;

	snprintf(copy, sizeof(copy), "%s", text);
	dial_free(x);
	done(arg, fd, err, copy);
}

static void
dial_failed(struct dial *x)
{
	char text[IPC_ERR_MAX];

	if (x->why[0] != '\0')
		snprintf(text, sizeof(text), "%s", x->why);
	else
		snprintf(text, sizeof(text), "connect to %.*s port %u: %s", LOG_HOST_MAX, x->host, x->port,
		    strerror(x->err));
	dial_finish(x, -1, x->err, text);
}

static void
attempt_done(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *t = arg;
	struct dial *x = t->dial;
	unsigned i = (unsigned)(t - x->tries);
	socklen_t len = sizeof(int);
	char where[80];
	int err = 0;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
		err = errno;
	if (err == 0) {
		dial_address_text(&x->addrs[i], x->port, where, sizeof(where));
		log_debug("connected to %s", where);
		t->fd = -1; /* now the owner's; dial_free() closes the others */
		standing_given(&x->d->standings, &x->addrs[i], x->port, x->owner, x->attempt, time_mono_ms());
		dial_finish(x, fd, 0, where);
		return;
	}
	x->err = err;
	close_attempt(t);
	x->running--;
	attempt_next(x);
}

/* The address policy for this dial: NULL, or why not. */
static const char *
refused(const struct dial *x, const struct sockaddr *sa)
{
	if (x->local) /* clear text without a pin is allowed to it, so it must not leave this host */
		return dial_address_is_loopback(sa) ? NULL : "not a loopback address";
	return dial_address_forbidden(sa, x->literal);
}

/* A connecting socket for address i, or -1 with x->err set. */
static int
attempt_open(struct dial *x, unsigned i)
{
	struct sockaddr_storage ss;
	const char *no;
	socklen_t len;
	int fd, on = 1;

	len = dial_sockaddr(&x->addrs[i], x->port, &ss);
	if ((no = refused(x, (struct sockaddr *)(void *)&ss)) != NULL) {
		char where[80];

		dial_address_text(&x->addrs[i], x->port, where, sizeof(where));
		snprintf(x->why, sizeof(x->why), "%.*s resolves to %s, which is refused: %s", LOG_HOST_MAX, x->host,
		    where, no);
		x->err = EACCES;
		return -1;
	}
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1) {
		x->err = errno;
		return -1;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)(void *)&ss, len) == -1 && errno != EINPROGRESS) {
		x->err = errno;
		close(fd);
		return -1;
	}
	x->why[0] = '\0'; /* an address that may be used: its own error counts */
	return fd;
}

/* Start one more attempt; with none left, none running and no look-up under way the dial has failed. */
static void
attempt_next(struct dial *x)
{
	while (x->started < x->naddrs) {
		unsigned i = x->started++;
		struct attempt *t = &x->tries[i];

		t->dial = x;
		if ((t->fd = attempt_open(x, i)) == -1)
			continue;
		t->ev = event_new(x->d->base, t->fd, EV_WRITE, attempt_done, t);
		if (t->ev == NULL || event_add(t->ev, NULL) == -1) {
			x->err = ENOMEM;
			close_attempt(t);
			continue;
		}
		x->running++;
		if (x->started < x->naddrs)
			(void)timer_set_ms(&x->stagger, DIAL_STAGGER_MS);
		return;
	}
	if (x->running == 0 && x->lookup == NULL)
		dial_failed(x);
}

static void
dial_timeout(void *arg)
{
	struct dial *x = arg;

	if (x->naddrs == 0)
		snprintf(x->why, sizeof(x->why),
		    "cannot look up %.*s: no answer from the name service within %u s; the look-up continues",
		    LOG_HOST_MAX, x->host, LOOKUP_WAIT_MS / 1000);
	else if (x->running > 0)
		snprintf(x->why, sizeof(x->why), "connect to %.*s port %u: timed out", LOG_HOST_MAX, x->host, x->port);
	if (x->naddrs == 0 || x->running > 0) /* else it was refused, and waited for other addresses */
		x->err = ETIMEDOUT;
	dial_failed(x);
}

static void
no_other(struct dial *x)
{
	x->err = EADDRNOTAVAIL;
	snprintf(x->why, sizeof(x->why), "%.*s has no other address", LOG_HOST_MAX, x->host);
	dial_failed(x);
}

static void
use_addresses(struct dial *x, const struct ipc_addr *a, unsigned n)
{
	uint64_t gone = time_mono_ms() - x->since;

	timer_set_ms(&x->deadline, gone < DIAL_TIMEOUT_MS ? DIAL_TIMEOUT_MS - (unsigned)gone : 0);
	x->naddrs = dial_interleave(x->addrs, a, n);
	if (x->beside)
		x->naddrs = standing_others(&x->d->standings, x->addrs, x->naddrs, x->port);
	else
		standing_order(&x->d->standings, x->addrs, x->naddrs, x->port, x->owner, time_mono_ms());
	if (x->naddrs == 0)
		no_other(x);
	else
		attempt_next(x);
}

/* The look-up was late: what is new in its answer is tried beside the addresses from before. */
static void
more_addresses(struct dial *x, const struct ipc_addr *a, unsigned n)
{
	unsigned i, k;

	for (i = 0; i < n && x->naddrs < RESOLVE_MAX; i++) {
		for (k = 0; k < x->naddrs && memcmp(&x->addrs[k], &a[i], sizeof(a[i])) != 0; k++)
			;
		if (k == x->naddrs)
			x->addrs[x->naddrs++] = a[i];
	}
	attempt_next(x);
}

static unsigned
known(struct dial *x, struct ipc_addr addrs[RESOLVE_MAX], int *now)
{
	return lookup_known(x->d->lookups, x->host, addrs, now);
}

/* The last good addresses, if there are any: 1.  Without a network each dial gets here. */
static int
use_good(struct dial *x, const char *why)
{
	struct dialler *d = x->d;
	struct ipc_addr good[RESOLVE_MAX];
	uint64_t mono = time_mono_ms();
	int now;
	unsigned n = known(x, good, &now);

	if (n == 0)
		return 0;
	if (!now && (d->lost_ms == 0 || mono - d->lost_ms >= LOST_MS)) {
		d->lost_ms = mono;
		log_info("cannot look up %s (%s): using its last good addresses", x->host, why);
	}
	use_addresses(x, good, n);
	return 1;
}

static void
no_address(struct dial *x, const char *why)
{
	x->err = EHOSTUNREACH;
	snprintf(x->why, sizeof(x->why), "cannot look up %.*s: %.200s", LOG_HOST_MAX, x->host, why);
	dial_failed(x);
}

static void
lookup_done(void *arg, const struct ipc_addr *addrs, unsigned n, const char *err)
{
	struct dial *x = arg;

	x->lookup = NULL;
	if (n > 0 && x->looked_up != NULL)
		x->looked_up(x->arg, addrs, n);
	if (x->naddrs > 0)
		more_addresses(x, addrs, n);
	else if (n > 0)
		use_addresses(x, addrs, n);
	else if (!use_good(x, err))
		no_address(x, err);
}

/*
 * A look-up is late or could not begin: the last good addresses, if they are still those of this name.  Name servers
 * that stay silent must not use up the dial's time (DIAL-10).
 */
static void
not_looked_up(struct dial *x)
{
	const char *why = x->lookup != NULL ? "no answer" : "no resolver could be started";

	if (!use_good(x, why) && x->lookup == NULL)
		no_address(x, why);
}

/* Those that are known already: no look-up of its own. */
static void
use_others(struct dial *x)
{
	struct ipc_addr good[RESOLVE_MAX];
	int now;
	unsigned n = x->literal ? 0 : known(x, good, &now);

	if (n > 0)
		use_addresses(x, good, n);
	else
		no_other(x);
}

static void
dial_stagger(void *arg)
{
	struct dial *x = arg;

	if (x->naddrs == 0 && x->beside)
		use_others(x);
	else if (x->naddrs == 0)
		not_looked_up(x);
	else if (x->started < x->naddrs)
		attempt_next(x);
}

/* The target of a dial of this kind: x->host, x->port, x->addrs if an address is known.  0, or EINVAL. */
static int
dial_target(struct dial *x, enum ipc_dial_kind kind, uint32_t candidate)
{
	const struct config *c = &x->d->cfg;

	x->beside = candidate == IPC_DIAL_BESIDE;
	if (x->beside)
		candidate = 0;

	x->port = kind == IPC_DIAL_CLEAR ? c->clear_port
	    : kind == IPC_DIAL_TLS       ? c->tls_port
	    : kind == IPC_DIAL_URL       ? c->url_port
					 : 0;
	if (x->port == 0 || candidate > x->d->plan.n)
		return EINVAL;
	if (c->via_proxy) {
		if (candidate != 0)
			return EINVAL; /* a proxy resolves the name itself */
		snprintf(x->host, sizeof(x->host), "%s", c->proxy_host);
		x->port = c->proxy_port;
	} else
		snprintf(x->host, sizeof(x->host), "%s", c->host);
	if (candidate != 0) {
		const struct ipc_plan_entry *e = &x->d->plan.e[candidate - 1];

		if (!e->has_ip || e->ace)
			return EINVAL;
		x->addrs[0] = e->ip;
		x->naddrs = 1;
	} else if (dial_parse_literal(x->host, &x->addrs[0]) == 0) {
		x->naddrs = !x->beside;
		x->literal = 1;
	} else if (strcmp(x->host, "localhost") == 0)
		x->local = 1;
	return 0;
}

/* 0, or an errno when nothing is known and nothing could be started. */
static int
begin_lookup(struct dial *x)
{
	struct ipc_addr good[RESOLVE_MAX];
	int now, err;
	unsigned n = known(x, good, &now);

	x->lookup = lookup_start(x->d->lookups, x->host, lookup_done, x);
	err = errno;
	if (n > 0)
		timer_set_ms(&x->stagger, x->lookup != NULL && !now ? LOOKUP_PATIENCE_MS : 0);
	return x->lookup == NULL && n == 0 ? err : 0;
}

struct dial *
dial_start(struct dialler *d, const struct dial_spec *spec, dial_done done, void *arg)
{
	uint32_t candidate = spec->candidate == IPC_DIAL_BESIDE ? 0 : spec->candidate;
	struct dial *x = calloc(1, sizeof(*x));
	unsigned limit_ms = DIAL_TIMEOUT_MS, i;
	int err;

	if (x == NULL)
		return NULL;
	x->d = d;
	x->done = done;
	x->arg = arg;
	x->since = time_mono_ms();
	for (i = 0; i < RESOLVE_MAX; i++)
		x->tries[i].fd = -1;
	TAILQ_INSERT_TAIL(&d->dials, x, entry);
	x->owner = spec->owner;
	x->attempt = spec->attempt;
	if ((err = dial_target(x, spec->kind, spec->candidate)) != 0)
		goto fail;
	if (candidate != 0 && d->plan.e[candidate - 1].timeout_ms != 0)
		limit_ms = d->plan.e[candidate - 1].timeout_ms;
	err = ENOMEM;
	if (timer_init(&x->deadline, d->base, dial_timeout, x) == -1 ||
	    timer_init(&x->stagger, d->base, dial_stagger, x) == -1)
		goto fail;
	timer_set_ms(&x->deadline, x->naddrs == 0 && !x->beside ? LOOKUP_WAIT_MS : limit_ms);
	if (x->naddrs == 0 && !x->beside) {
		if ((err = begin_lookup(x)) != 0)
			goto fail;
	} else
		timer_set_ms(&x->stagger, 0); /* done() is never called from dial_start() */
	return x;
fail:
	dial_free(x);
	errno = err;
	return NULL;
}

void
dialler_proved(struct dialler *d, const void *owner, uint32_t attempt)
{
	standing_proved(&d->standings, owner, attempt);
}

void
dialler_proved_url(struct dialler *d, const void *owner)
{
	standing_proved_port(&d->standings, owner, d->cfg.via_proxy ? d->cfg.proxy_port : d->cfg.url_port);
}

void
dial_tell_lookup(struct dial *x, dial_looked_up fn)
{
	x->looked_up = fn;
}

void
dialler_plan(struct dialler *d, const struct ipc_dial_plan *plan)
{
	uint32_t i, n = plan->n <= IPC_MAX_PLAN ? plan->n : IPC_MAX_PLAN;

	d->plan = *plan;
	d->plan.n = n;
	for (i = 0; i < n; i++) {
		struct ipc_plan_entry *e = &d->plan.e[i];
		struct sockaddr_storage ss;
		const char *no;

		if (!e->has_ip || e->ace)
			continue; /* kept: candidates are counted by place; a dial of it fails at once */
		(void)dial_sockaddr(&e->ip, 0, &ss);
		if ((no = dial_address_not_public((struct sockaddr *)(void *)&ss)) != NULL) {
			log_warnx("dial plan entry %u dropped: %s", i + 1, no);
			e->has_ip = 0;
		}
	}
}

void
dialler_times(const struct dialler *d, struct ipc_dial_times *t)
{
	uint32_t i;

	memset(t, 0, sizeof(*t));
	t->n = d->plan.n;
	for (i = 0; i < t->n; i++)
		t->e[i] = (struct ipc_dial_time){ d->plan.e[i].delay_ms, d->plan.e[i].timeout_ms };
}

void
dialler_sigchld(struct dialler *d, int pid, int status)
{
	(void)lookup_reaped(d->lookups, pid, status);
}
