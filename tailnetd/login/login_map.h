/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef LOGIN_MAP_H
#define LOGIN_MAP_H

#include "login.h"

/* The map session, and the expiry of the node key. */

void	 map_go(struct login *c);
int	 map_streams_short(const struct login *c);	/* live streams keep ending: a copy of the state? */
void	 map_restart(struct login *c);
void	 map_renew(struct login *c);
void	 map_drop_prepared(struct login *c);		/* it was made with values that have changed */
void	 map_drop(struct login *c);			/* logout: the netmap is dropped as well */
void	 map_on_stream(struct login *c, const struct login_event *e);
void	 map_on_gone(struct login *c);
void	 map_on_stop_timer(struct login *c);
void	 map_on_stream_timer(struct login *c);
void	 map_on_self(struct login *c, const struct login_event *e);
void	 map_on_self_timer(struct login *c);
void	 map_check_clock(struct login *c);		/* before each event: clock_delta by the last ControlTime */
void	 map_on_control_time(struct login *c, int64_t sec);
void	 expiry_check(struct login *c);
void	 expiry_on_timer(struct login *c);
void	 expiry_drop_login(struct login *c);

#endif
