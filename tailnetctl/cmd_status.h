/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CMD_STATUS_H
#define CMD_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "out.h"

struct ctl;

int	 cmd_status(struct ctl *c, int argc, char **argv);
void	 status_server_clock(struct ctl *c);	/* c->now becomes the server's time, if that is known */
int	 status_exit(struct json_object *st, int64_t now);		/* of `status --check` (pure) */
void	 status_state(struct json_object *st, char *out, size_t outsize);	/* "synchronized, 12 peers" */
enum color status_color(struct json_object *st);
void	 status_print(struct ctl *c, struct json_object *st);

#endif
