/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_REQUEST_H
#define UTIL_REQUEST_H

#include "buf.h"
#include "request.h"
#include "session.h"

/* A request and what became of it, for tests. */
struct treq {
	struct request	*r;		/* NULL after done */
	unsigned	 pieces, done;
	size_t		 got;
	int		 status;
	enum request_err err;
	char		 why[300], header[64];
	struct buf	 text;		/* the first 64 KiB */
	void		(*on_head)(struct treq *r), (*on_data)(struct treq *r), (*on_done)(struct treq *r);
};

void	 tr_send(struct treq *r, struct session *s, const struct request_spec *spec);
void	 tr_post(struct treq *r, struct session *s, const char *path, const void *body, size_t n,
	    const struct pubkey *lb1, const struct pubkey *lb2);
void	 tr_cancel(struct treq *r);
void	 tr_free(struct treq *r);
void	 tr_text(struct treq *r, const char *text);		/* must be equal to the received text */

#endif
