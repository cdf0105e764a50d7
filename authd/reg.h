/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef REG_H
#define REG_H

#include "authd.h"

/* REGISTER: login, follow-up, logout and the probe of a doctor run. */
#define REGISTER_MS	60000		/* login and logout: the whole answer; a follow-up has no limit (FUP-01) */
#define ERROR_BODY_MS	5000		/* for the text of an error answer (REG-08) */
#define ERROR_BODY_MAX	1024

void	 reg_deadline(struct authd *a);
void	 reg_greeted(struct authd *a);		/* HTTP/2 works: the result of a PROBE */
void	 reg_settle(void *arg);
void	 reg_abandon(struct authd *a);		/* closes the connection, without a result */

#endif
