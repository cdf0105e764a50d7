/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "dialaddr.h"
#include "netaddr.h"

int
netaddr_prefix_parse(const char *s, struct ipc_addr *a)
{
	unsigned family, bits;

	memset(a, 0, sizeof(*a));
	if (addr_parse_prefix(s, strlen(s), a->addr, &family, &bits) == -1 ||
	    !addr_prefix_masked(a->addr, family, bits))
		return -1;
	a->family = (uint8_t)family;
	a->bits = (uint8_t)bits;
	return 0;
}

char *
netaddr_format(const struct ipc_addr *a, char *out, size_t outsize)
{
	char text[ADDR_TEXT_MAX];

	addr_format_ip(a->addr, a->family, text);
	snprintf(out, outsize, "%s", text);
	return out;
}

char *
netaddr_prefix_format(const struct ipc_addr *a, char *out, size_t outsize)
{
	char text[ADDR_TEXT_MAX];

	addr_format_prefix(a->addr, a->family, a->bits, text);
	snprintf(out, outsize, "%s", text);
	return out;
}

static const char *const type_names[] = { "unknown", "local", "stun", "portmapped", "stun4localport", "explicit" };

static int
parse_type(const char *s, uint8_t *type)
{
	uint8_t i;

	for (i = 1; i < sizeof(type_names) / sizeof(type_names[0]); i++)
		if (strcmp(s, type_names[i]) == 0) {
			*type = i;
			return 0;
		}
	return -1;
}

int
netaddr_endpoint_parse(const char *s, int with_type, struct ipc_endpoint *e)
{
	const char *type = strchr(s, '/');
	size_t n = type != NULL ? (size_t)(type - s) : strlen(s);
	unsigned family, port;
	int zone;

	memset(e, 0, sizeof(*e));
	e->type = IPC_EP_EXPLICIT;
	if (type != NULL && (!with_type || parse_type(type + 1, &e->type) == -1))
		return -1;
	if (addr_parse_endpoint(s, n, e->addr, &family, &port, &zone) == -1 || zone || port == 0)
		return -1;
	e->family = (uint8_t)family;
	e->port = (uint16_t)port;
	return 0;
}

char *
netaddr_endpoint_format(const struct ipc_endpoint *e, char *out, size_t outsize)
{
	struct ipc_addr a = { .family = e->family };

	memcpy(a.addr, e->addr, sizeof(a.addr));
	dial_address_text(&a, e->port, out, outsize);
	return out;
}

const char *
netaddr_endpoint_refused(const struct ipc_endpoint *e, int named)
{
	struct sockaddr_storage ss;
	const struct sockaddr *sa = (struct sockaddr *)(void *)&ss;
	struct ipc_addr a = { .family = e->family };
	int near;

	memcpy(a.addr, e->addr, sizeof(a.addr));
	(void)dial_sockaddr(&a, e->port, &ss);
	near = dial_address_is_loopback(sa) || (e->family == 4 && e->addr[0] == 169 && e->addr[1] == 254);
	return named && near ? NULL : dial_address_forbidden(sa, 0);
}

int
netaddr_is_literal(const char *s, struct ipc_addr *a)
{
	return dial_parse_literal(s, a) == 0;
}
