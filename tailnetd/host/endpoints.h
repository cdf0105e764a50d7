/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef ENDPOINTS_H
#define ENDPOINTS_H

#include <stdint.h>

#include "config.h"
#include "msgs.h"

/* This host's own addresses, for `endpoints auto` (interface.md 2), and whether it forwards. */

/*
 * Every global or private unicast address of interfaces that are up, with port: no loopback, link-local, multicast
 * (protocol.md F.3), nor what tailnets give out (100.64/10, fd7a:115c:a1e0::/48), nor endpoints_inner().  Sorted, no
 * doubles, type local.  How many, or -1 with errno; local has endpoints_local() in any case.
 */
struct ifaddrs;
int	 endpoints_collect(unsigned port, struct ipc_endpoint out[IPC_MAX_ENDPOINTS],
	    struct ipc_addr local[IPC_MAX_LOCAL], uint32_t *nlocal);
/* 1: by its name an interface between this host and its own containers or virtual machines */
int	 endpoints_inner(const char *ifname);
/* All addresses of interfaces that are up, with the length of their networks; the first IPC_MAX_LOCAL.  How many. */
unsigned endpoints_local(const struct ifaddrs *list, struct ipc_addr out[IPC_MAX_LOCAL]);
/* of a given list */
int	 endpoints_from(const struct ifaddrs *list, unsigned port, struct ipc_endpoint out[IPC_MAX_ENDPOINTS]);

/*
 * changed() is called 1 s after this host's addresses, routes or, on Linux, its forwarding began to change: once for a
 * burst.  rtnetlink on Linux, a route socket on OpenBSD, where it must be made before pledge(2).  NULL with errno.
 */
struct event_base;
struct endpoints_watch;
struct endpoints_watch *endpoints_watch_new(struct event_base *base, void (*changed)(void *arg), void *arg);
int	 endpoints_watches(const struct endpoints_watch *w);	/* 0: NULL, or it has failed since */
void	 endpoints_watch_free(struct endpoints_watch *w);	/* NULL is fine */

/* listen-port 0: a UDP port that is free for IPv4 and IPv6 right now.  0, or -1 with errno. */
int	 endpoints_pick_port(uint16_t *port);

/*
 * 1: this host does not forward packets of that family (4 or 6).  OpenBSD: out of reach behind pledge(2), so the
 * first call, which must come before, settles it.
 */
int	 ip_forwarding_off(int family);
/* 1: advertise-routes has a family that is not forwarded (LITE-07) */
int	 ip_forwarding_broken(const struct config *c);

/* The system's part: endpoints_linux.c, endpoints_openbsd.c. */
/* 1: the interface of that name in the list is in a routing domain that this process cannot use */
int	 endpoints_os_elsewhere(const struct ifaddrs *list, const char *ifname);
/* a non-blocking descriptor that reports address changes, or -1 with errno */
int	 endpoints_os_open(void);
/*
 * Whether one read's n bytes report a change of addresses, links, routes or forwarding; a malformed message counts as
 * one.
 */
int	 endpoints_os_relevant(const void *msg, size_t n);
int	 endpoints_os_forwarding_off(int family);

#endif
