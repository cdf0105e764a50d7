/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef FETCH_H
#define FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "session.h"

/*
 * One bounded HTTP/1.1 request outside Noise, to the control URL's own host and port: GET /key and HEAD pings
 * (protocol.md B, E.10).  https: certificate chain and host name verified against the given trust anchors, no
 * downgrade.  Redirects: at most 3, only to the same scheme, host and port.  The connection is closed at the end
 * (KEY-06).
 */
struct event_base;
struct fetch;
struct trust;

struct fetch_ops {
	void	(*dial)(void *arg, uint32_t id, enum wire_dial kind, uint32_t candidate);
	void	(*dial_cancel)(void *arg, uint32_t id);
	void	(*step)(void *arg, enum wire_step what, enum wire_dial kind);	/* NULL = not of interest */
	/*
	 * Last call; f is freed after it.  status 0: no usable answer, err says why (and names the HTTP status if
	 * there was one).  Else err is NULL for 2xx and "HTTP 404 Not Found" for others.  body is not terminated;
	 * lives during the call.
	 */
	void	(*done)(void *arg, int status, const uint8_t *body, size_t n, const char *err);
};
/*
 * timeout_ms covers everything from now on.  body_max: larger answers are an error.  trust (counted) may be NULL for
 * http.
 */
struct fetch *fetch_start(struct event_base *base, const struct wire_config *cfg, struct trust *trust,
	    const char *method, const char *path, size_t body_max, unsigned timeout_ms, const struct fetch_ops *ops,
	    void *arg);
void	 fetch_dialled(struct fetch *f, uint32_t id, int fd, const char *errtext);
enum cause fetch_cause(const struct fetch *f);	/* during done() with an err: its cause */
void	 fetch_cancel(struct fetch *f);		/* no callback */

#endif
