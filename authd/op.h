/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef OP_H
#define OP_H

#include "authd.h"
#include "buf.h"

#define KEY_FETCH_MS	15000		/* all of it: dialling, TLS, redirects, body */
#define REGISTER_MS	60000		/* login and logout: until the answer is complete; a follow-up waits for ever (FUP-01) */
#define ERROR_BODY_MS	5000		/* for the text of an error answer (REG-08) */
#define ERROR_BODY_MAX	1024

#define CANCELLED	"cancelled"

struct event;

enum op_kind { OP_NONE, OP_KEY, OP_REGISTER };

struct authd {
	struct child	*c;
	enum op_kind	 kind;
	uint32_t	 id;
	struct event	*deadline;	/* of the running operation */

	/* OP_KEY */
	struct fetch	*fetch;
	int		 wait_ca;
	uint64_t	 until_ms;	/* monotonic */

	/* OP_REGISTER */
	enum ipc_reg_op	 op;
	struct session	*session;
	struct request	*request;
	struct event	*settle;	/* the request is over: next turn of the loop, so that down() can say what it knows */
	struct buf	 body;
	int		 status;	/* 0: no response head yet */
	char		 retry_after[64];
	int		 failed;	/* no usable answer: err says why */
	int		 suspect;
	int		 greeted;	/* PROBE: the server's SETTINGS have come */
	char		 err[IPC_ERR_MAX + 1];
};

/* Handlers of authd's own messages: key.c, reg.c, authd.c */
#define X(name, handler, ...) int authd_on_##handler(void *ctx, const struct ipc_msg *m);
IPC_TO_AUTHD(X)
#undef X

/* key.c */
void	 key_ca_came(struct authd *a);
void	 key_deadline(struct authd *a);
void	 key_abandon(struct authd *a);		/* without a result */

/* reg.c */
void	 reg_deadline(struct authd *a);
void	 reg_greeted(struct authd *a);		/* HTTP/2 works: all that a PROBE wants to know */
void	 reg_settle(int fd, short what, void *arg);
void	 reg_abandon(struct authd *a);		/* closes the connection, without a result */

/* authd.c */
void	 op_begin(struct authd *a, enum op_kind kind, uint32_t id);	/* pushes a running operation aside */
void	 op_deadline(struct authd *a, unsigned ms);
/* The operation is over: its result goes out, then the channel is idle. */
void	 op_end(struct authd *a, enum ipc_type type, void *result, size_t len);

#endif
