/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"
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
	char text[ADDR_TEXT_MAX];

	addr_format_endpoint(a->addr, a->family, port, text);
	snprintf(out, outsize, "%s", text);
}

int
dial_parse_literal(const char *host, struct ipc_addr *a)
{
	unsigned family;
	int zone;

	memset(a, 0, sizeof(*a));
	if (addr_parse_ip(host, strlen(host), a->addr, &family, &zone) == -1 || zone)
		return -1;
	a->family = (uint8_t)family;
	a->bits = family == 4 ? 32 : 128;
	return 0;
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

/* The address of sa; its family, 0 if it is no IP address. */
static unsigned
of_sockaddr(const struct sockaddr *sa, uint8_t addr[16])
{
	memset(addr, 0, 16);
	if (sa->sa_family == AF_INET) {
		memcpy(addr, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
		return 4;
	}
	if (sa->sa_family != AF_INET6)
		return 0;
	memcpy(addr, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	return 6;
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *
dial_address_forbidden(const struct sockaddr *sa, int literal)
{
	/* What no name may ever lead to (security.md D3); the first that fits gives the reason. */
	static const struct addr_net nets[] = { { 4, 8, { 0 } }, { 4, 8, { 127 } }, { 4, 16, { 169, 254 } },
		{ 4, 4, { 224 } }, { 4, 32, { 255, 255, 255, 255 } }, { 6, 128, { 0 } }, { 6, 128, { [15] = 1 } },
		{ 6, 10, { 0xfe, 0x80 } }, { 6, 8, { 0xff } }, { 6, 96, { [10] = 0xff, [11] = 0xff } },
		{ 6, 96, { 0 } } };
	static const char *const why[] = { "unspecified address", "loopback address", "link-local address",
		"multicast or broadcast address", "multicast or broadcast address", "unspecified address",
		"loopback address", "link-local address", "multicast address", "IPv4 address in IPv6 form",
		"IPv4 address in IPv6 form" };
	uint8_t addr[16];
	unsigned family = of_sockaddr(sa, addr);
	int i;

	if (literal && sa->sa_family != AF_UNSPEC)
		return NULL;
	if (family == 0)
		return "not an IP address";
	return (i = addr_in_nets(nets, COUNT(nets), addr, family)) == -1 ? NULL : why[i];
}

int
dial_address_is_loopback(const struct sockaddr *sa)
{
	static const struct addr_net nets[] = { { 4, 8, { 127 } }, { 6, 128, { [15] = 1 } } };
	uint8_t addr[16];
	unsigned family = of_sockaddr(sa, addr);

	return family != 0 && addr_in_nets(nets, COUNT(nets), addr, family) != -1;
}

const char *
dial_address_not_public(const struct sockaddr *sa)
{
	static const struct addr_net reserved[] = { { 4, 8, { 10 } }, { 4, 12, { 172, 16 } }, { 4, 16, { 192, 168 } },
		{ 4, 10, { 100, 64 } }, { 4, 15, { 198, 18 } }, { 4, 24, { 192, 0, 0 } }, { 4, 4, { 240 } } };
	static const struct addr_net global[] = { { 6, 3, { 0x20 } } };
	/* Of the global ones, 6to4 and Teredo lead to an IPv4 address that they hold: any. */
	static const struct addr_net around4[] = { { 6, 16, { 0x20, 0x02 } }, { 6, 32, { 0x20, 0x01 } } };
	const char *no = dial_address_forbidden(sa, 0);
	uint8_t addr[16];
	unsigned family = of_sockaddr(sa, addr);

	if (no != NULL)
		return no;
	if (family == 4)
		return addr_in_nets(reserved, COUNT(reserved), addr, 4) != -1 ? "private or reserved address" : NULL;
	if (addr_in_nets(global, 1, addr, 6) == -1)
		return "not a global address";
	return addr_in_nets(around4, COUNT(around4), addr, 6) != -1 ? "IPv4 address in IPv6 form" : NULL;
}
