/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "supervise.h"

/* Between dispatch.c, the tables and what both children ask, dispatch_auth.c and dispatch_map.c. */
void	 dispatch_send_register(struct child *c);
void	 dispatch_send_map_start(struct child *c);

/* Are the texts and numbers of an answer of authd such as they may be? */
int	 dispatch_key_result_ok(const struct ipc_key_result *r);
int	 dispatch_reg_result_ok(const struct ipc_reg_result *r);
int	 dispatch_url_ok(const struct parent *p, const char *url);	/* a URL for people */

int	 dispatch_may_log(struct child *c);		/* a line that this child causes; it has 50 a second (D12) */

/* Handlers of what the children say (msgs.h): arg is the struct child; 0, or -1 = a violation.  The doctor's authd has its own. */
#define X(name, handler, ...) int dispatch_##handler(void *arg, const struct ipc_msg *m);
IPC_FROM_CHILD(X) IPC_FROM_AUTHD(X) IPC_FROM_MAPD(X)
#undef X

#endif
