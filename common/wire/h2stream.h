/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef H2STREAM_H
#define H2STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "request.h"

struct h2;
struct h2_stream;	/* a request */

/*
 * Opens a stream.  body: malloc'ed, now owned by h2, wiped and freed as soon as it was given to out(); it replaces
 * spec->body.  spec->authority must be set.  ops->done is the last call.  NULL: !h2_can_open(), or nghttp2 refuses;
 * body is wiped and freed.
 */
struct h2_stream *h2_open(struct h2 *h, const struct request_spec *spec, uint8_t *body, const struct request_ops *ops,
	    void *arg);
void	 h2_cancel(struct h2_stream *st);	/* RST_STREAM, no callbacks after it */
void	 h2_pause(struct h2_stream *st, int paused);	/* the bytes held are delivered by the next h2_send() */
const char *h2_header(const struct h2_stream *st, const char *name);
void	 h2_fail_all(struct h2 *h, enum request_err err, const char *why);

/* For h2.c. */
void	 h2_stream_free(struct h2_stream *st);
void	 h2_stream_detach(struct h2_stream *st);	/* no callbacks of the stream after it */
void	 h2_stream_finish(struct h2_stream *st, enum request_err err, const char *why);
void	 h2_stream_reset(struct h2_stream *st, uint32_t code);
/* Delivers to the consumer; the window opens again. */
void	 h2_stream_give(struct h2_stream *st, const uint8_t *p, size_t n);
void	 h2_stream_give_held(struct h2_stream *st);	/* what was received while it was paused */
void	 h2_give_resumed(struct h2 *h);
void	 h2_body_drop(struct h2_stream *st);

#endif
