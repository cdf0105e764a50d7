/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef AUTHD_H
#define AUTHD_H

#include "buf.h"
#include "child.h"
#include "timer.h"

/*
 * authd: server key fetch, register, follow-up, logout (design.md).  One operation at a time, named by the id of
 * KEY_FETCH or REGISTER.  Every operation gets exactly one KEY_RESULT or REG_RESULT with its id, also after CANCEL
 * and when the next operation replaces it: then with outcome TRANSPORT (ok 0) and the text "cancelled".  So the
 * parent's end of the channel stays BUSY until all results have arrived, and no result can meet an IDLE channel.
 */
extern const struct sandbox_profile authd_profile;	/* authd/authd_sandbox.c */
extern const struct child_role authd_role;

#define CANCELLED	"cancelled"

struct event;

enum op_kind { OP_NONE, OP_KEY, OP_REGISTER };

struct authd {
	struct childproc *c;
	enum op_kind	 kind;
	uint32_t	 id;
	struct timer	 deadline;	/* of the running operation */

	/* OP_KEY */
	struct fetch	*fetch;
	int		 wait_ca;
	uint64_t	 until_ms;	/* monotonic */

	/* OP_REGISTER */
	enum ipc_reg_op	 op;
	struct session	*session;
	struct request	*request;
	struct timer	 settle;	/* the request is over; runs in the next turn of the loop, after down() */
	struct buf	 body;
	int		 status;	/* 0: no response head yet */
	char		 retry_after[64];
	int		 failed;	/* no usable answer: err says why */
	enum cause	 cause;			/* why the session went down */
	int		 greeted;	/* PROBE: the server's SETTINGS were received */
	char		 err[IPC_ERR_MAX + 1];
};

/* Handlers of authd's own messages: key.c, reg.c, authd.c */
#define X(name, handler, ...) int authd_on_##handler(void *ctx, const struct ipc_msg *m);
IPC_TO_AUTHD(X)
#undef X

void	 op_begin(struct authd *a, enum op_kind kind, uint32_t id);	/* cancels a running operation */
void	 op_deadline(struct authd *a, unsigned ms);
/* The operation is over: sends its result, then the channel is idle. */
void	 op_end(struct authd *a, enum ipc_type type, void *result, size_t len);

#endif
