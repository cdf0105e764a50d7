/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef TEXTS_H
#define TEXTS_H

struct ctl;
struct source;

int	 cmd_wgconf(struct ctl *c, int argc, char **argv);
int	 cmd_hosts(struct ctl *c, int argc, char **argv);
int	 cmd_metrics(struct ctl *c, int argc, char **argv);
int	 text_print(struct ctl *c, struct source *s);	/* from any source: exit code */

#endif
