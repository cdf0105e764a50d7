/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CMD_SIMPLE_H
#define CMD_SIMPLE_H

struct ctl;

int	 cmd_ok(struct ctl *c, int argc, char **argv);	/* c->cmd sent with its words in full; nothing is printed but errors */
int	 cmd_logout(struct ctl *c, int argc, char **argv);
int	 cmd_processes(struct ctl *c, int argc, char **argv);
int	 cmd_set(struct ctl *c, int argc, char **argv);
int	 cmd_server_key(struct ctl *c, int argc, char **argv);
int	 cmd_doctor(struct ctl *c, int argc, char **argv);

#endif
