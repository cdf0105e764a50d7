/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MAPREQUEST_H
#define MAPREQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "keytext.h"

/* POST /machine/map: the body of a map poll and of a lite update, both complete (protocol.md E.1, E.2). */
#define MAP_REQUEST_MAX	(1u << 20)		/* servers read no more (C.7) */

struct map_endpoint {
	uint8_t		addr[16];		/* network order; 4 bytes used for family 4 */
	uint16_t	port;			/* host order */
	uint8_t		family;			/* 4 or 6 */
	uint8_t		type;			/* EndpointTypes (F.3) */
};

struct map_request {
	unsigned	 capver;
	int		 lite;			/* OmitPeers instead of Stream */
	struct pubkey	 node_key, disco_key;	/* disco may be zero */
	const char	*hostinfo;		/* a JSON object */
	size_t		 hostinfo_len;
	const struct map_endpoint *endpoints;	/* link-local, unspecified and multicast ones are left out (F.3) */
	size_t		 nendpoints;
	int		 ip_forwarding_broken;	/* DebugFlags (LITE-07) */
};

/* Appends to out.  0, or -1 with errno (ENOBUFS, ENOMEM). */
int	 maprequest_build(struct buf *out, const struct map_request *r);

#endif
