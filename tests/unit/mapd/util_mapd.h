/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_MAPD_H
#define UTIL_MAPD_H

#include "buf.h"
#include "util_fakeparent.h"

/* mapd as it runs, its channel and its connection in the hands of a test. */

#define NODE \
	"{\"Node\":{\"ID\":1,\"StableID\":\"n1\",\"Name\":\"self.example.\",\"User\":1,\"Key\":\"nodekey:" ONES64 \
	"\",\"Addresses\":[" \
	"\"100.64.0.1/32\"],\"AllowedIPs\":[\"100.64.0.1/32\"],\"MachineAuthorized\":true}"
#define ONES64    "1111111111111111111111111111111111111111111111111111111111111111"
#define FULL_MAP  NODE ",\"Domain\":\"example\"}"
#define KEEPALIVE "{\"KeepAlive\":true}"

/* One frame of the map stream at the end of b. */
void	 put_frame(struct buf *b, const char *json);
void	 send_frame(struct fakeserver *fs, struct fs_stream *st, const char *json);
void	 fill_params(struct ipc_map_params *p, uint32_t generation, uint16_t port);
void	 send_params(struct fakeparent *fp, uint32_t generation, uint16_t port);
void	 send_start(struct fakeparent *fp, uint32_t id, int key, int prepare);
/* The n-th complete request whose body holds text; waits for it. */
struct fs_stream *wait_body(struct fakeparent *fp, struct fakeserver *fs, const char *text, unsigned nth);
struct fs_stream *wait_poll(struct fakeparent *fp, struct fakeserver *fs);
struct fs_stream *wait_lite(struct fakeparent *fp, struct fakeserver *fs, unsigned nth);
/* STREAM messages until the wanted one. */
struct ipc_stream *wait_stream(struct fakeparent *fp, enum ipc_stream_what what);
void	 wait_closed(struct fakeparent *fp, int status, const char *part);
/* mapd with its poll answered 200 and the lite update too; no part of the map sent yet. */
struct fs_stream *open_stream(struct fakeparent *fp, uint32_t watchdog_ms);
struct fs_stream *live_stream(struct fakeparent *fp, uint32_t watchdog_ms);
struct fp_msg *ask_counters(struct fakeparent *fp);
void	 wait_seq(struct fakeparent *fp, uint64_t seq);

#endif
