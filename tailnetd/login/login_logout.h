/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef LOGIN_LOGOUT_H
#define LOGIN_LOGOUT_H

#include "login.h"

/* Logging out, and what is erased by it. */

void	 auth_logout(struct login *c, int force);
void	 auth_on_logout_timer(struct login *c);
void	 auth_logout_failed(struct login *c, const char *err);
void	 auth_erase(struct login *c);			/* the server is informed, or not waited for */
void	 auth_erased(struct login *c, int saved, const char *err);

#endif
