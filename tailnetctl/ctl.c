/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <getopt.h>
#include <json-c/json_c_version.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "cmd_login.h"
#include "cmd_peers.h"
#include "cmd_simple.h"
#include "cmd_status.h"
#include "cmd_watch.h"
#include "commands.h"
#include "ctl.h"
#include "out.h"
#include "text.h"
#include "texts.h"
#include "timefmt.h"
#include "width.h"
#include "words.h"

#define C(id, name, class, min, max, tail, usage, run, args, help, words) { name, run, args, help, words, min, max },
#define T(name, run, args, help, words)                                   { name, run, args, help, words, 0, 0 },
const struct command ctl_commands[] = { COMMANDS(C, T) };
#undef C
#undef T
const size_t ctl_ncommands = sizeof(ctl_commands) / sizeof(ctl_commands[0]);

static void __attribute__((format(printf, 1, 0))) complain(const char *fmt, va_list ap)
{
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, ap);
	fputs("tailnetctl: ", stderr);
	out_safe(stderr, text, strlen(text));
	fputc('\n', stderr);
}

int
ctl_fail(const struct ctl *c, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!c->quiet) {
		fflush(c->out);
		complain(fmt, ap);
	}
	va_end(ap);
	return code;
}

void
ctl_note(const struct ctl *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!c->quiet) {
		fflush(c->out);
		complain(fmt, ap);
	}
	va_end(ap);
}

#define HELP_COLUMNS 80

static void
usage(FILE *f)
{
	size_t i;

	fputs("usage: tailnetctl [-jqV] [-s socket] [-t seconds] command [args]\n"
	      "  -j JSON as it is sent on the socket   -q only the exit code   -V version\n"
	      "  -s control socket   -t longest time to wait for an answer of the daemon\n"
	      "commands (any unambiguous beginning is enough, except for those that disrupt;\n"
	      "`tailnetctl help COMMAND` shows the arguments of one):\n",
	    f);
	for (i = 0; i < ctl_ncommands; i++)
		fprintf(f, "  %-11s %s\n", ctl_commands[i].name, ctl_commands[i].help);
}

static void
command_usage(FILE *f, const struct command *cmd)
{
	static const char begin[] = "usage: tailnetctl ";
	char text[600];

	snprintf(text, sizeof(text), "%s%s %s", begin, cmd->name, cmd->args);
	width_wrap(f, text, 0, strlen(begin), HELP_COLUMNS);
	fputc('\n', f);
}

int
ctl_usage(const struct ctl *c)
{
	if (!c->quiet)
		command_usage(stderr, c->cmd);
	return CTL_USAGE;
}

/* A mistyped word must not stop the daemon or its network: these are given in full. */
static int
is_disruptive(const char *name)
{
	static const char *const names[] = { "shutdown", "logout", "pause", "reconnect" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return 1;
	return 0;
}

/* The command that a word names, or an exit code with a complaint. */
static int
find_command(struct ctl *c, const char *word)
{
	char err[600] = "";
	int i = word_match(word, ctl_commands, ctl_ncommands, sizeof(ctl_commands[0]), "command", err, sizeof(err));

	if (i < 0)
		return ctl_fail(c, CTL_USAGE, "%s", err);
	c->cmd = &ctl_commands[i];
	return CTL_OK;
}

static int
help(struct ctl *c, int argc, char **argv)
{
	int rc;

	if (argc == 0) {
		usage(stdout);
		return CTL_OK;
	}
	if ((rc = find_command(c, argv[0])) != CTL_OK)
		return rc;
	command_usage(stdout, c->cmd);
	printf("%s: %s\n", c->cmd->name, c->cmd->help);
	return CTL_OK;
}

/*
 * -j and -q may also be given behind the command.  1: help is asked for.  What follows an option that takes a value is
 * that value.
 */
static int
late_options(struct ctl *c, int *argc, char **argv)
{
	static const char *const with_value[] = { "-o", "--auth-key-file", "--timeout", "--for" };
	int i, n = 1, asks_help = 0;
	size_t k;

	for (i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "-j") == 0) {
			c->json = 1;
			continue;
		}
		if (strcmp(argv[i], "-q") == 0) {
			c->quiet = 1;
			continue;
		}
		asks_help |= strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
		argv[n++] = argv[i];
		for (k = 0; k < sizeof(with_value) / sizeof(with_value[0]) && i + 1 < *argc; k++)
			if (strcmp(argv[n - 1], with_value[k]) == 0) {
				argv[n++] = argv[++i];
				break;
			}
	}
	*argc = n;
	return asks_help;
}

/*
 * Seconds for which a command waits for a sign of the daemon.  The first asks one process for one line, those of a
 * minute ask a second process, or a server; doctor has a minute for its steps.
 */
static int
usual_limit(const char *name)
{
	static const struct {
		const char *name;
		int seconds;
	} limits[] = { { "status", 10 }, { "netmap", 60 }, { "peers", 60 }, { "peer", 60 }, { "wgconf", 60 },
		{ "hosts", 60 }, { "logout", 60 }, { "doctor", 90 } };
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (strcmp(limits[i].name, name) == 0)
			return limits[i].seconds;
	return 30;
}

static int
run_command(struct ctl *c, int argc, char **argv)
{
	int rc;

	if (late_options(c, &argc, argv))
		return help(c, 1, argv);
	if (strcmp(argv[0], "help") == 0)
		return help(c, argc - 1, argv + 1);
	if ((rc = find_command(c, argv[0])) != CTL_OK)
		return rc;
	if (is_disruptive(c->cmd->name) && strcmp(c->cmd->name, argv[0]) != 0)
		return ctl_fail(c, CTL_USAGE, "'%s' is too short for a command that disrupts: write %s in full",
		    argv[0], c->cmd->name);
	if (c->limit_ms == 0)
		c->limit_ms = usual_limit(c->cmd->name) * 1000;
	return c->cmd->run(c, argc - 1, argv + 1);
}

static int
want_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no == NULL || *no == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
}

static void
print_version(void)
{
	printf("tailnetctl %s, build %s (%s), json-c %s\n", TAILNETD_VERSION, build_id, build_options,
	    json_c_version());
}

/* -1, or an exit code: nothing more is to do. */
static int
options(struct ctl *c, int argc, char **argv)
{
	static const struct option longer[] = { { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 } };
	int64_t limit;
	int ch;

	/* "+": the command's own arguments are not ours. */
	while ((ch = getopt_long(argc, argv, "+hjqVs:t:", longer, NULL)) != -1) {
		switch (ch) {
		case 'j': c->json = 1; break;
		case 'q': c->quiet = 1; break;
		case 's': c->socket = optarg; break;
		case 't':
			if (text_to_i64(optarg, strlen(optarg), 1, CTL_LIMIT_MAX, &limit) == -1)
				return ctl_fail(c, CTL_USAGE, "-t: a number of seconds is needed, not '%s'", optarg);
			c->limit_ms = (int)limit * 1000;
			break;
		case 'V': print_version(); return CTL_OK;
		case 'h': usage(stdout); return CTL_OK;
		default: usage(stderr); return CTL_USAGE;
		}
	}
	return -1;
}

int
ctl_main(int argc, char **argv)
{
	struct ctl c = { .socket = PATH_RUNDIR "/tailnetd.sock", .out = stdout, .now = time_wall().sec };
	int rc;

	width_init();
	c.color = want_color();
	if ((rc = options(&c, argc, argv)) != -1)
		return rc;
	if (optind == argc) {
		usage(stderr);
		return CTL_USAGE;
	}
	rc = run_command(&c, argc - optind, argv + optind);
	if (fflush(c.out) != 0 || ferror(c.out)) {
		if (errno != EPIPE)
			ctl_fail(&c, 0, "cannot write the output: %s", strerror(errno));
		return rc != CTL_OK ? rc : CTL_ERROR;
	}
	return rc;
}
