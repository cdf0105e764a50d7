/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef URL_H
#define URL_H

#include <stddef.h>

#define URL_HOST_MAX	254
#define URL_PREFIX_MAX	256
#define URL_MAX		2048

/* Strict http and https URLs: ASCII, no white space.  flags say what else is accepted. */
enum {
	URL_USERINFO = 1,	/* user and password */
	URL_QUERY = 2		/* a path of any length with query and fragment: as another program wrote it */
};
struct url {
	int	 https;
	/* "user:pass", percent-decoded, UTF-8, no control characters; "" = none */
	char	 userinfo[URL_PREFIX_MAX];
	char	 host[URL_HOST_MAX];		/* lower case, no brackets */
	char	 authority[URL_HOST_MAX];	/* host[:port] for a Host header: lower case, with URL_QUERY as given */
	unsigned port;				/* 0 = none given */
	/* No trailing slash, less than URL_PREFIX_MAX; "" or "/x/y".  With URL_QUERY: at least "/", with the query,
	 * without the fragment. */
	char	 path[URL_MAX];
};

/* 0, or -1 with a reason in why. */
int	 url_parse(const char *s, int flags, struct url *u, char *why, size_t whysize);
/* RFC 1918, ULA, loopback literal, or "localhost" (protocol.md C.8). */
int	 url_host_is_private(const char *host);
/*
 * 1 if a URL from the server is safe to show to the user: https with a host, or http if the control URL is http
 * (INT-05).
 */
int	 url_is_showable(const char *url, size_t n, int https);

#endif
