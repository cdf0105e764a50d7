/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONTROLSOCK_H
#define CONTROLSOCK_H

#include <stddef.h>

struct control_ops;

/*
 * Makes the run directory and the socket at path in it (interface.md 1 and 2, security.md D13).  Listening, or -1
 * with a reason.
 */
int	 controlsock_bind(const struct control_ops *o, const char *path, char *err, size_t errsize);

#endif
