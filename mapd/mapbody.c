/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "mapbody.h"
#include "maprequest.h"

void
mapbody_path(const struct mapd *m, char out[MAP_PATH_MAX])
{
	snprintf(out, MAP_PATH_MAX, "%s/machine/map", child_wire_config(m->c)->prefix);
}

int
mapbody_build(const struct mapd *m, int lite, struct buf *out)
{
	struct map_endpoint ep[IPC_MAX_ENDPOINTS];
	struct map_request r = {
		.capver = child_wire_config(m->c)->capver,
		.lite = lite,
		.node_key = m->node_key,
		.disco_key = m->params.disco_key,
		.endpoints = ep,
		.nendpoints = m->params.n,
		.ip_forwarding_broken = m->params.ip_forwarding_broken != 0,
	};
	uint32_t i;

	for (i = 0; i < m->params.n; i++) {
		const struct ipc_endpoint *e = &m->params.ep[i];

		ep[i] = (struct map_endpoint){ .port = e->port, .family = e->family, .type = e->type };
		memcpy(ep[i].addr, e->addr, sizeof(ep[i].addr));
	}
	r.hostinfo = child_hostinfo(m->c, &r.hostinfo_len);
	return maprequest_build(out, &r);
}
