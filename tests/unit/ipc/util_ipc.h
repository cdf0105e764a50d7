/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_IPC_H
#define UTIL_IPC_H

#include <event2/event.h>

#include "ipc.h"
#include "unit.h"

/* One end under test, the other end belongs to the test, which sends bytes. */
struct rig {
	struct event_base *base;
	struct ipc *c;
	int raw;		/* the test's end */
	int silent;		/* handlers[type] stays NULL for this type */
	enum ipc_side side;
	/* what happened */
	int handled;
	struct ipc_msg last;
	uint8_t copy[IPC_MAX_MSG];
	int closed;
	int violation;
	char why[200];
	/* what a handler does */
	int answer;		/* its return value */
	int free_in_handler;
	int free_in_closed;
};

struct raw_hdr { uint16_t type, flags; uint32_t len, id, generation; };
#define GENERATION 7u

void	 rig_open(struct rig *r, enum ipc_side side, enum ipc_role role);
void	 rig_close(struct rig *r);
void	 rig_turn(struct rig *r);	/* everything that can be done is done */
/* Header with the right generation and n bytes of payload; fd -1 or sent along. */
void	 rig_put(struct rig *r, unsigned type, unsigned flags, uint32_t len, const void *payload, size_t n,
	    const int *fds, int nfds);
void	 raw_write(int fd, const void *p, size_t n, const int *fds, int nfds);
int	 open_descriptors(void);

#endif
