/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DISPATCH_H
#define DISPATCH_H

#include "supervise.h"

/*
 * Messages between the parent and its children: the tables of handlers, made from the list of messages (msgs.h), and
 * what both children send.  dispatch_auth.h and dispatch_map.h have what only one of them sends.
 */
extern const struct ipc_handlers authd_handlers, mapd_handlers, doctor_handlers;

void	 dispatch_ready_work(struct child *c);		/* READY: sends the request that waited */
void	 dispatch_turn(void *arg);			/* timer turn of the child */
void	 dispatch_forget(struct child *c);		/* the process ended: its dials and handshakes are cancelled */
int	 dispatch_may_log(struct child *c);		/* one more line for this child: 50 a second (D12) */

/* Handlers: arg is the struct child; 0, or -1 = a violation.  For a doctor run: parent_control.h. */
#define X(name, handler, ...) int dispatch_##handler(void *arg, const struct ipc_msg *m);
IPC_FROM_CHILD(X) IPC_FROM_AUTHD(X) IPC_FROM_MAPD(X)
#undef X

#endif
