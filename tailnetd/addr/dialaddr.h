/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DIALADDR_H
#define DIALADDR_H

#include <sys/socket.h>

#include "msgs.h"

/* Addresses as the dialler sees them: pure code, no sockets. */

/* Fills ss; its length. */
socklen_t dial_sockaddr(const struct ipc_addr *a, unsigned port, struct sockaddr_storage *ss);
/* "192.0.2.1:443", "[2001:db8::1]:443". */
void	 dial_address_text(const struct ipc_addr *a, unsigned port, char *out, size_t outsize);
/* An IP literal (no brackets, no zone): 0, else -1. */
int	 dial_parse_literal(const char *host, struct ipc_addr *a);
/* The order of attempts: families alternate, the first one leads (DIAL-10); at most 16.  Returns how many. */
unsigned dial_interleave(struct ipc_addr *out, const struct ipc_addr *in, unsigned n);
int	 dial_address_is_loopback(const struct sockaddr *sa);
/*
 * The address policy (security.md D3): NULL = allowed, else a reason.  literal: the control URL (or proxy) is exactly
 * this address.
 */
const char *dial_address_forbidden(const struct sockaddr *sa, int literal);
/* For dial plans (security.md D15): public unicast only.  NULL = public, else a reason. */
const char *dial_address_not_public(const struct sockaddr *sa);

#endif
