/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PARENT_CONTROL_H
#define PARENT_CONTROL_H

#include "ipc.h"

/* The parent's side of control/: what that room may read and do, and the process that tries for `doctor`. */
struct child;
struct control_ops;
struct parent;

void	 parent_control_ops(struct parent *p, struct control_ops *o);

/* Handlers (ipc.h) and end of the doctor's authd: arg is the struct child. */
int	 parent_doctor_step(void *arg, const struct ipc_msg *m);
int	 parent_doctor_key_result(void *arg, const struct ipc_msg *m);
int	 parent_doctor_reg_result(void *arg, const struct ipc_msg *m);
void	 parent_doctor_gone(struct child *c);

#endif
