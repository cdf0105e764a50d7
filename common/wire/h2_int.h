/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef H2_INT_H
#define H2_INT_H

#include <nghttp2/nghttp2.h>
#include <sys/queue.h>

#include "buf.h"
#include "h2.h"
#include "h2guard.h"

/* Internals of h2.c (the connection) and h2stream.c (requests). */
struct h2_stream {
	TAILQ_ENTRY(h2_stream) link;
	struct h2	*h;
	int32_t		 id;
	struct request_ops ops;
	void		*arg;
	int		 detached;		/* no callbacks to its owner from now on */
	uint8_t		*body;
	size_t		 body_len, body_off;
	uint64_t	 max, got;
	int		 status;		/* of the head being read */
	int		 final;			/* final head was delivered */
	int		 ended;			/* END_STREAM seen */
	int		 too_large, encoded;
	size_t		 head_bytes;		/* of the header list being read */
	struct buf	 headers;		/* "name\0value\0" of the final head */
	int		 paused;
	struct buf	 held;			/* received while paused */
};

TAILQ_HEAD(h2_streams, h2_stream);

struct h2 {
	nghttp2_session	*ng;
	h2_out		 out;
	void		*arg;
	struct h2guard	 guard;
	struct h2_streams streams;
	unsigned	 active;		/* streams not detached */
	unsigned	 nstreams;
	uint64_t	 now;
	int		 goaway;		/* no new requests */
	int		 dead;			/* no more input */
	int		 settings;		/* the server's SETTINGS were received */
	int		 broken;		/* nghttp2 failed: only deletion is allowed */
	int		 full;
	int		 resumed;		/* a stream was resumed after a pause: its bytes are due */
	int		 limit;			/* the error is that the headers are too large */
	int		 in_call, freed;
	char		 error[200];
};

#endif
