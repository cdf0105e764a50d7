/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "dial.h"
#include "dialaddr.h"

#define DIAL_MAX_ADDRS 16

socklen_t
dial_sockaddr(const struct ipc_addr *a, unsigned port, struct sockaddr_storage *ss)
{
	struct sockaddr_in *sin = (void *)ss;
	struct sockaddr_in6 *sin6 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (a->family == 4) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons((uint16_t)port);
		memcpy(&sin->sin_addr, a->addr, 4);
		return sizeof(*sin);
	}
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons((uint16_t)port);
	memcpy(&sin6->sin6_addr, a->addr, 16);
	return sizeof(*sin6);
}

void
dial_address_text(const struct ipc_addr *a, unsigned port, char *out, size_t outsize)
{
	char host[INET6_ADDRSTRLEN] = "?";

	inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->addr, host, sizeof(host));
	snprintf(out, outsize, a->family == 4 ? "%s:%u" : "[%s]:%u", host, port);
}

int
dial_parse_literal(const char *host, struct ipc_addr *a)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, host, a->addr) == 1) {
		a->family = 4;
		a->bits = 32;
		return 0;
	}
	a->family = 6;
	a->bits = 128;
	return inet_pton(AF_INET6, host, a->addr) == 1 ? 0 : -1;
}

unsigned
dial_interleave(struct ipc_addr *out, const struct ipc_addr *in, unsigned n)
{
	unsigned i[2] = { 0, 0 }, count = 0;
	uint8_t family = n > 0 ? in[0].family : 4;

	while (count < DIAL_MAX_ADDRS && (i[0] < n || i[1] < n)) {
		unsigned *at = &i[family == 6];

		while (*at < n && in[*at].family != family)
			(*at)++;
		if (*at < n)
			out[count++] = in[(*at)++];
		family = family == 4 ? 6 : 4;
	}
	return count;
}

static int
in4(uint32_t a, uint32_t net, unsigned bits)
{
	return (a ^ net) >> (32 - bits) == 0;
}

/* What no name may ever lead to (security.md D3): NULL, or why. */
static const char *
forbidden4(uint32_t a)
{
	if (in4(a, 0, 8))
		return "unspecified address";
	if (in4(a, 0x7f000000, 8))
		return "loopback address";
	if (in4(a, 0xa9fe0000, 16))
		return "link-local address";
	if (in4(a, 0xe0000000, 4) || a == 0xffffffff)
		return "multicast or broadcast address";
	return NULL;
}

static const char *
forbidden6(const struct in6_addr *a)
{
	if (IN6_IS_ADDR_UNSPECIFIED(a))
		return "unspecified address";
	if (IN6_IS_ADDR_LOOPBACK(a))
		return "loopback address";
	if (IN6_IS_ADDR_LINKLOCAL(a))
		return "link-local address";
	if (IN6_IS_ADDR_MULTICAST(a))
		return "multicast address";
	if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a))
		return "IPv4 address in IPv6 form";
	return NULL;
}

const char *
dial_address_forbidden(const struct sockaddr *sa, int literal)
{
	const struct sockaddr_in *sin = (const void *)sa;
	const struct sockaddr_in6 *sin6 = (const void *)sa;
	const char *no;

	no = sa->sa_family == AF_INET   ? forbidden4(ntohl(sin->sin_addr.s_addr))
	    : sa->sa_family == AF_INET6 ? forbidden6(&sin6->sin6_addr)
					: "not an IP address";
	return literal && sa->sa_family != AF_UNSPEC ? NULL : no;
}

int
dial_address_is_loopback(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
	return sa->sa_family == AF_INET &&
	    in4(ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr), 0x7f000000, 8);
}

/* Of the global ones, 6to4 and Teredo lead to an IPv4 address that they hold: any. */
static const char *
not_public6(const uint8_t a[16])
{
	if ((a[0] & 0xe0) != 0x20)
		return "not a global address";
	if ((a[0] == 0x20 && a[1] == 0x02) || (a[0] == 0x20 && a[1] == 0x01 && a[2] == 0 && a[3] == 0))
		return "IPv4 address in IPv6 form";
	return NULL;
}

const char *
dial_address_not_public(const struct sockaddr *sa)
{
	const struct sockaddr_in6 *sin6 = (const void *)sa;
	const char *no = dial_address_forbidden(sa, 0);
	uint32_t a;

	if (no != NULL)
		return no;
	if (sa->sa_family == AF_INET6)
		return not_public6(sin6->sin6_addr.s6_addr);
	a = ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr);
	if (in4(a, 0x0a000000, 8) || in4(a, 0xac100000, 12) || in4(a, 0xc0a80000, 16) || in4(a, 0x64400000, 10) ||
	    in4(a, 0xc6120000, 15) || in4(a, 0xc0000000, 24) || in4(a, 0xf0000000, 4))
		return "private or reserved address";
	return NULL;
}
