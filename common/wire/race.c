/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mem.h"
#include "race.h"
#include "stream.h"
#include "timefmt.h"
#include "timer.h"

#define BESIDE_MAX 3
#define TRIES      (2 + BESIDE_MAX)

/* A host attempt: DNS (candidate 0) or one dial-plan candidate, by clear text and TLS. */
struct run {
	struct race *r;
	uint32_t candidate;
	uint32_t timeout_ms; /* 0: only the race's deadline */
	int started, over;
	enum wire_dial second;     /* still to be tried; 0 = none */
	struct conn *tries[TRIES]; /* [0] and [1]: by clear text and TLS; more: other addresses, beside them */
	struct timer start, join, beside, limit;
	char why[400];
};

struct race {
	struct race_spec spec;
	struct race_result res;
	void *arg;
	struct run runs[RACE_MAX_CANDIDATES + 1]; /* [0] is DNS */
	uint32_t nplan;
	struct timer deadline, result;
	unsigned deadline_ms;
	enum cause cause; /* of the attempts that failed, cause_first() */
	char why[RACE_WHY_MAX];
};

const struct race_times race_times_default = {
	.tls_delay = 500,
	.clear_delay = 2000,
	.recent = 120000,
	.beside = 2500,
	.deadline = 10000,
	.tls = STREAM_TLS_MS,
	.plan_min = 5000,
	.plan_extra = 5000,
	.plan_max = 60000,
};

static void run_start(struct run *run);
static void run_over(struct run *run);

static void
append(char *to, size_t size, const char *why)
{
	size_t n = strlen(to);

	if (n + 4 < size)
		snprintf(to + n, size - n, "%s%s", n > 0 ? "; " : "", why);
}

/* --- requests of the attempts are passed to the session's owner --- */

static void
wish_dial(void *arg, uint32_t id, enum wire_dial kind, uint32_t candidate)
{
	struct run *run = arg;

	run->r->spec.ops->dial(run->r->spec.ops_arg, id, kind, candidate);
}

static void
wish_dial_cancel(void *arg, uint32_t id)
{
	struct run *run = arg;

	run->r->spec.ops->dial_cancel(run->r->spec.ops_arg, id);
}

static void
wish_hs_begin(void *arg, uint32_t id)
{
	struct run *run = arg;

	run->r->spec.ops->hs_begin(run->r->spec.ops_arg, id);
}

static void
wish_hs_finish(void *arg, uint32_t id, const uint8_t body[48])
{
	struct run *run = arg;

	run->r->spec.ops->hs_finish(run->r->spec.ops_arg, id, body);
}

static void
wish_step(void *arg, enum wire_step what, enum wire_dial kind)
{
	struct run *run = arg;

	if (run->r->spec.ops->step != NULL)
		run->r->spec.ops->step(run->r->spec.ops_arg, what, kind);
}

/* --- one attempt --- */

static void
on_established(void *arg, struct conn *c)
{
	struct run *run = arg;
	struct race *r = run->r;

	for (int i = 0; i < TRIES; i++)
		if (run->tries[i] == c)
			run->tries[i] = NULL;
	r->res.won(r->arg, c);
}

static void run_try(struct run *run, enum wire_dial kind);

static int
run_busy(const struct run *run)
{
	for (int i = 0; i < TRIES; i++)
		if (run->tries[i] != NULL)
			return 1;
	return 0;
}

/* The other way, if it was not tried yet. */
static void
run_join(struct run *run)
{
	enum wire_dial kind = run->second;

	if (kind == 0)
		return;
	run->second = 0;
	timer_stop(&run->join);
	run_try(run, kind);
}

static void
on_failed(void *arg, struct conn *c, const char *why, enum cause cause)
{
	struct run *run = arg;

	log_debug("%s", why);
	if (c == run->tries[0] || c == run->tries[1] || conn_reached(c)) { /* not: there is no other address */
		append(run->why, sizeof(run->why), why);
		run->r->cause = cause_first(run->r->cause, cause);
	}
	for (int i = 0; i < TRIES; i++)
		if (run->tries[i] == c)
			run->tries[i] = NULL;
	conn_close(c);
	run_join(run);
	if (!run_busy(run))
		run_over(run);
}

static const struct conn_ops attempt_ops = {
	.dial = wish_dial,
	.dial_cancel = wish_dial_cancel,
	.hs_begin = wish_hs_begin,
	.hs_finish = wish_hs_finish,
	.step = wish_step,
	.established = on_established,
	.failed = on_failed,
};

static void
run_try_at(struct run *run, int slot, enum wire_dial kind, uint32_t candidate)
{
	struct race *r = run->r;
	struct conn_spec spec = {
		.cfg = r->spec.cfg,
		.id = (*r->spec.next_id)++,
		.kind = kind,
		.candidate = candidate,
		.tls_ms = r->spec.times->tls,
	};

	run->tries[slot] = conn_new(r->spec.base, &spec, &attempt_ops, run);
	conn_start(run->tries[slot]);
}

static void
run_try(struct run *run, enum wire_dial kind)
{
	run_try_at(run, run->tries[0] != NULL, kind, run->candidate);
}

/* How to try another address: as what waits now, clear text and TLS in turn if both wait. */
static enum wire_dial
kind_beside(const struct run *run, int slot)
{
	const struct conn *first = run->tries[(slot + 1) & 1], *second = run->tries[slot & 1];

	if (first == NULL && second == NULL)
		return run->r->spec.cfg->tls_port != 0 ? WIRE_DIAL_TLS : WIRE_DIAL_CLEAR;
	return conn_kind(first != NULL ? first : second);
}

/* Nothing was won or lost for a while: another address of the name, if there is one. */
static void
on_beside(void *arg)
{
	struct run *run = arg;
	int slot = 2;

	while (slot < TRIES && run->tries[slot] != NULL)
		slot++;
	if (slot < TRIES)
		run_try_at(run, slot, kind_beside(run, slot), WIRE_BESIDE);
	timer_set_ms(&run->beside, run->r->spec.times->beside);
}

/* --- one host attempt --- */

static void
run_start(struct run *run)
{
	const struct race_spec *spec = &run->r->spec;
	const struct wire_config *cfg = spec->cfg;
	uint64_t now = time_mono_ms();
	int recent = *spec->last_dial != 0 && now - *spec->last_dial < spec->times->recent;
	int tls_first = cfg->tls_port != 0 && (recent || cfg->clear_port == 0);

	run->started = 1;
	*spec->last_dial = now;
	if (cfg->tls_port == 0 && cfg->clear_port == 0) {
		append(run->why, sizeof(run->why), "no port to connect to");
		run_over(run);
		return;
	}
	if (cfg->tls_port != 0 && cfg->clear_port != 0)
		run->second = tls_first ? WIRE_DIAL_CLEAR : WIRE_DIAL_TLS;
	if (run->second != 0)
		timer_set_ms(&run->join, tls_first ? spec->times->clear_delay : spec->times->tls_delay);
	if (run->candidate == 0)
		timer_set_ms(&run->beside, spec->times->beside);
	if (run->timeout_ms != 0)
		timer_set_ms(&run->limit, run->timeout_ms);
	run_try(run, tls_first ? WIRE_DIAL_TLS : WIRE_DIAL_CLEAR);
	if (!run_busy(run))
		run_over(run);
}

static void
run_stop(struct run *run)
{
	for (int i = 0; i < TRIES; i++) {
		conn_close(run->tries[i]);
		run->tries[i] = NULL;
	}
	run->second = 0;
	timer_free(&run->start);
	timer_free(&run->join);
	timer_free(&run->beside);
	timer_free(&run->limit);
}

static void
run_over(struct run *run)
{
	struct race *r = run->r;

	run_stop(run);
	run->over = 1;
	if (run->candidate != 0) {
		snprintf(r->why + strlen(r->why), sizeof(r->why) - strlen(r->why),
		    "%scandidate %u: ", *r->why ? "; " : "", run->candidate);
		snprintf(r->why + strlen(r->why), sizeof(r->why) - strlen(r->why), "%s", run->why);
	} else
		append(r->why, sizeof(r->why), run->why);
	for (uint32_t i = 1; i <= r->nplan; i++)
		if (!r->runs[i].over)
			return;
	if (!r->runs[0].started)
		run_start(&r->runs[0]);
	else if (r->runs[0].over)
		timer_soon(&r->result);
}

/* --- timers --- */

static void
on_start(void *arg)
{
	run_start(arg);
}

static void
on_join(void *arg)
{
	run_join(arg);
}

static void
on_limit(void *arg)
{
	struct run *run = arg;

	append(run->why, sizeof(run->why), "timed out");
	run_over(run);
}

static void
on_result(void *arg)
{
	struct race *r = arg;

	r->res.lost(r->arg, r->why, cause_first(r->cause, CAUSE_OTHER));
}

static void
on_deadline(void *arg)
{
	struct race *r = arg;
	char why[400];

	snprintf(why, sizeof(why), "no connection within %u s", r->deadline_ms / 1000);
	append(r->why, sizeof(r->why), why);
	for (uint32_t i = 0; i <= r->nplan; i++) {
		for (int k = 0; k < TRIES; k++) {
			if (r->runs[i].tries[k] == NULL)
				continue;
			snprintf(why, sizeof(why), "%s was not finished", conn_step(r->runs[i].tries[k]));
			append(r->why, sizeof(r->why), why);
		}
		if (!r->runs[i].over && r->runs[i].why[0] != '\0')
			append(r->why, sizeof(r->why), r->runs[i].why);
	}
	r->res.lost(r->arg, r->why, cause_first(r->cause, CAUSE_OTHER));
}

/* --- the race --- */

static unsigned
deadline_of(const struct race_spec *spec, uint32_t nplan)
{
	const struct race_times *t = spec->times;
	uint64_t ms = t->plan_min, end;

	if (nplan == 0)
		return t->deadline;
	for (uint32_t i = 0; i < nplan; i++) {
		end = (uint64_t)spec->plan[i].delay_ms + spec->plan[i].timeout_ms;
		if (end > ms)
			ms = end;
	}
	ms += t->plan_extra;
	return ms > t->plan_max ? t->plan_max : (unsigned)ms;
}

static void
make_run(struct race *r, uint32_t candidate)
{
	struct run *run = &r->runs[candidate];
	struct event_base *base = r->spec.base;

	run->r = r;
	run->candidate = candidate;
	run->timeout_ms = candidate > 0 ? r->spec.plan[candidate - 1].timeout_ms : 0;
	timer_init(&run->start, base, on_start, run);
	timer_init(&run->join, base, on_join, run);
	timer_init(&run->beside, base, on_beside, run);
	timer_init(&run->limit, base, on_limit, run);
}

struct race *
race_new(const struct race_spec *spec, const struct race_result *res, void *arg)
{
	struct race *r = xcalloc(1, sizeof(*r));

	r->spec = *spec;
	r->res = *res;
	r->arg = arg;
	r->nplan = spec->nplan > RACE_MAX_CANDIDATES ? RACE_MAX_CANDIDATES : spec->nplan;
	r->deadline_ms = deadline_of(spec, r->nplan);
	timer_init(&r->deadline, spec->base, on_deadline, r);
	timer_init(&r->result, spec->base, on_result, r);
	for (uint32_t i = 0; i <= r->nplan; i++)
		make_run(r, i);
	timer_set_ms(&r->deadline, r->deadline_ms);
	if (r->nplan == 0)
		timer_set_ms(&r->runs[0].start, 0);
	for (uint32_t i = 1; i <= r->nplan; i++)
		timer_set_ms(&r->runs[i].start, spec->plan[i - 1].delay_ms);
	return r;
}

void
race_free(struct race *r)
{
	if (r == NULL)
		return;
	for (uint32_t i = 0; i <= r->nplan; i++)
		run_stop(&r->runs[i]);
	timer_free(&r->deadline);
	timer_free(&r->result);
	free(r);
}

struct conn *
race_find(struct race *r, uint32_t id)
{
	for (uint32_t i = 0; r != NULL && i <= r->nplan; i++)
		for (int k = 0; k < TRIES; k++)
			if (r->runs[i].tries[k] != NULL && conn_id(r->runs[i].tries[k]) == id)
				return r->runs[i].tries[k];
	return NULL;
}
