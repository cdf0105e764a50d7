/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PING_H
#define PING_H

#include "ingest.h"
#include "mapd.h"

/*
 * PingRequests of the server (protocol.md E.10, rows PING): HEAD to the control host or through Noise, c2n through
 * Noise. They run beside the map stream and never hold it up.
 */
struct pings *pings_new(struct mapd *m);
void	 pings_free(struct pings *p);
void	 pings_handle(struct pings *p, const struct ping_request *ping);
void	 pings_ca_received(struct pings *p);	/* CA was received, or there is none */
void	 pings_stop(struct pings *p);		/* the session is closed: cancel what runs on it, and other HEADs too */

#endif
