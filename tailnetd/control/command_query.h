/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef COMMAND_QUERY_H
#define COMMAND_QUERY_H

/* The commands that mapd answers: the client's connection is handed to it with the question. */
struct cclient;
struct command_line;
struct ipc;

struct ipc *command_mapd(const struct cclient *cc);	/* mapd's channel; NULL unless it is ready */
void	 command_query(struct cclient *cc, struct command_line *cl);	/* the handler of each QUERY */
void	 command_watch_netmap(struct cclient *cc);	/* mapd counts on from cc->events.seq; cc is freed */
int	 command_mapd_full(const struct cclient *cc);	/* it cannot take this reader now; its channel is open */

#endif
