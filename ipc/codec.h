/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CODEC_H
#define CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "msgs.h"

struct buf;

/* Receiver of chunks: 1 = complete (b holds the text), 0 = more to come, -1 = out of order or over max: a violation. */
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

/* The rest is private to ipc: the list of msgs.h as a table, and the checks that need only a row. */
enum ipc_dir { IPC_P2C, IPC_C2P };
enum ipc_fdrule { IPC_NOFD, IPC_FD, IPC_OPTFD };

struct ipc_row {
	const char	*name;
	enum ipc_dir	 dir;
	unsigned	 roles;		/* bits 1 << enum ipc_role */
	enum ipc_fdrule	 fd;
	size_t		 head;		/* shortest payload */
	size_t		 max;		/* longest payload; == head for EXACT */
	size_t		 size;		/* of the struct */
	size_t		 len_off;	/* TAIL: offset of data_len */
	int		 secret;
	unsigned	 states;
};

const struct ipc_row *ipc_row(unsigned type);	/* NULL for a type that is not in the list */
/* The length of the tail that a TAIL payload states; payload must have at least head bytes. */
size_t	 ipc_row_tail(const struct ipc_row *r, const void *payload);
/* 1 when payloads of this type hold secrets: buffers that carried them are wiped. */
int	 ipc_type_secret(unsigned type);

#endif
