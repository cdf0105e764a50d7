/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONNUP_H
#define CONNUP_H

#include <stddef.h>
#include <stdint.h>

struct conn;

/* A connection after the Noise handshake: records, early payload, HTTP/2 (protocol.md C.5 to C.7). */
void	 conn_leave(struct conn *c);		/* sends GOAWAY; ended() follows */
void	 conn_kick(struct conn *c);		/* sends what HTTP/2 has queued, from the event loop */
int	 conn_over_limit(const struct conn *c);	/* it ended because the server passed a limit of security.md D15 */

/* For conn.c. */
void	 connup_start(struct conn *c, const uint8_t tx[32], const uint8_t rx[32]);
void	 connup_records(struct conn *c, const uint8_t *p, size_t n);
void	 connup_flush(struct conn *c);		/* sends what HTTP/2 has queued until the stream is full */
void	 connup_settle(struct conn *c);		/* after any call that may have changed the state of HTTP/2 */
void	 connup_wipe(struct conn *c);

#endif
