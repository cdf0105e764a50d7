/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "util_clock.h"

#define NS INT64_C(1000000000)

struct offsets {
	int64_t mono_s, wall_s;
};

static struct offsets *offsets; /* NULL: none was ever set */
static int elsewhere;           /* they are not for this process */
static int simulated;
static int64_t mono_ns, wall_ns; /* simulated time */
static unsigned turns;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rv;

	if (simulated && id != CLOCK_PROCESS_CPUTIME_ID && id != CLOCK_THREAD_CPUTIME_ID) {
		int64_t ns = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE ? wall_ns : mono_ns;

		*ts = (struct timespec){ ns / NS, ns % NS };
		return 0;
	}
	rv = (int)syscall(SYS_clock_gettime, id, ts);
	if (rv == 0 && offsets != NULL && !elsewhere)
		ts->tv_sec +=
		    __atomic_load_n(id == CLOCK_REALTIME ? &offsets->wall_s : &offsets->mono_s, __ATOMIC_SEQ_CST);
	return rv;
}

int
epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
	int n = epoll_pwait(fd, events, max, simulated ? 0 : ms, NULL);

	if (simulated && n == 0 && ms < 0)
		abort(); /* nothing can happen from here on */
	if (simulated) {
		int64_t ns = n == 0 ? ms * (NS / 1000) : NS / 1000000; /* an endless loop takes some time */

		mono_ns += ns;
		wall_ns += ns;
		turns += n != 0;
	}
	return n;
}

static struct offsets *
need_offsets(void)
{
	if (offsets != NULL)
		return offsets;
	offsets = mmap(NULL, sizeof(*offsets), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (offsets == MAP_FAILED)
		abort();
	return offsets;
}

void
clock_mono_ahead(int64_t s)
{
	__atomic_store_n(&need_offsets()->mono_s, s, __ATOMIC_SEQ_CST);
}

void
clock_wall_ahead(int64_t s)
{
	__atomic_store_n(&need_offsets()->wall_s, s, __ATOMIC_SEQ_CST);
}

static void
here(void)
{
	elsewhere = 0;
}

void
clock_in_children(void)
{
	(void)need_offsets();
	elsewhere = 1;
	pthread_atfork(NULL, NULL, here);
}

void
clock_simulate(void)
{
	struct timespec mono, wall;

	if (simulated)
		return;
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	mono_ns = mono.tv_sec * NS + mono.tv_nsec;
	wall_ns = wall.tv_sec * NS + wall.tv_nsec;
	simulated = 1;
}

unsigned
clock_turns(void)
{
	return turns;
}
