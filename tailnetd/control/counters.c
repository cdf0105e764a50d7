/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "counters.h"

void
counters_mapd_gone(struct counters *c)
{
#define C(member) c->before.member += c->mapd.member;
	COUNTERS_MAPD(C)
#undef C
	memset(&c->mapd, 0, sizeof(c->mapd));
	c->map_open_ms = 0;
}
