/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef COMMAND_H
#define COMMAND_H

#include <stddef.h>

#include "command_line.h"

struct cclient;

/*
 * Handlers, in command.c and command_set.c, but command_query() of command_query.h for a QUERY; as many arguments as
 * the list allows.  Each answers the client, now or later, and may free it.
 */
#define COMMAND_HANDLER_SPLIT(id) command_##id
#define COMMAND_HANDLER_WHOLE(id) command_##id
#define COMMAND_HANDLER_QUERY(id) command_query
#define C(id, name, class, min, max, tail, usage, run, args, help, words) \
	void	 COMMAND_HANDLER_##tail(id)(struct cclient *cc, struct command_line *cl);
#define T(name, run, args, help, words)
COMMANDS(C, T)
#undef C
#undef T

void	 command_run(struct cclient *cc, char *line, size_t n);	/* n bytes, no newline, terminated */
int	 command_is_set(const char *line, size_t n);		/* may grow to CONTROL_LINE_SET */
void	 command_usage(struct cclient *cc, enum command_id id);	/* answers with the error "usage" */
void	 command_metrics_now(struct cclient *cc);

#endif
