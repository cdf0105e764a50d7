/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_FAKESERVER_H
#define UTIL_FAKESERVER_H

#include <nghttp2/nghttp2.h>

#include "unit.h"

#include "buf.h"
#include "noiserec.h"

/*
 * The server's end of one ts2021 connection without the cryptography of the handshake: upgrade head, 51 bytes of
 * response, Noise records with given keys, HTTP/2 by nghttp2's server side.  In plain mode it only collects bytes.
 */
#define FS_STREAMS 32

struct fs_stream {
	int32_t		 id;
	char		 method[16], path[512], authority[300], lb[2][100];
	unsigned	 nlb;
	struct buf	 body;		/* of the request */
	int		 ended;		/* the request is complete */
	int		 closed;	/* the stream is */
	uint32_t	 code;		/* why: 0 = in peace */
	struct buf	 out;		/* of the answer */
	int		 eof;
};

struct fakeserver {
	int		 fd, plain, upgraded;
	struct event	*rd, *wr;
	struct buf	 in;		/* plain mode: all received data; else the upgrade head */
	struct buf	 wire;		/* waits to be written */
	struct noiserec	 rec;
	nghttp2_session	*h2;
	struct fs_stream streams[FS_STREAMS];
	unsigned	 nstreams;
	int		 gone;		/* the client closed the connection */
};

void	 fs_flush(struct fakeserver *fs);
/* What HTTP/2 has to say, sealed. */
void	 fs_pump(struct fakeserver *fs);
struct fakeserver *fs_new(struct event_base *base, int fd, const uint8_t tx[32], const uint8_t rx[32], int plain);
/* The connection goes; what was recorded stays until fs_free(). */
void	 fs_drop(struct fakeserver *fs);
void	 fs_free(struct fakeserver *fs);
/* Answer's head and first bytes; more with fs_more(). */
void	 fs_answer(struct fakeserver *fs, struct fs_stream *st, const char *status, const char *retry_after,
	    const void *p, size_t n, int eof);
void	 fs_more(struct fakeserver *fs, struct fs_stream *st, const void *p, size_t n, int eof);
const char *fs_body(struct fs_stream *st);

#endif
