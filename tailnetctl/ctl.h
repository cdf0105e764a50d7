/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CTL_H
#define CTL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes of interface.md 8. */
enum {
	CTL_OK = 0,
	CTL_ERROR = 1,
	CTL_USAGE = 2,
	CTL_DOWN = 3,		/* daemon not running */
	CTL_DENIED = 4,
	CTL_LOGIN = 5,		/* login needed: URL pending or logged out */
	CTL_SYNC = 6,		/* not synchronized or stale */
	CTL_EXPIRY = 7,		/* node key expired, or soon will */
	CTL_TIMEOUT = 8
};

#define CTL_LINE_MAX	4096	/* of a request, interface.md 3 */
#define CTL_SET_MAX	65536
#define CTL_LIMIT_MAX	1000000	/* seconds of -t */
#define CTL_EXPIRY_WARN	(7 * 86400)

struct command;

struct ctl {			/* one invocation */
	const char	*socket;
	int		 json;		/* -j */
	int		 quiet;		/* -q */
	int		 color;
	FILE		*out;
	int64_t		 now;		/* Unix seconds at the start */
	int		 limit_ms;	/* longest time without a sign of the daemon, except between events */
	const struct command *cmd;	/* that runs */
};

struct command {		/* common/lists/commands.h */
	const char	*name;
	int		(*run)(struct ctl *c, int argc, char **argv);	/* argv behind the name; the exit code */
	const char	*args;		/* for the usage line */
	const char	*help;
	const char	*words;		/* that the arguments may be, for cmd_ok() */
	int		 min, max;	/* how many, for cmd_ok() */
};
extern const struct command ctl_commands[];
extern const size_t ctl_ncommands;

int	 ctl_main(int argc, char **argv);

/* Complaints go to stderr unless -q; text is made safe.  ctl_fail() returns code. */
int	 ctl_fail(const struct ctl *c, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void	 ctl_note(const struct ctl *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int	 ctl_usage(const struct ctl *c);		/* the usage of the command that runs; CTL_USAGE */

#endif
