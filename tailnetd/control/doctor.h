/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "ipc.h"

/*
 * The command `doctor` (interface.md 8): the way to the configured server step by step, one line with a time for each.  Looking
 * up and connecting are tried by the parent itself; the rest by a process of authd of its own, so that the login life cycle
 * beside it notices nothing: the login machine sees no event of it, no state changes, no auth key is used.  A node that is
 * logged in is registered again with the key it has, which changes nothing at the server.  One at a time.
 */
struct cclient;
struct child;
struct doctor;
struct parent;

struct doctor *doctor_new(struct parent *p);
void	 doctor_free(struct doctor *d);			/* NULL is fine */
int	 doctor_busy(const struct doctor *d);
void	 doctor_start(struct doctor *d, struct cclient *cc);
void	 doctor_abandon(struct doctor *d);		/* the client has gone */
void	 doctor_look(struct doctor *d);			/* something happened: may it go on? (PAU-01, ROT-04) */

/* What the supervisor and the dispatcher tell. */
void	 doctor_ready(struct doctor *d);		/* the process can be asked */
void	 doctor_dialled(struct doctor *d);		/* a connection it asked for was tried */
const struct pubkey *doctor_server_key(const struct doctor *d);	/* the pin, or as long as there is none what /key said */
void	 doctor_child_gone(struct child *c);
int	 doctor_step(void *arg, const struct ipc_msg *m);
int	 doctor_key_result(void *arg, const struct ipc_msg *m);
int	 doctor_reg_result(void *arg, const struct ipc_msg *m);

#endif
