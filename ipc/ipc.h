/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef IPC_H
#define IPC_H

#include <stddef.h>
#include <stdint.h>

#include "codec.h"

/*
 * A channel: our own imsg-style framing over a SOCK_STREAM socketpair.
 *   header (16 bytes, host order): u16 type, u16 flags (1 = with a descriptor), u32 payload length, u32 request id,
 *   u32 child generation.  The whole message is at most IPC_MAX_MSG bytes.
 * The parent end reads with read(2): the kernel drops any descriptor a child attaches (security.md D7, E7).
 */
struct event_base;
struct ipc;

enum ipc_side { IPC_PARENT_SIDE, IPC_CHILD_SIDE };
enum ipc_state { IPC_S_START = 1, IPC_S_IDLE = 2, IPC_S_BUSY = 4 };

/*
 * A checked message.  payload is aligned, its size obeys the row; for TAIL types tail bytes were checked against
 * data_len; a secret one is wiped when the handler returns.  fd >= 0 belongs to the handler, which must close it or
 * take it over.
 */
struct ipc_msg {
	enum ipc_type	 type;
	uint32_t	 id;
	const void	*payload;
	size_t		 len;
	int		 fd;
};

struct ipc_handlers {
	/* One per type, NULL = not expected by this end (a violation).  Returns 0, or -1 = a violation that only the
	 * handler can detect (unknown id, bad text). */
	int	(*on[IPC_NTYPES])(void *arg, const struct ipc_msg *m);
	/* The channel is over: EOF, error, or a violation, and which (text for the log; never NULL).  Called once,
	 * from the event loop or from ipc_send's deferred error path, never from within ipc_send itself.  The
	 * owner then calls ipc_free(). */
	void	(*closed)(void *arg, int violation, const char *why);
	/* May be NULL.  After ipc_full() was 1: there is room again.  From the event loop, never from ipc_send. */
	void	(*drained)(void *arg);
};

/*
 * Take over fd (made non-blocking).  role is the child's, generation the parent's counter of starts; a different
 * generation in a message is a violation.  Limits from security.md D7: 2000 messages/s from a child, past which
 * the channel closes as a violation; 256 KiB output queue, past which it closes: the other end hangs.
 * NULL: out of memory, fd is the caller's still.
 */
struct ipc *ipc_new(struct event_base *base, int fd, enum ipc_side side, enum ipc_role role, uint32_t generation,
	    const struct ipc_handlers *h, void *arg);
void	 ipc_free(struct ipc *c);

void	 ipc_set_state(struct ipc *c, enum ipc_state s);

/*
 * Queue a message and write what can be written.  len is the payload's length (for TAIL: head + tail).  fd >= 0 is sent
 * and closed here in every case (only on the parent's side).  A payload that the list calls secret is wiped here in
 * every case.  0, or -1 when the channel is over or the queue limit is reached (closed() follows).  To send what the
 * list does not permit is a bug of this program: abort().
 */
int	 ipc_send(struct ipc *c, enum ipc_type type, uint32_t id, void *payload, size_t len, int fd);
/* Bytes that wait because the other end does not read: a sender with a choice gathers instead of sending (DELTAS). */
size_t	 ipc_queued(const struct ipc *c);
/*
 * 1: more than 64 KiB wait, so what can be gathered is not sent now, and drained() follows when half of that is left.
 * 0 when the channel is over.
 */
int	 ipc_full(struct ipc *c);
unsigned ipc_queued_fds(const struct ipc *c);	/* descriptors that wait with them and are still open here */
/* A text of any length up to 1 MiB as ipc_chunk messages of one type. */
int	 ipc_send_chunks(struct ipc *c, enum ipc_type type, uint32_t id, const char *text, size_t n);
/* Blocking flush before exit, at most ms milliseconds. */
void	 ipc_flush(struct ipc *c, int ms);

#endif
