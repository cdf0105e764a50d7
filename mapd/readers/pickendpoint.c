/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "pickendpoint.h"

void
pickendpoint_unmap(uint8_t addr[16], unsigned *family)
{
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };

	if (*family != 6 || !addr_prefix_contains(mapped, 96, addr))
		return;
	memmove(addr, addr + 12, 4);
	memset(addr + 4, 0, 12);
	*family = 4;
}

static int
usable(const uint8_t addr[16], unsigned family)
{
	static const struct addr_net never[] = { { 4, 8, { 0 } }, { 4, 8, { 127 } }, { 4, 16, { 169, 254 } },
		{ 4, 4, { 224 } }, { 4, 4, { 240 } }, { 6, 128, { 0 } }, { 6, 128, { [15] = 1 } },
		{ 6, 10, { 0xfe, 0x80 } }, { 6, 8, { 0xff } }, { 4, 10, { 100, 64 } },
		{ 6, 48, { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0 } } };

	return addr_in_nets(never, sizeof(never) / sizeof(never[0]), addr, family) == -1;
}

static int
is_private(const uint8_t addr[16], unsigned family)
{
	static const struct addr_net nets[] = { { 4, 8, { 10 } }, { 4, 12, { 172, 16 } }, { 4, 16, { 192, 168 } },
		{ 6, 7, { 0xfc } } };

	return addr_in_nets(nets, sizeof(nets) / sizeof(nets[0]), addr, family) != -1;
}

/* This host reports the address, so what is in its network can be a neighbour. */
static int
is_reported(const struct ipc_map_params *p, const struct ipc_addr *a)
{
	uint32_t i;

	for (i = 0; i < p->n && i < IPC_MAX_ENDPOINTS; i++)
		if (p->ep[i].family == a->family && memcmp(p->ep[i].addr, a->addr, 16) == 0)
			return 1;
	return 0;
}

enum pickendpoint_rank
pickendpoint_rank(const struct pickendpoint *o, const uint8_t addr[16], unsigned family)
{
	enum pickendpoint_rank rank = is_private(addr, family) ? PICK_PRIVATE : PICK_GLOBAL;
	const struct ipc_map_params *p = o->params;
	uint32_t i;

	if (!usable(addr, family) || (o->routed != NULL && o->routed(o->arg, addr, family)))
		return PICK_NEVER;
	for (i = 0; p != NULL && i < p->nlocal && i < IPC_MAX_LOCAL; i++) {
		const struct ipc_addr *a = &p->local[i];

		if (a->family != family)
			continue;
		if (memcmp(a->addr, addr, 16) == 0)
			return PICK_NEVER;
		if (a->bits == 0 || !addr_prefix_contains(a->addr, a->bits, addr))
			continue;
		if (!is_reported(p, a))
			return PICK_NEVER;
		rank = PICK_SAME_NET;
	}
	return rank;
}
