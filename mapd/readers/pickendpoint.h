/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PICKENDPOINT_H
#define PICKENDPOINT_H

#include <stdint.h>

#include "addr.h"
#include "msgs.h"

/*
 * Which of a peer's endpoints to use when no probe says which of them works (interface.md 7, protocol.md K.2).  Pure.
 */
struct pickendpoint {
	const struct ipc_map_params *params;	/* this host's addresses; NULL: unknown */
	/* 1: inside a prefix that is routed into the tunnel: packets to it would loop */
	int	(*routed)(const void *arg, const uint8_t addr[16], unsigned family);
	const void *arg;
};
enum pickendpoint_rank { PICK_NEVER, PICK_PRIVATE, PICK_GLOBAL, PICK_SAME_NET };

/* ::ffff:192.0.2.1 becomes the IPv4 address that it is. */
void	 pickendpoint_unmap(uint8_t addr[16], unsigned *family);
/*
 * PICK_NEVER: loopback, link-local, multicast, unspecified, reserved and broadcast addresses, those of tailnets, one
 * of this host, one inside a network that only this host has (a bridge of containers), one that is routed.
 */
enum pickendpoint_rank pickendpoint_rank(const struct pickendpoint *o, const uint8_t addr[16], unsigned family);

#endif
