/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONFIG_MSG_H
#define CONFIG_MSG_H

#include <stdint.h>

#include "keywords.h"

/*
 * The payload of CONFIG: what a network child may know of the configuration.  Its members are KEYWORD_PARTS and the
 * rows of common/lists/keywords.h with CHILD or WIRE.  Here are the types that such a row may have, and how its value
 * is sent, checked on receipt, and read: a type without a line here does not compile in such a row.
 */
#define IPC_TEXT(field, size)	uint16_t field##_len; char field[size]

#define IPC_CONFIG_ENUM(m)	uint32_t m;		/* position in its list of words */
#define IPC_CONFIG_NUMBER(m)	uint32_t m;
#define IPC_CONFIG_SECONDS(m)	uint32_t m;		/* in milliseconds */
#define IPC_CONFIG_SIZE(m)	uint64_t m;		/* bytes */
#define IPC_CONFIG_TEXT(m)	IPC_TEXT(m, 256);	/* at most 255 bytes are sent; "" = not set */

/* Of a row that children receive, the second argument; of others nothing. */
#define IPC_SENT_NO(...)
#define IPC_SENT_PARTS(...)
#define IPC_SENT_CHILD(...)	__VA_ARGS__
#define IPC_SENT_WIRE(...)	__VA_ARGS__

struct ipc_config {
#define T(member, size) IPC_TEXT(member, size);
#define N(member, min, max) uint32_t member;
#define K(keyword, member, type, range, value, def, flags, child) IPC_SENT_##child(IPC_CONFIG_##type(member))
	KEYWORD_PARTS(T, N)
	KEYWORDS(K)
#undef T
#undef N
#undef K
	uint32_t	report_steps;		/* authd: send STEP (doctor); no keyword */
};

/*
 * The receiver's check, 1 = right: texts fit, are plain and leave room for a terminator, host and authority are
 * present, numbers are within the limits of the list.  A time may be shorter than its keyword allows, but not 0.
 */
int	 config_msg_ok(const struct ipc_config *m);

#endif
