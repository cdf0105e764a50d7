/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef STREAM_H
#define STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "cause.h"

/*
 * A connected descriptor as a byte stream, through an optional proxy CONNECT and an optional TLS: the only file of wire
 * that reads and writes.  Only read(2), write(2), shutdown(2) and close(2) are used on the descriptor; nothing blocks.
 * Callbacks may close the stream; after `closed` it must be closed.
 */
struct event_base;
struct stream;
struct trust;

#define STREAM_OUT_MAX	(256u * 1024)	/* more unsent bytes than this is an error */
#define STREAM_OUT_FULL	(64u * 1024)	/* stream_full() */
#define STREAM_TLS_MS	15000		/* for the TLS handshake (security.md D15) */

struct stream_ops {
	void	(*ready)(void *arg);		/* proxy and TLS are done: write what you like */
	void	(*data)(void *arg, const uint8_t *p, size_t n);
	void	(*drained)(void *arg);		/* the queue was full and has room again */
	/* why: NULL = the peer ended the stream (whole: with TLS it sent close_notify); else one line, e.g.
	 * "TLS handshake with h:443 failed: .." */
	void	(*closed)(void *arg, const char *why, int whole);
};

struct stream_spec {
	int		 fd;			/* connected, non-blocking; owned by the stream from now on */
	const char	*host;			/* without brackets: CONNECT target, SNI, certificate name */
	unsigned	 port;
	int		 via_proxy;
	const char	*proxy_auth;
	int		 tls;
	const struct trust *trust;		/* tls: NULL = camouflage */
	unsigned	 tls_ms;		/* 0: STREAM_TLS_MS */
};

/* NULL: TLS cannot be set up, fd is closed.  The first callback comes from the event loop. */
struct stream *stream_new(struct event_base *base, const struct stream_spec *spec, const struct stream_ops *ops,
	    void *arg);
/* Closes for real at once (what is queued gets one try) and makes no callbacks. */
void	 stream_close(struct stream *s);
int	 stream_write(struct stream *s, const uint8_t *p, size_t n);	/* -1: closed() will come from the event loop */
int	 stream_full(const struct stream *s);
/* Stop and go on reading the descriptor.  data() may still come for bytes read before. */
void	 stream_pause(struct stream *s, int paused);
enum cause stream_cause(const struct stream *s);	/* during closed(), of its why */
/* What it is busy with before ready(), for people: "TLS handshake with h:443". */
const char *stream_step(const struct stream *s);
/* After ready(): what a verifier would object to in the certificate of a camouflage TLS, or NULL. */
const char *stream_remark(const struct stream *s);

#endif
