/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CODEC_H
#define CODEC_H

#include <stddef.h>

#include "ipc.h"

/* Private to ipc: the list of msgs.h as a table, and the checks that need nothing but a row. */
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
	size_t		 len_off;	/* TAIL: where data_len lies */
	int		 secret;
	unsigned	 states;
};

const struct ipc_row *ipc_row(unsigned type);	/* NULL for a type that is not in the list */
/* The length of the tail that a TAIL payload states; head bytes must be there. */
size_t	 ipc_row_tail(const struct ipc_row *r, const void *payload);
/* 1 when payloads of this type hold secrets: buffers that carried them are wiped. */
int	 ipc_type_secret(unsigned type);

#endif
