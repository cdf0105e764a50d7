/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DISPATCH_MAP_H
#define DISPATCH_MAP_H

#include "supervise.h"

/* Requests to mapd and its reports (ipc/msgs.h). */
void	 dispatch_send_map_start(struct child *c);	/* child.work */

#endif
