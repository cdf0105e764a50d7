/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/queue.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lookup.h"
#include "timefmt.h"
#include "timer.h"

struct lookup_run { /* one process */
	struct name *n;
	struct resolve *r; /* NULL: none */
	struct timer life;
	uint64_t since;
};

struct lookup_wait {
	TAILQ_ENTRY(lookup_wait) entry;
	struct name *n;
	unsigned round; /* it waits for the end of this one */
	resolve_done done;
	void *arg;
};

struct name {
	struct lookups *l;
	char host[IPC_HOST_MAX]; /* "" = unused */
	struct lookup_run runs[LOOKUP_RUNS];
	struct ipc_addr good[RESOLVE_MAX];
	unsigned ngood;
	uint64_t good_ms; /* when they came */
	int slow;         /* they took long */
	unsigned round;
	uint64_t used; /* the higher, the later */
	TAILQ_HEAD(, lookup_wait) waits;
};

struct lookups {
	struct event_base *base;
	const struct spawn_image *img;
	const struct resolve_ids *ids;
	uint64_t uses;
	int quiet;
	struct name names[LOOKUP_NAMES];
};

static void
run_over(struct lookup_run *s)
{
	timer_free(&s->life);
	s->r = NULL;
}

static void
end_runs(struct name *n)
{
	unsigned i;

	for (i = 0; i < LOOKUP_RUNS; i++)
		if (n->runs[i].r != NULL) {
			resolve_cancel(n->runs[i].r);
			run_over(&n->runs[i]);
		}
}

static struct lookup_run *
newest_run(struct name *n)
{
	struct lookup_run *s = NULL;
	unsigned i;

	for (i = 0; i < LOOKUP_RUNS; i++)
		if (n->runs[i].r != NULL && (s == NULL || n->runs[i].since > s->since))
			s = &n->runs[i];
	return s;
}

/* All that waited until now; those that begin to wait meanwhile belong to the next round. */
static void
tell(struct name *n, const struct ipc_addr *addrs, unsigned count, const char *err)
{
	unsigned round = n->round++;
	struct lookup_wait *w;

	while ((w = TAILQ_FIRST(&n->waits)) != NULL && w->round <= round) {
		resolve_done done = w->done;
		void *arg = w->arg;

		lookup_leave(w);
		done(arg, addrs, count, err);
	}
}

static void
failed(struct name *n, const char *err)
{
	if (newest_run(n) == NULL) /* else another one may do better */
		tell(n, NULL, 0, err);
}

static void
answered(void *arg, const struct ipc_addr *addrs, unsigned count, const char *err)
{
	struct lookup_run *s = arg;
	struct name *n = s->n;

	run_over(s);
	if (count == 0) {
		failed(n, err);
		return;
	}
	memcpy(n->good, addrs, count * sizeof(*addrs));
	n->ngood = count;
	n->good_ms = time_mono_ms();
	n->slow = n->good_ms - s->since >= LOOKUP_SLOW_MS;
	end_runs(n);
	tell(n, addrs, count, "");
}

static void
too_old(void *arg)
{
	struct lookup_run *s = arg;
	char err[80];

	resolve_cancel(s->r);
	run_over(s);
	snprintf(err, sizeof(err), "no answer from the name service within %u s", LOOKUP_MS / 1000);
	failed(s->n, err);
}

static int
start_run(struct name *n)
{
	struct lookups *l = n->l;
	struct lookup_run *s = NULL;
	unsigned i;

	for (i = 0; i < LOOKUP_RUNS && s == NULL; i++)
		if (n->runs[i].r == NULL)
			s = &n->runs[i];
	if (s == NULL) {
		errno = EAGAIN;
		return -1;
	}
	if (timer_init(&s->life, l->base, too_old, s) == -1 ||
	    (s->r = resolve_start(l->base, l->img, l->ids, n->host, answered, s)) == NULL) {
		int saved = errno;

		timer_free(&s->life);
		errno = saved;
		return -1;
	}
	s->since = time_mono_ms();
	(void)timer_set_ms(&s->life, LOOKUP_MS);
	return 0;
}

static struct name *
find(struct lookups *l, const char *host)
{
	unsigned i;

	for (i = 0; i < LOOKUP_NAMES; i++)
		if (strcmp(l->names[i].host, host) == 0)
			return &l->names[i];
	return NULL;
}

/* The one of host; else the least recently used one for which no dial waits. */
static struct name *
take(struct lookups *l, const char *host)
{
	struct name *n = find(l, host), *m;

	if (n == NULL)
		for (m = l->names; m < l->names + LOOKUP_NAMES; m++)
			if (TAILQ_EMPTY(&m->waits) && (n == NULL || m->used < n->used))
				n = m;
	if (n == NULL) {
		errno = EAGAIN;
		return NULL;
	}
	if (strcmp(n->host, host) != 0) {
		end_runs(n);
		snprintf(n->host, sizeof(n->host), "%s", host);
		n->ngood = 0;
	}
	n->used = ++l->uses;
	return n;
}

struct lookup_wait *
lookup_start(struct lookups *l, const char *host, resolve_done done, void *arg)
{
	struct lookup_wait *w = calloc(1, sizeof(*w));
	struct name *n = w != NULL ? take(l, host) : NULL;
	struct lookup_run *s = n != NULL ? newest_run(n) : NULL;

	if (n == NULL ||
	    ((s == NULL || time_mono_ms() - s->since >= LOOKUP_AGAIN_MS) && start_run(n) == -1 && s == NULL)) {
		int saved = errno;

		free(w);
		errno = saved;
		return NULL;
	}
	w->n = n;
	w->round = n->round;
	w->done = done;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&n->waits, w, entry);
	return w;
}

void
lookup_leave(struct lookup_wait *w)
{
	struct name *n = w->n;

	TAILQ_REMOVE(&n->waits, w, entry);
	free(w);
	if (n->l->quiet && TAILQ_EMPTY(&n->waits))
		end_runs(n);
}

unsigned
lookup_known(struct lookups *l, const char *host, struct ipc_addr addrs[RESOLVE_MAX], int *now)
{
	const struct name *n = find(l, host);

	*now = 0;
	if (n == NULL || n->ngood == 0)
		return 0;
	memcpy(addrs, n->good, n->ngood * sizeof(*addrs));
	*now = n->slow && time_mono_ms() - n->good_ms < LOOKUP_MS;
	return n->ngood;
}

void
lookup_quiet(struct lookups *l, int on)
{
	unsigned i;

	l->quiet = on;
	for (i = 0; i < LOOKUP_NAMES && on; i++)
		if (TAILQ_EMPTY(&l->names[i].waits))
			end_runs(&l->names[i]);
}

int
lookup_reaped(struct lookups *l, int pid, int status)
{
	unsigned i, k;

	for (i = 0; i < LOOKUP_NAMES; i++)
		for (k = 0; k < LOOKUP_RUNS; k++)
			if (l->names[i].runs[k].r != NULL && resolve_reaped(l->names[i].runs[k].r, pid, status))
				return 1;
	return 0;
}

struct lookups *
lookup_new(struct event_base *base, const struct spawn_image *img, const struct resolve_ids *ids)
{
	struct lookups *l = calloc(1, sizeof(*l));
	unsigned i, k;

	if (l == NULL)
		return NULL;
	l->base = base;
	l->img = img;
	l->ids = ids;
	for (i = 0; i < LOOKUP_NAMES; i++) {
		l->names[i].l = l;
		TAILQ_INIT(&l->names[i].waits);
		for (k = 0; k < LOOKUP_RUNS; k++)
			l->names[i].runs[k].n = &l->names[i];
	}
	return l;
}

void
lookup_free(struct lookups *l)
{
	lookup_quiet(l, 1);
	free(l);
}
