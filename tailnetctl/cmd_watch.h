/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CMD_WATCH_H
#define CMD_WATCH_H

struct ctl;
struct source;

int	 cmd_watch(struct ctl *c, int argc, char **argv);
int	 cmd_wait(struct ctl *c, int argc, char **argv);
int	 events_print(struct ctl *c, struct source *s);	/* from any source: exit code */

#endif
