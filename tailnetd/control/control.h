/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONTROL_H
#define CONTROL_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdint.h>

#include "bucket.h"
#include "buf.h"
#include "ipc.h"

/*
 * The control socket (interface.md 3, security.md D13): one client = one connection = one line = one answer, except for `watch`.
 * A client can only hurt itself: everything it may hold is bounded, nothing waits for it.
 */
#define CONTROL_CLIENTS	      64
#define CONTROL_CLIENTS_ROOT  8		/* more places, for root only */
#define CONTROL_CLIENTS_UID   8
#define CONTROL_LINE	      4096
#define CONTROL_LINE_SET      65536
#define CONTROL_OUT_MAX	      (4u << 20)

struct event;
struct parent;
struct control;

enum cclient_phase { CC_READING, CC_WAITING /* for a logout, counters, the doctor */, CC_WRITING /* then closed */, CC_WATCHING,
	CC_LINGERING /* closed when it is through with sending */ };

struct cclient {
	TAILQ_ENTRY(cclient) entry;
	struct control	*ctl;
	struct parent	*p;
	int		 fd;
	uid_t		 uid;
	gid_t		 gid;
	enum ipc_query_class class;
	enum cclient_phase phase;
	int		 wants_logout, wants_counters, wants_doctor;
	struct event	*rd, *wr, *deadline;
	struct buf	 in, out;
	size_t		 excess;	/* bytes it sent beyond its command */
	/* watchers */
	uint64_t	 seq;
	unsigned	 dropped;	/* netmap and delta events since it lagged */
	int		 wants_netmap;	/* `watch netmap` while there is no mapd: it goes there when there is one */
};

struct control *control_new(struct parent *p, char *err, size_t errsize);	/* bind, listen; NULL with a reason */
int	 control_bind(const struct parent *p, const char *path, char *err, size_t errsize);	/* controlsock.c: listening, or -1 */
void	 control_start(struct control *c);		/* accept clients */
void	 control_free(struct control *c);		/* closes and removes the socket */

/* Answers.  Each ends the client's turn. */
void	 cclient_error(struct cclient *cc, const char *code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void	 cclient_ok(struct cclient *cc);
void	 cclient_finish(struct cclient *cc);		/* write what is in out, then close */
void	 cclient_flush(struct cclient *cc);		/* write what can be written; watchers */
void	 cclient_close(struct cclient *cc);
void	 cclient_listen(struct cclient *cc);		/* notice when it goes away while it waits or watches */
int	 cclient_release(struct cclient *cc);		/* the descriptor leaves this process's hands; cc is gone */

void	 control_logout_done(struct control *c, const char *err);
void	 control_shutting_down(struct control *c);	/* what a client waits for will not come */
void	 control_counters_came(struct control *c);
int	 control_w_rate(struct control *c);		/* a W command of somebody who is not root: 1 = within the rate */
int	 control_await_counters(struct control *c);	/* 1 = mapd is to be asked; 0 = it has been */

/* command.c */
void	 command_run(struct cclient *cc, char *line, size_t n);	/* n bytes, no newline, terminated */
int	 command_is_set(const char *line, size_t n);		/* may grow to CONTROL_LINE_SET */
void	 command_set(struct cclient *cc, char **args, int n);
void	 command_metrics_now(struct cclient *cc);
void	 command_watch_netmap(struct cclient *cc);	/* to mapd, which counts on from cc->seq; cc is gone */

#endif
