/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef LOGIN_ACT_H
#define LOGIN_ACT_H

#include "login.h"

/* What the parts of the machine use: actions of the event that runs, ids, timers, errors. */

struct login_action *login_act(struct login *c, enum login_act type, uint32_t id);
uint32_t login_new_id(struct login *c);
void	 login_arm(struct login *c, enum login_timer which, unsigned ms);
void	 login_disarm(struct login *c, enum login_timer which);
unsigned login_delay(struct login *c, struct backoff *b);
uint32_t login_save(struct login *c, enum login_save how);	/* the id that LE_SAVED will carry */

/* With the advice of the cause. */
void	 login_set_err(struct login *c, enum login_src s, enum cause cause, const char *text);
void	 login_advise(struct login *c, enum login_src s, const char *advice);	/* another one, after login_set_err() */
void	 login_clear_err(struct login *c, enum login_src s);

#endif
