/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CMD_SIMPLE_H
#define CMD_SIMPLE_H

struct ctl;

/* Sends c->cmd with its words in full and prints errors only. */
int	 cmd_ok(struct ctl *c, int argc, char **argv);
int	 cmd_logout(struct ctl *c, int argc, char **argv);
int	 cmd_processes(struct ctl *c, int argc, char **argv);
int	 cmd_set(struct ctl *c, int argc, char **argv);
int	 cmd_server_key(struct ctl *c, int argc, char **argv);
int	 cmd_doctor(struct ctl *c, int argc, char **argv);

#endif
