/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DIRECTIVE_H
#define DIRECTIVE_H

#include "dict.h"
#include "ingest.h"

/* Members of a message that are not part of the map, turned into what ingest_side() shows. */
struct side {
	struct ingest_side	 pub;
	struct ingest_ping	 ping;
	struct ipc_dial_plan	 plan;
	char			*browse, *url, *types, *ip;
	uint8_t			*payload;
};
/* name is a NM_ of MapResponse, v its packed value (not null).  1 = it was one of ours, 0 = not, -1 = out of memory. */
int	 side_member(struct side *s, unsigned name, const uint8_t *v, const struct dict *d);
void	 side_clear(struct side *s);

#endif
