/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "ipc.h"

/*
 * The command `doctor` (interface.md 8): the way to the configured server step by step, one line with a time for each.
 * Looking up and connecting are tried by the parent itself; the rest by a process of authd of its own, so that the
 * login life cycle beside it notices nothing: the login machine sees no event of it, no state changes, no auth key is
 * used.  A node that is logged in is registered again with the key it has, which changes nothing at the server.  One at
 * a time.
 */
struct cclient;
struct control;
struct doctor;

struct doctor *doctor_new(struct control *c);		/* NULL: out of memory */
void	 doctor_free(struct doctor *d);			/* NULL is fine */
int	 doctor_busy(const struct doctor *d);
void	 doctor_start(struct doctor *d, struct cclient *cc);
void	 doctor_abandon(struct doctor *d);		/* the client was closed */
void	 doctor_shutting_down(struct control *c);	/* breaks the run off with an error line */

/* Reports of the parent: the login state machine, the doctor's authd and its requests. */
void	 doctor_look(struct control *c);		/* something happened: may it go on? (PAU-01, ROT-04) */
void	 doctor_ready(struct control *c);		/* the process can be asked */
/* It ended before its work was done, or cannot be started: how, for people.  The run ends with a line `authd`. */
void	 doctor_child_gone(struct control *c, const char *how);
void	 doctor_dialled(struct control *c);		/* a connection it asked for was tried */
const struct pubkey *doctor_server_key(const struct control *c);	/* the pin; without one the key from /key */
/* Answers of the request id; the caller has checked numbers and texts. */
void	 doctor_step(struct control *c, uint32_t id, const struct ipc_step *s);
void	 doctor_key_result(struct control *c, uint32_t id, const struct ipc_key_result *r);
void	 doctor_reg_result(struct control *c, uint32_t id, const struct ipc_reg_result *r);

#endif
