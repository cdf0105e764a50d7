/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include <stddef.h>

#include "commands.h"
#include "msgs.h"

/*
 * A line of a client, read by the parent alone (interface.md 3): which command it is, of which class, and its
 * arguments. Pure.
 */
#define COMMAND_ARGS 80

enum command_id {
#define C(id, name, class, min, max, tail, usage, run, args, help, words) COMMAND_##id,
#define T(name, run, args, help, words)
	COMMANDS(C, T)
#undef C
#undef T
	COMMAND_COUNT
};

enum command_tail { COMMAND_SPLIT, COMMAND_WHOLE, COMMAND_QUERY };	/* common/lists/commands.h */

struct command {
	const char	*name;
	enum ipc_query_class class;
	int		 min, max;
	enum command_tail tail;
	const char	*usage;
};
extern const struct command command_table[COMMAND_COUNT];

struct command_line {
	char		*name;
	enum command_id	 id;			/* COMMAND_COUNT: there is no such command */
	char		*args[COMMAND_ARGS];	/* in the line; for WHOLE and QUERY args[0] is all behind the name */
	int		 n;			/* number of arguments; for WHOLE 1 unless it is empty */
	int		 private;		/* wgconf: the private key is asked for */
};

/* Takes the line apart in place.  0, or -1: it is not one line of UTF-8 text. */
int	 command_line_read(struct command_line *cl, char *line, size_t n);
/* 1: the number of arguments is right for the command */
int	 command_line_fits(const struct command_line *cl);

#endif
