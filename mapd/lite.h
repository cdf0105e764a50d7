/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef LITE_H
#define LITE_H

#include "mapd.h"

/*
 * Lite updates (protocol.md E.2, rows LITE): our own state to the server while the stream is open.  One is in flight;
 * what changed meanwhile is sent after it, so the last value always arrives and no older one after it.  Failures are
 * repeated with the backoff of protocol.md H.1.
 */
struct lite *lite_new(struct mapd *m);
void	 lite_free(struct lite *l);
void	 lite_stream_started(struct lite *l);	/* one is due whether or not anything changed (LITE-05) */
void	 lite_stop(struct lite *l);		/* no stream: cancel, remember what is due */
/* MAP_PARAMS or HOSTINFO were received; force: send also what the server has already. */
void	 lite_changed(struct lite *l, int force);

#endif
