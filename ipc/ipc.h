/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef IPC_H
#define IPC_H

#include <stddef.h>
#include <stdint.h>

#include "msgs.h"

/*
 * A channel: our own imsg-style framing over a SOCK_STREAM socketpair.
 *   header (16 bytes, host order): u16 type, u16 flags (1 = a descriptor goes along), u32 payload length, u32 request id,
 *   u32 child generation.  The whole message is at most IPC_MAX_MSG bytes.
 * The parent end reads with read(2): the kernel drops any descriptor a child attaches (security.md D7, E7).
 */
struct event_base;
struct ipc;

enum ipc_side { IPC_PARENT_SIDE, IPC_CHILD_SIDE };
enum ipc_state { IPC_S_START = 1, IPC_S_IDLE = 2, IPC_S_BUSY = 4 };

/* A checked message.  payload is aligned, its size obeys the row; for TAIL types tail bytes were checked against data_len; a secret
 * one is wiped when the handler returns.
 * fd >= 0 belongs to the handler, which must close it or take it over. */
struct ipc_msg {
	enum ipc_type	 type;
	uint32_t	 id;
	const void	*payload;
	size_t		 len;
	int		 fd;
};

struct ipc_handlers {
	/* One per type, NULL = not expected by this end (a violation).  Returns 0, or -1 = the message broke a rule that only
	 * the handler can see (unknown id, bad text): treated as a violation. */
	int	(*on[IPC_NTYPES])(void *arg, const struct ipc_msg *m);
	/* The channel is over: EOF, error, or a violation with what it was (text for the log; never NULL).  Called once, from the
	 * event loop or from ipc_send's deferred error path, never from within ipc_send itself.  The owner then ipc_free()s. */
	void	(*closed)(void *arg, int violation, const char *why);
};

/*
 * Take over fd (made non-blocking).  role is the child's, generation the parent's counter of starts; a message with another
 * generation is a violation.  Limits from security.md D7: 2000 messages/s from a child, 256 KiB output queue; past
 * either the channel closes as a violation.  NULL: out of memory, fd is the caller's still.
 */
struct ipc *ipc_new(struct event_base *base, int fd, enum ipc_side side, enum ipc_role role, uint32_t generation,
	    const struct ipc_handlers *h, void *arg);
void	 ipc_free(struct ipc *c);

void	 ipc_set_state(struct ipc *c, enum ipc_state s);

/*
 * Queue a message and write what can be written.  len is the payload's length (for TAIL: head + tail).  fd >= 0 is sent and
 * closed here in every case (only on the parent's side).  A payload that the list calls secret is wiped here in every case.  0, or
 * -1 when the channel is over or the queue limit is reached (closed() follows).  Sending what the list does not permit is our own
 * bug: abort().
 */
int	 ipc_send(struct ipc *c, enum ipc_type type, uint32_t id, void *payload, size_t len, int fd);
/* Bytes that wait because the other end does not read: a sender with a choice gathers instead of sending (DELTAS). */
size_t	 ipc_queued(const struct ipc *c);
/* A text of any length up to 1 MiB as ipc_chunk messages of one type. */
int	 ipc_send_chunks(struct ipc *c, enum ipc_type type, uint32_t id, const char *text, size_t n);
/* Blocking flush for a last word before exit, at most ms milliseconds. */
void	 ipc_flush(struct ipc *c, int ms);

/* Receiver of chunks: 1 = complete (b holds the text), 0 = more to come, -1 = out of order or over max: a violation. */
struct buf;
int	 ipc_chunk_add(struct buf *b, uint32_t *total, const struct ipc_chunk *m, size_t max);

const char *ipc_type_name(enum ipc_type t);	/* "HS_BEGIN"; "?" for unknown */
size_t	 ipc_head_len(enum ipc_type t);		/* EXACT: sizeof; TAIL: offsetof(data) */

/* Texts in messages: copies at most cap-bytes; text longer than the field is cut.  IPC_SET(m, field, s, n). */
#define IPC_SET(m, field, s, n) ((m)->field##_len = ipc_text_put((m)->field, sizeof((m)->field), (s), (n)))
uint16_t ipc_text_put(char *dst, size_t cap, const char *s, size_t n);
/* 1 if the length fits its array, the text is UTF-8 without control characters.  IPC_OK(m, field). */
#define IPC_OK(m, field) ipc_text_ok((m)->field, (m)->field##_len, sizeof((m)->field))
int	 ipc_text_ok(const char *s, uint16_t len, size_t cap);
/* Terminated copy into dst (dst must hold the array + 1). */
#define IPC_STR(m, field, dst) ipc_text_get((m)->field, (m)->field##_len, (dst), sizeof(dst))
void	 ipc_text_get(const char *s, uint16_t len, char *dst, size_t cap);

#endif
