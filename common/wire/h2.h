/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef H2_H
#define H2_H

#include <stddef.h>
#include <stdint.h>

#include "request.h"

/*
 * An HTTP/2 client connection without I/O (protocol.md C.7, rows H2, security.md D15): plaintext in, plaintext out,
 * requests as streams.  Callbacks of streams come from h2_recv(), h2_send() and h2_fail_all(); they may call h2_open(),
 * h2_cancel() and h2_pause(), but not the functions that move bytes.
 */
#define H2_STREAM_WINDOW (4 * 1024 * 1024)
#define H2_CONN_WINDOW	 (16 * 1024 * 1024)
#define H2_MAX_STREAMS	 8
#define H2_HEADER_LIST_MAX 16384
#define H2_BUDGET	 100		/* control frames ... */
#define H2_BUDGET_MS	 10000		/* ... in any such span */
#define H2_MAX_CONTINUATION 8
#define H2_MAX_SETTINGS	 32

struct h2;

/*
 * Plaintext for the peer.  1: accepted, stop here (the queue is long); 0: accepted, continue; -1: refused, the
 * connection is over.
 */
typedef int (*h2_out)(void *arg, const uint8_t *p, size_t n);

struct h2 *h2_new(h2_out out, void *arg);
/* No callbacks; may be called from one: then the memory is freed when the call returns. */
void	 h2_free(struct h2 *h);

/*
 * Bytes from the peer; now_ms from a monotonic clock.  -1: connection error, see h2_error(); send what is queued, then
 * close.
 */
int	 h2_recv(struct h2 *h, const uint8_t *p, size_t n, uint64_t now_ms);
/* Gives the queued bytes to out().  0, or -1 when out() returned -1 or nghttp2 refuses. */
int	 h2_send(struct h2 *h);
int	 h2_wants_send(const struct h2 *h);
void	 h2_goaway(struct h2 *h);	/* queue a GOAWAY: we are leaving */

/* May a new request go here now?  0 also when the server's or our own limit of streams is reached. */
int	 h2_can_open(const struct h2 *h);
int	 h2_greeted(const struct h2 *h);		/* the server's SETTINGS were received */
int	 h2_server_full(const struct h2 *h);	/* ... because of the server's limit */
int	 h2_draining(const struct h2 *h);	/* GOAWAY came (or an error): no new requests, ever */
int	 h2_over(const struct h2 *h);		/* nothing more can happen: close it */
unsigned h2_active(const struct h2 *h);		/* requests that still have their closed() before them */
const char *h2_error(const struct h2 *h);	/* one line; "" while all is well */
int	 h2_over_limit(const struct h2 *h);	/* the error is that a limit of security.md D15 was passed */

/* For h2.c and h2stream.c: h2_free() waits for the last h2_leave(). */
void	 h2_enter(struct h2 *h);
void	 h2_leave(struct h2 *h);

#endif
