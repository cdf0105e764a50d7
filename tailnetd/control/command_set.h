/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef COMMAND_SET_H
#define COMMAND_SET_H

struct cclient;

void	 command_set(struct cclient *cc, char **args, int n);	/* args[0]: all behind `set` */

#endif
