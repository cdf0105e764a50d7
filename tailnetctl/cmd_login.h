/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CMD_LOGIN_H
#define CMD_LOGIN_H

#include <stdint.h>

#include "json.h"

struct ctl;

int	 cmd_login(struct ctl *c, int argc, char **argv);

/* The pure parts of it. */
struct login_args {
	const char	*key_file;
	int		 interactive, ephemeral, no_wait, qr;
	int64_t		 timeout_s;	/* 0 none */
};
/* 0, or -1 with a reason; an auth key among the arguments is refused (interface.md 8). */
int	 login_args_parse(int argc, char *const *argv, struct login_args *a, char *err, size_t errsize);

struct login_progress {
	char	 url[2049], err[600];	/* as last shown */
	int	 working;		/* a goal was seen since the command */
	int	 new_url, new_err;	/* set by login_step(): to print */
	int	 refused;		/* the new error is the server's answer: waiting does not help */
	int	 url_printed, err_printed, retry_printed, paused_printed;
};
enum login_step { LOGIN_GOES_ON, LOGIN_DONE, LOGIN_GIVEN_UP };
/* One status seen after the command was accepted; finished is the event's loginFinished. */
enum login_step login_step(struct login_progress *p, struct json_object *st, int finished);

#endif
