/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EVIL_H
#define EVIL_H

#include <stddef.h>
#include <stdint.h>

#include "evil_list.h"
#include "ipc.h"

/*
 * What the compromised children have in common.  Links none of our code; knows the messages by their header
 * only.
 */
struct hdr {
	uint16_t type, flags;
	uint32_t len, id, generation;
};

union evil_msg {
	char buf[IPC_MAX_MSG];
	struct ipc_hello hello;
	struct ipc_map_start map;
	struct ipc_register reg;
};

extern uint32_t generation; /* of the last message from the parent; sent with ours */
extern int passed;          /* the last descriptor received, or -1 */

/* The next message but HELLO, which READY is sent for.  0: it is STOP.  Ends the process when the channel ends. */
int  next_msg(struct hdr *h, union evil_msg *u);

/* Ends the process, status 0, if it is not so. */
void must(int ok);

/* Bytes from and to the parent, whole; get() keeps a descriptor that is sent with them. */
void get(void *p, size_t n);
void put(const void *p, size_t n);

/* A message; with put_len its header claims another length. */
void send_msg(unsigned type, uint32_t id, const void *p, size_t n);
void put_len(unsigned type, uint32_t id, const void *p, size_t n, uint32_t claimed);

/* READY, of the same build and with every layer of the sandbox claimed. */
void say_ready(const struct ipc_hello *hello);

/* STREAM with only that state. */
void evil_stream(uint32_t id, uint32_t what);

#endif
