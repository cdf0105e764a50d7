/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

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

void
session_with_map(struct tparent *p, struct treq *map)
{
	tp_init(p, "192.0.2.7");
	p->plan[WIRE_DIAL_CLEAR].on_request = hold;
	tp_session(p);
	tr_post(map, p->s, "/machine/map", "{}", 2, NULL, NULL);
	assert_true(tp_wait(p, &map->pieces, 1, 10000));
}
