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
#include "timer.h"

/* Internals of conn.c (until the handshake has finished) and connup.c (after it). */
#define IN_MAX		(HTTP1_HEAD_MAX + 65536)

enum state {
	ST_NEW, ST_DIAL, ST_TRANSPORT, ST_HS_BEGIN, ST_UPGRADE, ST_RESPONSE, ST_HS_FINISH, ST_EARLY, ST_H2, ST_OVER
};

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
	struct timer	 later;
	struct buf	 in;		/* before Noise works: bytes not understood yet */
	struct noiserec	*rec;
	struct early	 early;
	struct h2	*h2;
	uint8_t		*stage;		/* plaintext of the next record */
	size_t		 staged;
	struct buf	 sealed;
	char		 where[300];
	char		 step[340];
	char		 why[480];
	int		 handshake;	/* the owner works on ours */
	enum cause	 cause;
	int		 up;		/* established() was called */
	int		 busy, dead;
};

#endif
