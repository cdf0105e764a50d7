/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_SESSION_H
#define UTIL_SESSION_H

#include "unit.h"

#include "tls.h"
#include "util_parent.h"
#include "util_request.h"

/* A session of one connection with the server of a test. */

void	 hold(struct tserver *t, struct ts_request *r, void *arg);

#endif
