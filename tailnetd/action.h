/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef ACTION_H
#define ACTION_H

#include "login.h"

/* The login machine's two sides: its actions are carried out here, what happens is fed back to it as events. */
struct parent;

void	 login_boot(struct parent *p);			/* timers, login_init() from state and configuration */
void	 login_end(struct parent *p);			/* frees the timers; nothing when there are none */
/* Runs it now, or, when an event is being run, after that one. */
void	 parent_event(struct parent *p, const struct login_event *e);
void	 parent_simple_event(struct parent *p, enum login_ev type, uint32_t id);

void	 parent_wipe_auth_key(struct parent *p);
/* The auth key for a register: explicit or from the file.  0, or -1 with a reason. */
int	 parent_auth_key(struct parent *p, enum login_authkey which, char *out, size_t outsize, size_t *len,
	    char *err, size_t errsize);
void	 parent_update_cache(struct parent *p);		/* login or netmap may have changed (cachestore.h) */

#endif
