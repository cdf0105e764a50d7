/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "dial.h"
#include "dialaddr.h"
#include "netaddr.h"
#include "text.h"

int
netaddr_prefix_parse(const char *s, struct ipc_addr *a)
{
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchr(s, '/');
	int64_t bits;
	unsigned i;

	if (slash == NULL || (size_t)(slash - s) >= sizeof(host))
		return -1;
	memcpy(host, s, (size_t)(slash - s));
	host[slash - s] = '\0';
	if (dial_parse_literal(host, a) == -1 || text_to_i64(slash + 1, strlen(slash + 1), 0, a->bits, &bits) == -1)
		return -1;
	for (i = (unsigned)bits; i < a->bits; i++)
		if (a->addr[i / 8] & (0x80 >> i % 8))
			return -1;
	a->bits = (uint8_t)bits;
	return 0;
}

char *
netaddr_format(const struct ipc_addr *a, char *out, size_t outsize)
{
	if (inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->addr, out, (socklen_t)outsize) == NULL)
		snprintf(out, outsize, "?");
	return out;
}

char *
netaddr_prefix_format(const struct ipc_addr *a, char *out, size_t outsize)
{
	char host[INET6_ADDRSTRLEN];

	snprintf(out, outsize, "%s/%u", netaddr_format(a, host, sizeof(host)), a->bits);
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
	char text[80], *host = text, *port, *type;
	struct ipc_addr a;
	int64_t v;

	memset(e, 0, sizeof(*e));
	e->type = IPC_EP_EXPLICIT;
	if (strlen(s) >= sizeof(text))
		return -1;
	memcpy(text, s, strlen(s) + 1);
	if ((type = strchr(text, '/')) != NULL) {
		*type++ = '\0';
		if (!with_type || parse_type(type, &e->type) == -1)
			return -1;
	}
	if ((port = strrchr(text, ':')) == NULL)
		return -1;
	*port++ = '\0';
	if (*host == '[') {
		size_t n = strlen(++host);

		if (n == 0 || host[n - 1] != ']')
			return -1;
		host[n - 1] = '\0';
		if (strchr(host, ':') == NULL)
			return -1;
	} else if (strchr(host, ':') != NULL)
		return -1;
	if (dial_parse_literal(host, &a) == -1 || text_to_i64(port, strlen(port), 1, 65535, &v) == -1)
		return -1;
	memcpy(e->addr, a.addr, sizeof(e->addr));
	e->family = a.family;
	e->port = (uint16_t)v;
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
