/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SESSIONRUN_H
#define SESSIONRUN_H

#include "unit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls.h"
#include "util_parent.h"
#include "util_request.h"

/* A session of one connection with the server of a test. */
#define SR_USED __attribute__((unused))

static SR_USED void
hold(struct tserver *t, struct ts_request *r, void *arg)
{
	(void)arg;
	if (strcmp(r->path, "/machine/map") == 0)
		ts_answer(t, r->id, 200, NULL, NULL, "first", 5, 1);
	else
		ts_answer(t, r->id, 200, NULL, NULL, "done", 4, 0);
}

#endif
