/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DISPATCH_AUTH_H
#define DISPATCH_AUTH_H

#include "supervise.h"

/* Requests to authd and its answers (ipc/msgs.h). */
void	 dispatch_send_register(struct child *c);	/* child.work, with the auth key if it needs one */

/* Are the texts and numbers of an answer of authd valid?  1 or 0. */
int	 dispatch_key_result_ok(const struct ipc_key_result *r);
int	 dispatch_reg_result_ok(const struct ipc_reg_result *r);
int	 dispatch_url_ok(const struct parent *p, const char *url);	/* a URL that users open (INT-05) */

#endif
