/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include <event2/event.h>

#include "log.h"
#include "parent.h"

/*
 * What an operator finds in the log afterwards: each change of the state, and what went wrong (interface.md 9).  A server can have
 * both as often as it likes, so there is a rate; what was left out is made up for when the rate allows it: the last line about the
 * state is the state.
 */
#define RATE    1
#define BURST   10
#define ERR_MS  10000         /* between two errors */
#define SAME_MS (10u * 60000) /* until the same one is told again */

static void
later(struct parent *p, uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000 };

	if (p->told.later != NULL && !evtimer_pending(p->told.later, NULL))
		evtimer_add(p->told.later, &tv);
}

static void
tell_state(struct parent *p)
{
	enum login_state state = login_state(&p->login);
	uint64_t now = time_mono_ms();

	if (state == p->told.state && p->login.paused == p->told.paused)
		return;
	if (p->told.rate.rate == 0)
		bucket_init(&p->told.rate, RATE, BURST, now);
	if (!bucket_take(&p->told.rate, now)) {
		later(p, bucket_wait_ms(&p->told.rate));
		return;
	}
	log_info("%s -> %s%s", login_state_name(p->told.state), login_state_name(state),
	    p->login.paused      ? ", paused"
		: p->told.paused ? ", unpaused"
				 : "");
	p->told.state = state;
	p->told.paused = p->login.paused;
}

static void
tell_error(struct parent *p)
{
	char err[LOGIN_TOLD_MAX];
	int source = login_told(&p->login, err);
	uint64_t now = time_mono_ms(), since = now - p->told.err_ms, pause;

	if (source == -1 || source == SRC_STATE) /* a save that fails is told where it fails */
		return;
	pause = strcmp(err, p->told.err) == 0 ? SAME_MS : ERR_MS;
	if (p->told.err_ms != 0 && since < pause) {
		if (pause == ERR_MS)
			later(p, pause - since);
		return;
	}
	log_warnx("%s: %s", login_src_name((enum login_src)source), err);
	strlcpy(p->told.err, err, sizeof(p->told.err));
	p->told.err_ms = now;
}

void
tell_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tell_log(arg);
}

void
tell_log(struct parent *p)
{
	tell_error(p);
	tell_state(p);
}
