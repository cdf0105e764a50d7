/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef LOGIN_AUTH_H
#define LOGIN_AUTH_H

#include "login.h"

/* Logging in: server key, register, follow-up, and the goal that they serve. */

void	 login_start(struct login *c);		/* as the configuration says, if there is nothing else to do */
void	 auth_go(struct login *c);			/* do what the goal wants, unless it is being done */
void	 auth_stop(struct login *c);			/* cancel what runs and what waits */
void	 auth_new_goal(struct login *c, const struct login_goal *g);
void	 auth_new_goal_after(struct login *c, const struct login_goal *g, unsigned ms);
void	 auth_drop_candidate(struct login *c);	/* wipes it, also from the file */
void	 auth_forget_candidate(struct login *c);	/* a SAVE_CLEAR wipes it */
void	 auth_ask(struct login *c, int by_expiry);	/* begins the login that no user asked for, or later */
int	 auth_adopt(struct login *c);			/* the netmap names the candidate.  1: it is committed */
void	 auth_login(struct login *c, const struct login_goal *g);
void	 auth_end_goal(struct login *c);
void	 auth_on_key(struct login *c, const struct login_event *e);
void	 auth_on_reg(struct login *c, const struct login_event *e);
void	 auth_on_gone(struct login *c);
void	 auth_on_saved(struct login *c, uint32_t id, int ok, const char *err);
void	 auth_on_save_timer(struct login *c);
void	 auth_key_ok(struct login *c);			/* a handshake with the pinned key worked */
void	 auth_suspect(struct login *c);

#endif
