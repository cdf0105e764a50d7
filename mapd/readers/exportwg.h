/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EXPORTWG_H
#define EXPORTWG_H

#include "export.h"

struct wgconf_options {
	int		 accept_routes;
	unsigned	 listen_port;
	int		 has_interface;		/* the "[Interface]" line was written already */
	const struct ipc_map_params *host;	/* its addresses; NULL: unknown.  Outlives the export */
	const char	*exit_node;		/* "" = none: name, address or StableID */
};

/* 0, -1: no netmap */
int	 export_wgconf(struct exporter *x, struct netmap *nm, const struct wgconf_options *o, struct pb *out);
/* 1 = there is more (it may have been a piece of the scan that wrote nothing). */
int	 exportwg_more(struct exporter *x, struct pb *out, size_t about);

#endif
