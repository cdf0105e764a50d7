/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CCLIENT_H
#define CCLIENT_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdint.h>

#include "buf.h"
#include "errcode.h"
#include "eventqueue.h"
#include "ipc.h"
#include "timer.h"

/*
 * One client of the control socket: one connection, one line, one answer, except for `watch`.  A client can only hurt
 * itself: everything it may hold is bounded, nothing waits for it.
 */
#define CONTROL_LINE	      4096
#define CONTROL_LINE_SET      65536
#define CONTROL_OUT_MAX	      (4u << 20)

struct control;
struct event;

enum cclient_phase {
	CC_READING, CC_WAITING /* for a logout, counters, the doctor */, CC_WRITING /* then closed */, CC_WATCHING,
	CC_LINGERING /* closed when it has finished sending */
};

struct cclient {
	TAILQ_ENTRY(cclient) entry;
	struct control	*ctl;
	int		 fd;
	uid_t		 uid;
	gid_t		 gid;
	enum ipc_query_class class;
	enum cclient_phase phase;
	int		 wants_logout, wants_counters, wants_doctor;
	struct event	*rd, *wr;
	struct timer	 deadline;
	struct buf	 in, out;
	size_t		 excess;	/* bytes it sent beyond its command */
	/* watchers */
	struct eventqueue events;
	int		 wants_netmap;	/* `watch netmap` without a mapd: handed to mapd when it is ready */
};

/* Waits for a line on fd, which becomes the client's; closed when there is no memory. */
void	 cclient_new(struct control *c, int fd, uid_t uid, gid_t gid, enum ipc_query_class class);

/* Answers.  Each ends the client's turn. */
void	 cclient_error(struct cclient *cc, enum errcode code, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));
void	 cclient_ok(struct cclient *cc);
void	 cclient_finish(struct cclient *cc);		/* write what is in out, then close */
void	 cclient_flush(struct cclient *cc);		/* write what can be written; watchers */
void	 cclient_close(struct cclient *cc);
void	 cclient_listen(struct cclient *cc);		/* notice when it closes while it waits or watches */
int	 cclient_release(struct cclient *cc);		/* the descriptor, to be handed to mapd; cc is freed */

#endif
