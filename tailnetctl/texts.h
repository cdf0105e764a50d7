/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef TEXTS_H
#define TEXTS_H

struct ctl;
struct source;

/*
 * Sends c->cmd with its words in full and prints the text of the answer.  No text at all means for cmd_text() that the
 * daemon has ended: `wg syncconf` must not get an empty list of peers.  For cmd_text_or_none() it is an answer.
 */
int	 cmd_text(struct ctl *c, int argc, char **argv);
int	 cmd_text_or_none(struct ctl *c, int argc, char **argv);
int	 cmd_metrics(struct ctl *c, int argc, char **argv);
int	 text_print(struct ctl *c, struct source *s);	/* from any source: exit code */

#endif
