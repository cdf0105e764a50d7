/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONTROL_H
#define CONTROL_H

#include <stddef.h>

/*
 * The control socket (interface.md 3, security.md D13) and what is answered there.  One `struct control` is the whole
 * room for the parent: clients, watchers, status events, the doctor.
 */

struct control;
struct control_ops;

/* Bind and listen; no client is accepted yet.  ops is copied.  NULL with a reason. */
struct control *control_new(const struct control_ops *ops, char *err, size_t errsize);
void	 control_start(struct control *c);		/* accept clients */
void	 control_free(struct control *c);		/* closes and removes the socket; NULL is fine */

/* Answers all that wait for it; err NULL: done */
void	 control_logout_done(struct control *c, const char *err);
void	 control_shutting_down(struct control *c);	/* answers those that wait for a logout or the doctor */
void	 control_counters_came(struct control *c);	/* mapd has answered COUNTERS_REQ */

/* For this room's own files. */
int	 control_w_rate(struct control *c);		/* a W command of a user other than root: 1 = within the rate */
int	 control_await_counters(struct control *c);	/* 1 = mapd must be asked; 0 = it was asked */

int	 control_is_full(const struct control *c);	/* in the last minute clients had to wait */

#endif
