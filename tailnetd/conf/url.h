/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef URL_H
#define URL_H

#include <stddef.h>

#include "msgs.h"

/* Strict http and https URLs: no query, fragment or white space; user and password only where the caller allows them. */
struct url {
	int	 https;
	char	 userinfo[IPC_PATH_MAX];	/* "user:pass", percent-decoded; "" = none */
	char	 host[IPC_HOST_MAX];		/* lower case, no brackets */
	char	 authority[IPC_HOST_MAX];	/* host[:port] as it goes into a Host header */
	unsigned port;				/* 0 = none given */
	char	 path[IPC_PATH_MAX];		/* no trailing slash; "" or "/x/y" */
};

/* 0, or -1 with a reason in why. */
int	 url_parse(const char *s, int allow_userinfo, struct url *u, char *why, size_t whysize);
/* RFC 1918, ULA, loopback literal, or "localhost" (protocol.md C.8). */
int	 url_host_is_private(const char *host);

#endif
