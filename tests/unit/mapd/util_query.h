/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_QUERY_H
#define UTIL_QUERY_H

#include "mapwatch.h"
#include "unit.h"
#include "util_map.h"

/* Clients that ask mapd's part of the control socket, without a process. */

struct fixture {
	struct map_test *m;
	struct event_base *base;
	struct query *q;
	struct ipc_config cfg;
};

void	 turn(struct fixture *f);
struct fixture *fixture(const char *first);
void	 fixture_free(struct fixture *f);
int	 ask_with(struct fixture *f, uint32_t id, struct ipc_query *m, enum ipc_query_verb verb, const char *args);
int	 ask(struct fixture *f, uint32_t id, enum ipc_query_verb verb, const char *args);
/* What was received on fd up to now, at most max bytes; *ended if the other side has closed. */
char *take(struct fixture *f, int fd, size_t max, int *ended);
char *answer(struct fixture *f, enum ipc_query_verb verb, const char *args);

#define TWO \
	"{" NODE_SELF ",'Peers':[" PEER("2", "2", "22", "") "," PEER("30", "3", "33", ",'Online':true") "," PEER("-4", \
	    "4", "44", "") "]}"

/* Lines of a watcher: event names in order, with numbers checked. */
void	 check_events(char *s, uint64_t first, const char *want);
void	 change(struct fixture *f, const char *text);
void	 many_peers(struct pb *b);
void	 renew(struct fixture *f, const struct pb *b);
/* All that fd has to say but its last line, which is an error object; to be freed. */
char *broken_off(struct fixture *f, int fd, const char *code);
/* All of an answer, against what it had to be; both are freed. */
void	 whole(struct fixture *f, int fd, char *want);

#endif
