/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_SESSION_H
#define UTIL_SESSION_H

#include "unit.h"

#include "util_parent.h"
#include "util_request.h"

/* A session of one connection with the server of a test: it answers, but a map it begins and leaves open. */
void	 hold(struct tserver *t, struct ts_request *r, void *arg);
/* Such a session with a map under way, whose first piece was received. */
void	 session_with_map(struct tparent *p, struct treq *map);

#endif
