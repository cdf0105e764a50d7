/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_PARENTSIM_H
#define UTIL_PARENTSIM_H

#include "buf.h"
#include "parent.h"

/*
 * The parent as parent.c sets it up and ends it, but without sandbox, signals and children: those are wanted and
 * never start. For tests and the fuzz targets of the parent; needs no test library.
 */
#define PS_MAX_ANSWER (4u << 20)

struct psim {
	struct parent p;
	char dir[64];
};

void	 ps_need(int ok, const char *what);
void	 ps_config(struct psim *s, const char *more);
struct psim *ps_new(const char *more_config);
void	 ps_free(struct psim *s);

#define PS_NO_PID ((pid_t)0x3fffffff) /* beyond pid_max: signals reach no process */

/* As child_start(), but without a process: the other end of the channel. */
int	 ps_attach(struct psim *s, struct child *c);
/* As child_gone(). */
void	 ps_detach(struct child *c, int raw);
/* What there is to do right now. */
void	 ps_run(struct psim *s);

struct ps_timers {
	struct event *due[256];
	unsigned n;
};

/* A minute in no time: what waits for less of it is due. */
void	 ps_time_passes(struct psim *s);
int	 ps_connect(struct psim *s);
/* Appends what there is to read; 1 = the daemon has closed. */
int	 ps_read(struct psim *s, int fd, struct buf *out);
/* One command, its answer as a string that lives until the next call. */
const char *ps_ask(struct psim *s, const char *line);

#endif
