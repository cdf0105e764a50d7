/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "addr.h"
#include "endpoints.h"
#include "log.h"
#include "netaddr.h"
#include "timer.h"

#define SETTLE_MS  1000
#define MSG_ROOM   16384
#define PICK_TRIES 32

/* --- the list --- */

static int
compare(const void *a, const void *b)
{
	const struct ipc_endpoint *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return memcmp(x->addr, y->addr, sizeof(x->addr));
}

/*
 * The ranges tailnets give out (protocol.md K.2): on this host the address of the WireGuard interface itself, and a
 * tunnel cannot lead to its own inside.
 */
static int
is_tailnet_address(const struct ipc_endpoint *e)
{
	static const struct addr_net nets[] = { { 4, 10, { 100, 64 } },
		{ 6, 48, { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0 } } };
	static const struct addr_net never[] = { { 4, 23, { 100, 115, 92 } } }; /* is never given out */

	return addr_in_nets(nets, 2, e->addr, e->family) != -1 && addr_in_nets(never, 1, e->addr, e->family) == -1;
}

static int
from_sockaddr(const struct sockaddr *sa, unsigned port, struct ipc_endpoint *e)
{
	const struct sockaddr_in *sin = (const void *)sa;
	const struct sockaddr_in6 *sin6 = (const void *)sa;

	memset(e, 0, sizeof(*e));
	e->type = IPC_EP_LOCAL;
	e->port = (uint16_t)port;
	if (sa == NULL)
		return -1;
	if (sa->sa_family == AF_INET) {
		e->family = 4;
		memcpy(e->addr, &sin->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		e->family = 6;
		memcpy(e->addr, &sin6->sin6_addr, 16);
	} else
		return -1;
	return netaddr_endpoint_refused(e, 0) == NULL && !is_tailnet_address(e) ? 0 : -1;
}

/* Names that container and virtual machine software gives its bridges; what others call br-lan is a network. */
int
endpoints_inner(const char *ifname)
{
	static const char *const starts[] = { "docker", "virbr", "veth", "cni", "podman", "lxcbr", "lxdbr", "incusbr",
		"flannel", "cali", "cilium", "kube-", "vmnet", "vboxnet" };
	size_t i;

	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (strncmp(ifname, starts[i], strlen(starts[i])) == 0)
			return 1;
	return strncmp(ifname, "br-", 3) == 0 && strlen(ifname) == 15 && strspn(ifname + 3, "0123456789abcdef") == 12;
}

int
endpoints_from(const struct ifaddrs *list, unsigned port, struct ipc_endpoint out[IPC_MAX_ENDPOINTS])
{
	const struct ifaddrs *i;
	struct ipc_endpoint e;
	unsigned n = 0, at;

	for (i = list; i != NULL; i = i->ifa_next) {
		if ((i->ifa_flags & IFF_UP) == 0 || (i->ifa_flags & IFF_LOOPBACK) != 0 ||
		    endpoints_os_elsewhere(list, i->ifa_name) || endpoints_inner(i->ifa_name) ||
		    from_sockaddr(i->ifa_addr, port, &e) == -1)
			continue;
		for (at = 0; at < n && compare(&out[at], &e) < 0; at++)
			;
		if (at < n && compare(&out[at], &e) == 0)
			continue; /* the same address on two interfaces */
		if (at == IPC_MAX_ENDPOINTS)
			continue;
		if (n == IPC_MAX_ENDPOINTS)
			n--; /* the last in order falls out, whatever order the system lists them in */
		memmove(&out[at + 1], &out[at], (n - at) * sizeof(e));
		out[at] = e;
		n++;
	}
	return (int)n;
}

/* Bits set in a netmask. */
static unsigned
mask_bits(const struct sockaddr *mask, unsigned family)
{
	unsigned i, bits = 0, len = family == 4 ? 4 : 16;
	const uint8_t *p;

	if (mask == NULL)
		return len * 8;
	p = family == 4 ? (const void *)&((const struct sockaddr_in *)(const void *)mask)->sin_addr
			: (const void *)&((const struct sockaddr_in6 *)(const void *)mask)->sin6_addr;
	for (i = 0; i < len * 8; i++)
		bits += p[i / 8] >> (7 - i % 8) & 1;
	return bits;
}

unsigned
endpoints_local(const struct ifaddrs *list, struct ipc_addr out[IPC_MAX_LOCAL])
{
	const struct ifaddrs *i;
	struct ipc_endpoint e;
	unsigned n = 0;

	for (i = list; i != NULL && n < IPC_MAX_LOCAL; i = i->ifa_next) {
		if ((i->ifa_flags & IFF_UP) == 0 || (i->ifa_flags & IFF_LOOPBACK) != 0 || i->ifa_addr == NULL ||
		    from_sockaddr(i->ifa_addr, 1, &e) == -1)
			continue;
		memset(&out[n], 0, sizeof(out[n]));
		memcpy(out[n].addr, e.addr, sizeof(e.addr));
		out[n].family = e.family;
		out[n].bits = (uint8_t)mask_bits(i->ifa_netmask, e.family);
		n++;
	}
	return n;
}

int
endpoints_collect(unsigned port, struct ipc_endpoint out[IPC_MAX_ENDPOINTS], struct ipc_addr local[IPC_MAX_LOCAL],
    uint32_t *nlocal)
{
	struct ifaddrs *list;
	int n;

	*nlocal = 0;
	if (getifaddrs(&list) == -1)
		return -1;
	n = endpoints_from(list, port, out);
	*nlocal = endpoints_local(list, local);
	freeifaddrs(list);
	return n;
}

/* --- watching --- */

struct endpoints_watch {
	struct event *readable;
	struct timer settle;
	int fd;
	void (*changed)(void *);
	void *arg;
};

static void
on_settled(void *arg)
{
	struct endpoints_watch *w = arg;

	w->changed(w->arg);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct endpoints_watch *w = arg;
	union {
		char b[MSG_ROOM];
		uint64_t aligned;
	} msg;
	int news = 0;
	ssize_t n;

	(void)what;
	while ((n = recv(fd, msg.b, sizeof(msg.b), 0)) > 0)
		news |= endpoints_os_relevant(msg.b, (size_t)n);
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS)) {
		log_warn("addresses of this host are no longer watched");
		event_del(w->readable);
	}
	if (n == -1 && errno == ENOBUFS)
		news = 1; /* some were lost: look */
	if (news && !timer_pending(&w->settle))
		(void)timer_set_ms(&w->settle, SETTLE_MS);
}

int
endpoints_watches(const struct endpoints_watch *w)
{
	return w != NULL && event_pending(w->readable, EV_READ, NULL);
}

struct endpoints_watch *
endpoints_watch_new(struct event_base *base, void (*changed)(void *), void *arg)
{
	struct endpoints_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->changed = changed;
	w->arg = arg;
	if ((w->fd = endpoints_os_open()) != -1 &&
	    (w->readable = event_new(base, w->fd, EV_READ | EV_PERSIST, on_readable, w)) != NULL &&
	    timer_init(&w->settle, base, on_settled, w) == 0 && event_add(w->readable, NULL) == 0)
		return w;
	if (w->fd != -1)
		errno = ENOMEM;
	endpoints_watch_free(w);
	return NULL;
}

void
endpoints_watch_free(struct endpoints_watch *w)
{
	int saved = errno;

	if (w == NULL)
		return;
	if (w->readable != NULL)
		event_free(w->readable);
	timer_free(&w->settle);
	if (w->fd != -1)
		close(w->fd);
	free(w);
	errno = saved;
}

/* --- listen-port 0 --- */

/* A UDP socket on that port (network order; 0: any) of one family, only that family.  The port taken; 0 with errno. */
static in_port_t
bind_udp(int family, in_port_t port, int *fd)
{
	struct sockaddr_storage ss;
	struct sockaddr_in *sin = (void *)&ss;
	struct sockaddr_in6 *sin6 = (void *)&ss;
	socklen_t len = family == AF_INET ? sizeof(*sin) : sizeof(*sin6);
#ifndef __OpenBSD__ /* always on there, and behind pledge(2) the end of the process */
	int on = 1;
#endif

	memset(&ss, 0, sizeof(ss));
	ss.ss_family = (sa_family_t)family;
	if (family == AF_INET)
		sin->sin_port = port;
	else
		sin6->sin6_port = port;
	if ((*fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return 0;
#ifndef __OpenBSD__
	if (family == AF_INET6)
		(void)setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
#endif
	if (bind(*fd, (struct sockaddr *)&ss, len) == -1 || getsockname(*fd, (struct sockaddr *)&ss, &len) == -1)
		return 0;
	return family == AF_INET ? sin->sin_port : sin6->sin6_port;
}

static void
close_fd(int fd)
{
	int saved = errno;

	if (fd != -1)
		close(fd);
	errno = saved;
}

int
endpoints_pick_port(uint16_t *port)
{
	int i;

	for (i = 0; i < PICK_TRIES; i++) {
		int fd4, fd6 = -1, both;
		in_port_t p = bind_udp(AF_INET, 0, &fd4);

		/* No IPv6 on this host: nothing there that could hold the port. */
		both = p != 0 && (bind_udp(AF_INET6, p, &fd6) == p || errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
		close_fd(fd6);
		close_fd(fd4);
		if (both) {
			*port = ntohs(p);
			return 0;
		}
		if (p == 0)
			return -1;
	}
	return -1;
}

/* --- forwarding --- */

int
ip_forwarding_off(int family)
{
	return endpoints_os_forwarding_off(family);
}

int
ip_forwarding_broken(const struct config *c)
{
	unsigned i, seen = 0;

	for (i = 0; i < c->nroutes; i++)
		seen |= c->routes[i].a.family == 4 ? 1 : 2;
	return ((seen & 1) && ip_forwarding_off(4)) || ((seen & 2) && ip_forwarding_off(6));
}
