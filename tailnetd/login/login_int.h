/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef LOGIN_INT_H
#define LOGIN_INT_H

#include "login.h"

/* Between login.c, login_auth.c, login_logout.c and login_map.c. */

struct login_action *login_act(struct login *c, enum login_act type, uint32_t id);
uint32_t login_new_id(struct login *c);
void	 login_arm(struct login *c, enum login_timer which, unsigned ms);
void	 login_disarm(struct login *c, enum login_timer which);
unsigned login_delay(struct login *c, struct backoff *b);
void	 login_set_err(struct login *c, enum login_src s, const char *text);
void	 login_advise(struct login *c, enum login_src s, const char *advice);	/* after login_set_err(); a literal, kept */
void	 login_advise_way(struct login *c, enum login_src s);	/* what did not work was the way to the server */
void	 login_clear_err(struct login *c, enum login_src s);
uint32_t login_save(struct login *c, enum login_save how);
void	 login_start(struct login *c);		/* as the configuration says, if there is nothing else to do */

/* login_auth.c */
void	 auth_go(struct login *c);			/* do what the goal wants, unless it is being done */
void	 auth_stop(struct login *c);			/* cancel what runs and what waits */
void	 auth_new_goal(struct login *c, const struct login_goal *g);
void	 auth_new_goal_after(struct login *c, const struct login_goal *g, unsigned ms);
void	 auth_drop_candidate(struct login *c);
void	 auth_login(struct login *c, const struct login_goal *g);
void	 auth_end_goal(struct login *c);
void	 auth_on_key(struct login *c, const struct login_event *e);
void	 auth_on_reg(struct login *c, const struct login_event *e);
void	 auth_on_gone(struct login *c);
void	 auth_on_saved(struct login *c, uint32_t id, int ok, const char *err);
void	 auth_on_save_timer(struct login *c);
void	 auth_key_ok(struct login *c);			/* a handshake with the pinned key worked */
void	 auth_suspect(struct login *c);

/* login_logout.c */
void	 auth_logout(struct login *c, int force);
void	 auth_on_logout_timer(struct login *c);
void	 auth_logout_failed(struct login *c, const char *err);
void	 auth_erase(struct login *c);			/* the server has been told, or is not to be waited for */
void	 auth_erased(struct login *c, int saved, const char *err);

/* login_map.c */
void	 map_go(struct login *c);
void	 map_restart(struct login *c);
void	 map_drop_prepared(struct login *c);		/* it was made with what is no more */
void	 map_drop(struct login *c);			/* logout: the netmap is forgotten, too */
void	 map_on_stream(struct login *c, const struct login_event *e);
void	 map_on_gone(struct login *c);
void	 map_on_stop_timer(struct login *c);
void	 map_on_self(struct login *c, const struct login_event *e);
void	 map_on_self_timer(struct login *c);
void	 map_on_control_time(struct login *c, int64_t sec);
void	 expiry_check(struct login *c);
void	 expiry_on_timer(struct login *c);
void	 expiry_drop_login(struct login *c);

#endif
