/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef NETADDR_H
#define NETADDR_H

#include <stddef.h>

#include "msgs.h"

/* Text forms of protocol.md A.3.  Parsers take the whole terminated text; 0, or -1. */
int	 netaddr_prefix_parse(const char *s, struct ipc_addr *a);	/* "100.64.0.0/10"; host bits set = error */
char	*netaddr_prefix_format(const struct ipc_addr *a, char *out, size_t outsize);
char	*netaddr_format(const struct ipc_addr *a, char *out, size_t outsize);		/* without the length */
/* "192.0.2.1:41641", "[2001:db8::1]:41641", with_type also "/stun" and so on (interface.md 3, `set endpoints`). */
int	 netaddr_endpoint_parse(const char *s, int with_type, struct ipc_endpoint *e);
char	*netaddr_endpoint_format(const struct ipc_endpoint *e, char *out, size_t outsize);
int	 netaddr_is_literal(const char *s, struct ipc_addr *a);	/* 1: an IP address, now in a */
/*
 * Why it may not be reported to a server (protocol.md F.3: link-local IPv6; multicast and similar), or NULL.
 * `auto` does not report loopback and link-local IPv4 addresses; a user may name them, for daemons on one host or wire.
 */
const char *netaddr_endpoint_refused(const struct ipc_endpoint *e, int named);

#endif
