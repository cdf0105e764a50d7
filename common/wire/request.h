/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef REQUEST_H
#define REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "keytext.h"

/* Requests of a session: queued until a connection has room, one HTTP/2 stream each (protocol.md C.7). */
struct conn;
struct request;
struct session;

enum request_err { REQ_OK, REQ_TRANSPORT, REQ_RESET, REQ_TOO_LARGE, REQ_TIMEOUT,
	REQ_GOAWAY /* not processed: safe to repeat */,
	REQ_LIMIT /* as REQ_TRANSPORT: the server passed a limit of the connection (security.md D15) */ };
struct request_ops {
	void	(*head)(void *arg, int status);			/* final status only; headers via request_header() */
	int	(*data)(void *arg, const uint8_t *p, size_t n);	/* -1: stop, reset the stream; no done(), r is freed */
	void	(*done)(void *arg, enum request_err err, const char *why);	/* last call; r is freed after it */
};
struct request_spec {
	const char	*method;		/* "POST", "HEAD" */
	const char	*path;			/* absolute; the prefix is not added for you: see session_path() */
	const char	*authority;		/* NULL: that of the configuration */
	const struct pubkey *lb[2];		/* ts-lb: node keys in this order; NULL or zero: left out (C.7) */
	const void	*body;			/* copied; wiped after it was encrypted */
	size_t		 body_len;
	size_t		 max_answer;		/* body bytes; 0 = no limit (map stream) */
	unsigned	 timeout_ms;		/* from now to done(REQ_TIMEOUT); 0 = none */
};
/* Queued if the session is still connecting (session_connect() is implied).  NULL (EINVAL): forbidden bytes
 * in the method, path or authority. */
struct request *session_request(struct session *s, const struct request_spec *spec, const struct request_ops *ops,
	    void *arg);
void	 request_cancel(struct request *r);		/* RST_STREAM, no callback */
/* Value of an answer header ("retry-after"), lower-case name; NULL if absent.  Valid from head() to done(). */
const char *request_header(const struct request *r, const char *name);
/*
 * Stop and resume reading this stream: while paused (Debug sleep) windows are not replenished and data() is not called,
 * unless the stream ends meanwhile.
 */
void	 request_pause(struct request *r, int paused);

/* For session.c. */
int	 request_open(struct request *r, struct conn *c);	/* -1: failed, done() was called, r is freed */
void	 request_fail(struct request *r, enum request_err err, const char *why);
void	 request_drop(struct request *r);		/* no callback */

#endif
