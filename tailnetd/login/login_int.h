/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef LOGIN_INT_H
#define LOGIN_INT_H

#include "login.h"

/* Between login.c, login_auth.c, login_logout.c and login_map.c. */

struct client_action *client_act(struct client *c, enum client_act type, uint32_t id);
uint32_t client_new_id(struct client *c);
void	 client_arm(struct client *c, enum client_timer which, unsigned ms);
void	 client_disarm(struct client *c, enum client_timer which);
unsigned client_delay(struct client *c, struct backoff *b);
void	 client_set_err(struct client *c, enum client_src s, const char *text);
void	 client_advise(struct client *c, enum client_src s, const char *advice);	/* after client_set_err(); a literal, kept */
void	 client_advise_way(struct client *c, enum client_src s);	/* what did not work was the way to the server */
void	 client_clear_err(struct client *c, enum client_src s);
uint32_t client_save(struct client *c, enum client_save how);
void	 client_start_login(struct client *c);		/* as the configuration says, if there is nothing else to do */

/* login_auth.c */
void	 auth_go(struct client *c);			/* do what the goal wants, unless it is being done */
void	 auth_stop(struct client *c);			/* cancel what runs and what waits */
void	 auth_new_goal(struct client *c, const struct client_goal *g);
void	 auth_new_goal_after(struct client *c, const struct client_goal *g, unsigned ms);
void	 auth_drop_candidate(struct client *c);
void	 auth_login(struct client *c, const struct client_goal *g);
void	 auth_end_goal(struct client *c);
void	 auth_on_key(struct client *c, const struct client_event *e);
void	 auth_on_reg(struct client *c, const struct client_event *e);
void	 auth_on_gone(struct client *c);
void	 auth_on_saved(struct client *c, uint32_t id, int ok, const char *err);
void	 auth_on_save_timer(struct client *c);
void	 auth_key_ok(struct client *c);			/* a handshake with the pinned key worked */
void	 auth_suspect(struct client *c);

/* login_logout.c */
void	 auth_logout(struct client *c, int force);
void	 auth_on_logout_timer(struct client *c);
void	 auth_logout_failed(struct client *c, const char *err);
void	 auth_erase(struct client *c);			/* the server has been told, or is not to be waited for */
void	 auth_erased(struct client *c, int saved, const char *err);

/* login_map.c */
void	 map_go(struct client *c);
void	 map_restart(struct client *c);
void	 map_drop_prepared(struct client *c);		/* it was made with what is no more */
void	 map_drop(struct client *c);			/* logout: the netmap is forgotten, too */
void	 map_on_stream(struct client *c, const struct client_event *e);
void	 map_on_gone(struct client *c);
void	 map_on_stop_timer(struct client *c);
void	 map_on_self(struct client *c, const struct client_event *e);
void	 map_on_self_timer(struct client *c);
void	 map_on_control_time(struct client *c, int64_t sec);
void	 expiry_check(struct client *c);
void	 expiry_on_timer(struct client *c);
void	 expiry_drop_login(struct client *c);

#endif
