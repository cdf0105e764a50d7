/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PING_H
#define PING_H

#include "buf.h"
#include "ingest.h"
#include "mapd.h"

/*
 * PingRequests of the server (protocol.md E.10, rows PING): HEAD to the control host or through Noise, c2n through Noise.
 * They run beside the map stream and never hold it up.
 */
struct pings *pings_new(struct mapd *m);	/* NULL: out of memory */
void	 pings_free(struct pings *p);
void	 pings_handle(struct pings *p, const struct ping_request *ping);
void	 pings_ca_came(struct pings *p);
void	 pings_stop(struct pings *p);		/* the session goes away: forget what runs on it, and HEADs elsewhere too */

/* --- pure parts --- */

struct ping_url {			/* parts of an absolute http or https URL */
	int		 https;
	char		 host[IPC_HOST_MAX];	/* lower case, no brackets */
	unsigned	 port;			/* given or the scheme's */
	char		 authority[IPC_HOST_MAX];
	char		 path[IPC_URL_MAX];	/* with query, without fragment; at least "/" */
};
int	 ping_url_parse(const char *url, struct ping_url *u);	/* 0 / -1 */

#endif
