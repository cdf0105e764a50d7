/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef TEXTS_H
#define TEXTS_H

#include "endmark.h"

struct ctl;
struct source;

/*
 * The commands whose answer is text, with -j too.  It is printed with control characters escaped, or written to the
 * file of `-o FILE` whole or not at all.  Without its end (endmark.h) it is an error, and what was printed of it ends
 * with a line that wg(8) refuses.
 */
int	 cmd_wgconf(struct ctl *c, int argc, char **argv);
int	 cmd_hosts(struct ctl *c, int argc, char **argv);
/* The file says `tailnetd_up 0` when the daemon does not answer. */
int	 cmd_metrics(struct ctl *c, int argc, char **argv);
int	 text_print(struct ctl *c, struct source *s, enum end_kind kind);	/* from any source: exit code */

#endif
