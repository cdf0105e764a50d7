/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PING_H
#define PING_H

#include "buf.h"
#include "ingest.h"
#include "mapd.h"
#include "url.h"

/*
 * PingRequests of the server (protocol.md E.10, rows PING): HEAD to the control host or through Noise, c2n through Noise.
 * They run beside the map stream and never hold it up.
 */
struct pings *pings_new(struct mapd *m);	/* NULL: out of memory */
void	 pings_free(struct pings *p);
void	 pings_handle(struct pings *p, const struct ping_request *ping);
void	 pings_ca_came(struct pings *p);
void	 pings_stop(struct pings *p);		/* the session goes away: forget what runs on it, and HEADs elsewhere too */

#endif
