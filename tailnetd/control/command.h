/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef COMMAND_H
#define COMMAND_H

#include <stddef.h>

struct cclient;

void	 command_run(struct cclient *cc, char *line, size_t n);	/* n bytes, no newline, terminated */
int	 command_is_set(const char *line, size_t n);		/* may grow to CONTROL_LINE_SET */
void	 command_metrics_now(struct cclient *cc);

#endif
