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

/* Handlers (ipc.h): arg is the struct child; 0, or -1 = a violation. */
int	 dispatch_key_result(void *arg, const struct ipc_msg *m);
int	 dispatch_reg_result(void *arg, const struct ipc_msg *m);
int	 dispatch_stream(void *arg, const struct ipc_msg *m);
int	 dispatch_self(void *arg, const struct ipc_msg *m);
int	 dispatch_deltas(void *arg, const struct ipc_msg *m);
int	 dispatch_counters(void *arg, const struct ipc_msg *m);
int	 dispatch_lite(void *arg, const struct ipc_msg *m);
int	 dispatch_limit(void *arg, const struct ipc_msg *m);
int	 dispatch_may_log(struct child *c);		/* a line that this child causes; it has 50 a second (D12) */
int	 dispatch_control_time(void *arg, const struct ipc_msg *m);
int	 dispatch_browse(void *arg, const struct ipc_msg *m);
int	 dispatch_exit_wish(void *arg, const struct ipc_msg *m);
int	 dispatch_dial_plan(void *arg, const struct ipc_msg *m);
int	 dispatch_cache_loaded(void *arg, const struct ipc_msg *m);
int	 dispatch_cache_written(void *arg, const struct ipc_msg *m);

#endif
