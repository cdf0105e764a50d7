/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
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
#include "texts.h"
#include "timefmt.h"
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

static void
usage(FILE *f)
{
	size_t i;

	fputs("usage: tailnetctl [-jqV] [-s socket] command [args]\n"
	      "  -j JSON as it is sent on the socket   -q only the exit code   -V version\n"
	      "commands (any unambiguous beginning is enough):\n",
	    f);
	for (i = 0; i < ctl_ncommands; i++)
		fprintf(f, "  %-11s %s\n", ctl_commands[i].name, ctl_commands[i].help);
}

int
ctl_usage(const struct ctl *c)
{
	return ctl_fail(c, CTL_USAGE, "usage: tailnetctl %s %s", c->cmd->name, c->cmd->args);
}

static int
run_command(struct ctl *c, int argc, char **argv)
{
	char err[600] = "";
	int i = word_match(argv[0], ctl_commands, ctl_ncommands, sizeof(ctl_commands[0]), "command", err, sizeof(err));

	if (i < 0)
		return ctl_fail(c, CTL_USAGE, "%s", err);
	c->cmd = &ctl_commands[i];
	return c->cmd->run(c, argc - 1, argv + 1);
}

static int
want_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no == NULL || *no == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
}

int
ctl_main(int argc, char **argv)
{
	struct ctl c = { .socket = PATH_RUNDIR "/tailnetd.sock", .out = stdout, .now = time_wall().sec };
	int ch, rc;

	c.color = want_color();
	/* "+": the command's own arguments are not ours. */
	while ((ch = getopt(argc, argv, "+hjqVs:")) != -1) {
		switch (ch) {
		case 'j': c.json = 1; break;
		case 'q': c.quiet = 1; break;
		case 's': c.socket = optarg; break;
		case 'V':
			printf("tailnetctl %s, build %s (%s), json-c %s\n", TAILNETD_VERSION, build_id, build_options,
			    json_c_version());
			return CTL_OK;
		case 'h': usage(stdout); return CTL_OK;
		default: usage(stderr); return CTL_USAGE;
		}
	}
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
