/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>

/*
 * The clocks of a test: it and all below it (libevent, too) ask clock_gettime() of util_clock.c for the time.
 * Offsets are in memory that is shared with the processes which are forked later.
 */
void	 clock_mono_ahead(int64_t s);	/* all clocks but CLOCK_REALTIME are this number of seconds ahead */
void	 clock_wall_ahead(int64_t s);	/* CLOCK_REALTIME is */
void	 clock_in_children(void);	/* the offsets count only in processes that are forked from now on */

/*
 * From now on time passes only while libevent waits and nothing is ready, and then as long as it would have waited:
 * for tests whose other ends are in the same process.  The load of the machine makes no difference then. A turn
 * of the loop in which something was ready takes a microsecond.
 */
void	 clock_simulate(void);
unsigned clock_turns(void);		/* how many of these there were: a loop that spins shows here */

#endif
