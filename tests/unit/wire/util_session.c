/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "tls.h"
#include "unit.h"
#include "util_parent.h"
#include "util_request.h"
#include "util_session.h"

void
hold(struct tserver *t, struct ts_request *r, void *arg)
{
	(void)arg;
	if (strcmp(r->path, "/machine/map") == 0)
		ts_answer(t, r->id, 200, NULL, NULL, "first", 5, 1);
	else
		ts_answer(t, r->id, 200, NULL, NULL, "done", 4, 0);
}
