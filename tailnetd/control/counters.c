/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "counters.h"

void
counters_mapd_gone(struct counters *c)
{
	c->before.msgs_full += c->mapd.msgs_full;
	c->before.msgs_delta += c->mapd.msgs_delta;
	c->before.msgs_keepalive += c->mapd.msgs_keepalive;
	c->before.bytes_wire += c->mapd.bytes_wire;
	c->before.bytes_decoded += c->mapd.bytes_decoded;
	c->before.lite_ok += c->mapd.lite_ok;
	c->before.lite_failed += c->mapd.lite_failed;
	memset(&c->mapd, 0, sizeof(c->mapd));
	c->map_open_ms = 0;
}
