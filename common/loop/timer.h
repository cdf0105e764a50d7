/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef TIMER_H
#define TIMER_H

#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

/*
 * A timer of an event loop: fn(arg) is called once, ms after timer_set_ms().  The struct must not move while it is in
 * use; one of zeros is "none" for timer_stop, timer_free and timer_pending.  fn may set, stop or free its own timer.
 */
struct timer {
	struct event	*ev;
	void		(*fn)(void *arg);
	void		*arg;
};

static inline void
timer_due_(evutil_socket_t fd, short what, void *timer)
{
	struct timer *t = timer;

	(void)fd;
	(void)what;
	t->fn(t->arg);
}

/* 0, or -1: out of memory. */
static inline int
timer_init(struct timer *t, struct event_base *base, void (*fn)(void *arg), void *arg)
{
	t->fn = fn;
	t->arg = arg;
	t->ev = event_new(base, -1, 0, timer_due_, t);
	return t->ev != NULL ? 0 : -1;
}

/* From now on; a timer that runs is set again.  0: in the next turn of the loop.  0, or -1: out of memory. */
static inline int
timer_set_ms(struct timer *t, uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000 };

	return event_add(t->ev, &tv);
}

/* At once: in this turn of the loop or the next. */
static inline void
timer_soon(struct timer *t)
{
	event_active(t->ev, EV_TIMEOUT, 0);
}

static inline void
timer_stop(struct timer *t)
{
	if (t->ev != NULL)
		event_del(t->ev);
}

static inline int
timer_pending(const struct timer *t)
{
	return t->ev != NULL && event_pending(t->ev, EV_TIMEOUT, NULL);
}

static inline void
timer_free(struct timer *t)
{
	if (t->ev != NULL)
		event_free(t->ev);
	t->ev = NULL;
}

#endif
