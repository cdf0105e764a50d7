/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_FAKEPARENT_H
#define UTIL_FAKEPARENT_H

#include <sys/types.h>

#include <event2/event.h>

#include "unit.h"

#include "child.h"
#include "ipc.h"
#include "util_fakeserver.h"

/*
 * The parent's end of a channel for tests of children: forks, runs a role as main() would, exchanges ipc messages with
 * it, and by itself dials (socketpairs to a fake control server in this process) and does "handshakes" with fixed keys.
 */
#define FP_MESSAGES 512
#define FP_SERVERS  8
#define FP_WAIT_MS  10000

struct fp_msg {
	enum ipc_type	 type;
	uint32_t	 id;
	size_t		 len;
	int		 taken;
	union {
		uint8_t			 bytes[IPC_MAX_MSG];
		struct ipc_ready	 ready;
		struct ipc_log		 log;
		struct ipc_dial		 dial;
		struct ipc_key_result	 key;
		struct ipc_reg_result	 reg;
		struct ipc_stream	 stream;
		struct ipc_self		 self;
		struct ipc_deltas	 deltas;
		struct ipc_counters	 counters;
		struct ipc_lite		 lite;
		struct ipc_control_time	 control_time;
		struct ipc_browse	 browse;
		struct ipc_exit_wish	 exit_wish;
		struct ipc_dial_plan	 plan;
		struct ipc_cache_done	 cache;
	} u;
};

struct fakeparent {
	int		 refuse_candidates, candidates_refused;	/* of a dial plan */
	struct event_base *base;
	struct ipc	*ipc;
	pid_t		 pid;
	int		 manual;		/* 1: the test answers DIAL and HS_* itself */
	int		 plain;			/* 1: servers use plain HTTP, answered by the test */
	int		 closed, violation;
	char		 why[200];
	struct fp_msg	*msgs[FP_MESSAGES];
	unsigned	 nmsgs;
	struct fakeserver *servers[FP_SERVERS];
	unsigned	 nservers;
};

/* A connected descriptor for the child; its other end is the next fake server. */
int	 fp_connect(struct fakeparent *fp);
void	 fp_send(struct fakeparent *fp, enum ipc_type type, uint32_t id, const void *payload, size_t len, int fd);
void	 fp_send_empty(struct fakeparent *fp, enum ipc_type type, uint32_t id);
void	 fp_dialled(struct fakeparent *fp, uint32_t id, int fd, const char *text);
void	 fp_hs_init(struct fakeparent *fp, uint32_t id);
void	 fp_hs_keys(struct fakeparent *fp, uint32_t id);
void	 fp_run_for(struct fakeparent *fp, unsigned ms);
/* The next message of that type, waiting for it; NULL after FP_WAIT_MS. */
struct fp_msg *fp_try(struct fakeparent *fp, enum ipc_type type, unsigned ms);
struct fp_msg *fp_wait(struct fakeparent *fp, enum ipc_type type);
/* A log line of the child that holds text. */
int	 fp_logged(struct fakeparent *fp, const char *text);
void	 fp_start(struct fakeparent *fp, const struct child_role *role);
void	 fp_fill_hello(struct ipc_hello *m, const struct child_role *role);
void	 fp_fill_config(struct ipc_config *m, int https);

#define FP_HOSTINFO "{\"OS\":\"linux\",\"Hostname\":\"h\",\"BackendLogID\":\"b1\"}"

void	 fp_send_hostinfo(struct fakeparent *fp, const char *text);
void	 fp_send_config(struct fakeparent *fp, uint32_t watchdog_ms);
/* HELLO, CONFIG, READY, HOSTINFO: a child ready for work. */
void	 fp_start_ready(struct fakeparent *fp, const struct child_role *role);
/* Waits for the child's end; its exit code, or -signal. */
int	 fp_reap(struct fakeparent *fp);
void	 fp_free(struct fakeparent *fp);
/* STOP, and the child ends as it should. */
void	 fp_stop(struct fakeparent *fp);
struct fakeserver *fp_server(struct fakeparent *fp, unsigned n);
/* The n-th request to arrive at a server, complete with its body. */
struct fs_stream *fp_request(struct fakeparent *fp, struct fakeserver *fs, unsigned n);

/* Until the condition holds, or fail. */
#define FP_UNTIL(fp, cond) \
	do { \
		unsigned fp_i; \
		for (fp_i = 0; fp_i < FP_WAIT_MS / 5 && !(cond); fp_i++) \
			fp_run_for((fp), 5); \
		assert_true(cond); \
	} while (0)

#endif
