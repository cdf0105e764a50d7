/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_SERVER_H
#define UTIL_SERVER_H

#include <event2/event.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "noiserec.h"

/*
 * The server's end of one connection, for tests: it reads the upgrade, answers the Noise handshake and uses HTTP/2
 * with nghttp2 or whatever bytes the test wants.  It can misbehave at each layer.
 */
#define TS_SERVER_SEED	0x33		/* private key: 32 times this byte */
#define TS_CLIENT_SEED	0x11
#define TS_VERSION	131
#define TS_OK_HEAD	"HTTP/1.1 101 Switching Protocols\r\n" \
	"Upgrade: tailscale-control-protocol\r\nConnection: upgrade\r\n\r\n"

struct tserver;

struct ts_request {			/* a complete request */
	int32_t		 id;
	char		 method[16], path[256], authority[256], scheme[16];
	char		 lb[4][128];	/* values of ts-lb in order */
	unsigned	 nlb, nfields;
	struct buf	 body;
	struct buf	 answer;	/* body still to be sent */
	int		 more;		/* ... and it continues */
};

struct ts_plan {			/* how a connection behaves; zero = well */
	int		 silent;	/* reads and never answers */
	const char	*head;		/* instead of TS_OK_HEAD */
	int		 hang_after_head, close_after_head;
	int		 flip;		/* 1 + index of the response byte to change */
	const uint8_t	*raw_response;	/* instead of the Noise response */
	size_t		 raw_response_len;
	int		 other_key;	/* answers with another static key */
	const char	*early;		/* JSON of an early payload */
	int		 wait_preface;	/* sends no HTTP/2 before it has the client's preface */
	int		 raw;		/* no nghttp2: ts_send_plain() only */
	size_t		 chunk;		/* write at most this number of bytes per turn; 0 = all at once */
	size_t		 cut;		/* 1 + bytes on the wire after which the connection is dropped */
	uint32_t	 max_streams;	/* SETTINGS_MAX_CONCURRENT_STREAMS; 0 = 100 */
	SSL_CTX		*tls;
	int		 proxy;		/* answers a CONNECT first */
	const char	*http;		/* a plain HTTP server: this is the answer to any request */
	int		 http_keep;	/* ... and it does not close */
	void		(*on_request)(struct tserver *t, struct ts_request *r, void *arg);
	void		*arg;
};

struct tserver {
	struct event_base *base;
	struct ts_plan	 plan;
	int		 fd;
	struct event	*rd, *wr;
	SSL		*ssl;
	int		 state;
	struct buf	 in, out;	/* after / before TLS */
	struct buf	 wire;		/* for the descriptor */
	struct buf	 seen;		/* everything before Noise, and for plain HTTP */
	struct noiserec	 rec;
	nghttp2_session	*ng;
	struct ts_request *open[64];	/* by stream id / 2 */
	unsigned	 requests, records;
	size_t		 written;
	size_t		 max_record;
	int		 eof;		/* the client has closed */
	int		 stop_reading;
	int		 got_goaway, rsts;
	uint64_t	 plain_bytes;
	uint8_t		 init[101];
	char		 sni[64], alpn[64];
};

struct tserver *ts_new(struct event_base *base, int fd, const struct ts_plan *plan);
void	 ts_free(struct tserver *t);
void	 ts_close(struct tserver *t);			/* EOF for the client */
void	 ts_send_plain(struct tserver *t, const void *p, size_t n);	/* one or more records */
void	 ts_send_wire(struct tserver *t, const void *p, size_t n);	/* below Noise */
void	 ts_flush(struct tserver *t);
/* n bytes of body from memory (copied); more: the stream stays open for ts_more(). */
void	 ts_answer(struct tserver *t, int32_t id, int status, const char *extra_name, const char *extra_value,
	    const void *body, size_t n, int more);
void	 ts_more(struct tserver *t, int32_t id, const void *p, size_t n, int more);

SSL_CTX	*ts_tls_context(const char *san, int days, char **pem);	/* self-signed; *pem (may be NULL) is malloc'ed */

#endif
