/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef NETMAP_INFO_H
#define NETMAP_INFO_H

#include <stdint.h>

#include "msgs.h"

/* What mapd reported of the netmap, for status, metrics and the cache; never its contents. */
struct netmap_info {
	enum ipc_source	 source;
	uint64_t	 seq;		/* only ever grows, also over a restart of mapd (interface.md 5) */
	uint32_t	 peers, online;
	uint64_t	 received_ms;	/* monotonic, of the last change; 0 = none */
	uint64_t	 cached_age_ms;	/* how old it was then already: it was read from the cache */
	int		 dropped;	/* logged out: what mapd still reports of the old one is not shown */
	int		 have_self;
	struct ipc_self	 self;
};

/* There is no netmap now; seq and dropped stay. */
void	 netmap_info_reset(struct netmap_info *nm);

#endif
