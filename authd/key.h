/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef KEY_H
#define KEY_H

#include "authd.h"

/* KEY_FETCH: GET /key?v= (protocol.md B.1). */
#define KEY_FETCH_MS	15000		/* the whole fetch: dialling, TLS, redirects, body */

void	 key_ca_came(struct authd *a);
void	 key_deadline(struct authd *a);
void	 key_abandon(struct authd *a);		/* without a result */

#endif
