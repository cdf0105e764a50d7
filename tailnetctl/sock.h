/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SOCK_H
#define SOCK_H

#include <stddef.h>

#include "endmark.h"
#include "json.h"

struct ctl;
struct source;

/* Asking the daemon. */
int	 ctl_connect(const struct ctl *c, int *fd);				/* 0 or an exit code, complaint made */
/* Connect and send a whole line.  0 or an exit code. */
int	 ctl_ask(const struct ctl *c, struct source *s, const char *line, size_t n);
int	 ctl_ask_words(const struct ctl *c, struct source *s, const char *verb, int argc, char **argv);
/*
 * One JSON value of the answer.  0 = *o is new (NULL: the text `null`); else the exit code, complaint made; errors of
 * the daemon count.
 */
int	 ctl_answer(const struct ctl *c, struct source *s, struct json_object **o);
int	 ctl_error_code(const char *code);					/* "denied" -> CTL_DENIED (pure) */
/* 0, or the exit code of {"error":..}; complaint made */
int	 ctl_answer_error(const struct ctl *c, struct json_object *o);
int	 ctl_lost(const struct ctl *c, const struct source *s);		/* complaint about an answer that ended early */
/* Complaint about one that ends within a line */
int	 ctl_cut_off(const struct ctl *c);
/* The exit code for a line, CTL_OK unless it is an error object.  With c the complaint is made. */
int	 ctl_error_line(const struct ctl *c, char *line, size_t n);
/*
 * The rest of the answer to c->out as it is (nowhere with -q); an error object as the last line (an answer may be one,
 * and one that could not be finished ends with one) gives its exit code.  Else it must have its end (endmark.h).
 */
int	 ctl_relay(const struct ctl *c, struct source *s, enum end_kind kind);
/* Ask and: -j relay, else one value to show().  What most commands do. */
int	 ctl_simple(struct ctl *c, const char *verb, int argc, char **argv,
	    int (*show)(struct ctl *, struct json_object *));
int	 ctl_show_ok(struct ctl *c, struct json_object *o);

#endif
