/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef STANDING_H
#define STANDING_H

#include <stdint.h>

#include "msgs.h"
#include "resolve.h"

/*
 * Which addresses of a name are worth a try (DIAL-10).  That TCP connects proves little: an address is on trial from
 * the hand-over of its connection until the child that has it proves the server behind it (a finished Noise handshake,
 * a key received).  One that is still on trial after a while is put last, so that all are tried in sequence.
 * Pure: the caller passes the monotonic time in milliseconds.
 */
#define STANDING_PATIENCE_MS	2000	/* on trial for less is no fault yet, to others than its owner */
#define STANDING_MAX		(2 * RESOLVE_MAX)

struct standing {
	struct ipc_addr	 addr;
	unsigned	 port;
	const void	*owner;		/* who got the last connection, and its number for it */
	uint32_t	 attempt;
	uint64_t	 first_ms, last_ms;	/* first and last connection without a proof since */
};
struct standings { struct standing e[STANDING_MAX]; unsigned n; };

void	 standing_given(struct standings *s, const struct ipc_addr *a, unsigned port, const void *owner,
	    uint32_t attempt, uint64_t now_ms);
/* The owner's attempt reached the right server: its address is off trial, at this port. */
void	 standing_proved(struct standings *s, const void *owner, uint32_t attempt);
/* The same for all connections of the owner to this port. */
void	 standing_proved_port(struct standings *s, const void *owner, unsigned port);
/*
 * Stable order for a dial of this owner: addresses not on trial, or only just by another owner; then the others, the
 * one that waits longest for another try first.
 */
void	 standing_order(const struct standings *s, struct ipc_addr *a, unsigned n, unsigned port, const void *owner,
	    uint64_t now_ms);
/* Leaves those that are not on trial at all.  Number. */
unsigned standing_others(const struct standings *s, struct ipc_addr *a, unsigned n, unsigned port);

#endif
