/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONN_INT_H
#define CONN_INT_H

#include "buf.h"
#include "conn.h"
#include "early.h"
#include "http1.h"
#include "noiserec.h"
#include "stream.h"

/* Inside of conn.c (until the handshake is finished) and connup.c (after it). */
#define IN_MAX		(HTTP1_HEAD_MAX + 65536)

enum state { ST_NEW, ST_DIAL, ST_TRANSPORT, ST_HS_BEGIN, ST_UPGRADE, ST_RESPONSE, ST_HS_FINISH, ST_EARLY, ST_H2, ST_OVER };

struct conn {
	const struct wire_config *cfg;
	struct event_base *base;
	struct conn_ops	 ops;
	void		*arg;
	uint32_t	 id, candidate;
	enum wire_dial	 kind;
	unsigned	 port, tls_ms;
	enum state	 state;
	struct stream	*stream;
	struct event	*later;
	struct buf	 in;		/* before Noise works: bytes not understood yet */
	struct noiserec	*rec;
	struct early	 early;
	struct h2	*h2;
	uint8_t		*stage;		/* plaintext on its way into a record */
	size_t		 staged;
	struct buf	 sealed;
	char		 where[300];
	char		 step[340];
	char		 why[480];
	int		 handshake;	/* the owner works on ours */
	int		 suspect;
	int		 up;		/* established() was called */
	int		 busy, dead;
};

/* The one way a connection goes wrong: told from the event loop, whoever is on the stack now. */
void	 conn_fail(struct conn *c, int suspect, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

void	 connup_start(struct conn *c, const uint8_t tx[32], const uint8_t rx[32]);
void	 connup_records(struct conn *c, const uint8_t *p, size_t n);
void	 connup_flush(struct conn *c);		/* everything HTTP/2 has to say, as far as the queue takes it */
void	 connup_settle(struct conn *c);		/* after anything that may have moved HTTP/2 on */
void	 connup_wipe(struct conn *c);

#endif
