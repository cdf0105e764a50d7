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

/*
 * To be called once for a loop, before it runs: from then on timer_set_ms() needs no memory, as long as no more than
 * TIMERS_MAX timers run at once.  The limits on clients, dials and children keep a process below that.  0, or -1: out
 * of memory.
 */
#define TIMERS_MAX 1024
static inline int
timer_reserve(struct event_base *base)
{
	static const struct timeval never = { 1000000, 0 };
	struct event *all[TIMERS_MAX];
	unsigned i, n;
	int rv = 0;

	/* The loop's heap of timers grows with them and never shrinks. */
	for (n = 0; rv == 0 && n < TIMERS_MAX; n++)
		if ((all[n] = event_new(base, -1, 0, timer_due_, NULL)) == NULL || event_add(all[n], &never) == -1)
			rv = -1;
	for (i = 0; i < n; i++)
		if (all[i] != NULL)
			event_free(all[i]);
	return rv;
}

/*
 * From now on, also when this turn of the loop began long ago; a timer that runs is set again.  0: in the next
 * turn of the loop.  It cannot fail (timer_reserve()).  If it did, the timer would be due at once: too late is never.
 */
static inline void
timer_set_ms(struct timer *t, uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000 };

	(void)event_base_update_cache_time(event_get_base(t->ev));
	if (event_add(t->ev, &tv) == -1)
		event_active(t->ev, EV_TIMEOUT, 0);
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
