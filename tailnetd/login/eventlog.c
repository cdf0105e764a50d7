/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "bucket.h"
#include "eventlog.h"
#include "log.h"
#include "login.h"
#include "timefmt.h"
#include "timer.h"

#define RATE    1
#define BURST   10
#define ERR_MS  10000         /* between two errors */
#define SAME_MS (10u * 60000) /* until the same one is logged again */

struct eventlog {
	const struct login *l;
	struct timer later; /* for what had to wait */
	/* as logged last */
	enum login_state state;
	int paused;
	struct bucket rate;
	uint64_t err_ms; /* 0 = never */
	char err[LOGIN_ADVISED_MAX];
};

static void
later(struct eventlog *e, uint64_t ms)
{
	if (!timer_pending(&e->later))
		(void)timer_set_ms(&e->later, ms);
}

static void
log_state(struct eventlog *e)
{
	enum login_state state = login_state(e->l);

	if (state == e->state && e->l->paused == e->paused)
		return;
	if (!bucket_take(&e->rate, time_mono_ms())) {
		later(e, bucket_wait_ms(&e->rate));
		return;
	}
	log_info("%s -> %s%s", login_state_name(e->state), login_state_name(state),
	    e->l->paused    ? ", paused"
		: e->paused ? ", unpaused"
			    : "");
	e->state = state;
	e->paused = e->l->paused;
}

static void
log_error_of_login(struct eventlog *e)
{
	char err[LOGIN_ADVISED_MAX];
	int source = login_advised_error(e->l, err);
	uint64_t now = time_mono_ms(), since = now - e->err_ms, pause;

	if (source == -1 || source == SRC_STATE) /* a save that fails is logged where it fails */
		return;
	pause = strcmp(err, e->err) == 0 ? SAME_MS : ERR_MS;
	if (e->err_ms != 0 && since < pause) {
		if (pause == ERR_MS)
			later(e, pause - since);
		return;
	}
	log_warnx("%s: %s", login_src_name((enum login_src)source), err);
	strlcpy(e->err, err, sizeof(e->err));
	e->err_ms = now;
}

void
eventlog_update(struct eventlog *e)
{
	log_error_of_login(e);
	log_state(e);
}

static void
later_due(void *arg)
{
	eventlog_update(arg);
}

struct eventlog *
eventlog_new(struct event_base *base, const struct login *l)
{
	struct eventlog *e = calloc(1, sizeof(*e));

	if (e == NULL || timer_init(&e->later, base, later_due, e) == -1) {
		free(e);
		return NULL;
	}
	e->l = l;
	bucket_init(&e->rate, RATE, BURST, time_mono_ms());
	return e;
}

void
eventlog_free(struct eventlog *e)
{
	if (e == NULL)
		return;
	timer_free(&e->later);
	free(e);
}
