/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef REGISTER_H
#define REGISTER_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "keytext.h"
#include "url.h"

/* POST /machine/register: the request's body and what its answer means (protocol.md D). */

#define REGISTER_MAX_ANSWER	(1u << 20)	/* protocol.md D, REG-07 */
#define REGISTER_MAX_ERRTEXT	200		/* bytes of foreign text shown (D.3, REG-08) */
#define WIRE_NAME_MAX		256

struct register_request {
	unsigned	 capver;
	struct pubkey	 node_key, old_node_key;	/* old may be zero */
	int		 logout;			/* Expiry = Unix second 123 (D.6) */
	int		 ephemeral;			/* sent with an initial request only (D.5) */
	const char	*followup;			/* "" = none; need not be terminated */
	size_t		 followup_len;
	const char	*auth_key;			/* secret; length 0 = the request has no Auth member (REG-03) */
	size_t		 auth_key_len;
	const char	*hostinfo;			/* a JSON object */
	size_t		 hostinfo_len;
};

/*
 * Write the body into out, which the caller has buf_init()ed.  The memory is reserved in one piece, so that no stale
 * copy of the auth key stays behind; end with register_wipe().  0, or -1 with errno (ENOBUFS, ENOMEM).
 */
int	 register_build(struct buf *out, const struct register_request *r);
void	 register_wipe(struct buf *out);		/* zeroes and frees */

enum register_outcome {
	REGISTER_OK,
	REGISTER_URL,		/* visit url */
	REGISTER_KEY_EXPIRED,
	REGISTER_REFUSED,	/* Error: err is the server's text */
	REGISTER_LIMITED,	/* 429: wait retry_after_ms; err is the server's text */
	REGISTER_HTTP,		/* another status: err holds it and the body's beginning */
	REGISTER_BAD		/* the answer cannot be used: err says why */
};
struct register_answer {		/* texts are terminated, escaped by text_sanitize() where they are for people */
	enum register_outcome outcome;
	int		 status;
	uint32_t	 retry_after_ms;
	int		 machine_authorized;
	int64_t		 user_id, login_id;
	char		 login_name[WIRE_NAME_MAX + 1], display_name[WIRE_NAME_MAX + 1];
	char		 profile_pic[URL_MAX + 1], url[URL_MAX + 1];
	char		 err[REGISTER_MAX_ERRTEXT * 2 + 1];
};

/*
 * Judge an answer in the order of D.3.  body is the whole body, for status 200 at most REGISTER_MAX_ANSWER bytes;
 * retry_after is the header or NULL, now the wall clock in Unix seconds (for its date form).  https: scheme of the
 * control URL (INT-05).
 */
void	 register_judge(struct register_answer *a, int status, const char *retry_after, int64_t now,
	    const uint8_t *body, size_t n, int https);

/* Retry-After in milliseconds; missing, unreadable, <= 0 or > 1 h: random 5..10 s (D.3, BACK-05). */
uint32_t retry_after_ms(const char *value, int64_t now);
/*
 * Body of an error answer for people: white space trimmed, at most REGISTER_MAX_ERRTEXT bytes, safe to print.  Returns
 * out.
 */
char	*wire_error_text(const uint8_t *body, size_t n, char *out, size_t outsize);

#endif
