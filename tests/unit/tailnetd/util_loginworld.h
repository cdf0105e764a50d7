/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_LOGINWORLD_H
#define UTIL_LOGINWORLD_H

#include "util_loginsim.h"

/* What a world around login.c knows, and what must hold before each of the client's actions and after each step. */
#define MAX_KEYS 400000
#define NLATE    8

enum wish { WISH_NOTHING, WISH_LOGIN, WISH_LOGOUT };
enum flight { FLIGHT_NONE, FLIGHT_KEY, FLIGHT_REG };
enum mapd { MAPD_NONE, MAPD_PREPARED, MAPD_STREAM };

struct world {
	struct sim *s;
	uint32_t seed;
	unsigned long step;
	unsigned run;
	uint8_t *accepted; /* by key number: the server accepted it at some time */
	enum flight flight;
	uint32_t flight_id;
	int flight_key; /* NodeKey of the register */
	enum ipc_reg_op flight_op;
	uint32_t late[NLATE];
	unsigned nlate;
	enum mapd mapd;
	uint32_t mapd_id;
	int stream_key;                     /* of the stream */
	struct pubkey conn_pin, flight_pin; /* the server key that these connections were made with */
	int live, stopping, killed;
	enum wish wish;          /* what the last command wants; nothing: a failure made it void */
	int wants_pause;         /* and whether it must be quiet */
	int unwanted_key;        /* `login interactive` requests a new one; 0: no such request */
	int have_given;          /* the parent holds an auth key of LE_LOGIN */
	unsigned logouts;        /* not answered yet */
	char url[40];            /* the last one that was reported */
	int disk_node, disk_old, mem_node, unproven; /* before this step */
	unsigned finished;
	uint32_t last_id; /* ids only grow: an answer finds its own request, or none */
	unsigned streams, commits, crashes, settled, keys, registers;
};

uint32_t pick(struct world *w, uint32_t n);
void	 broken(struct world *w, const char *what);
#define MUST(w, cond) \
	do { \
		if (!(cond)) \
			broken(w, #cond); \
	} while (0)

/* --- before an action --- */

void	 before(struct sim *s, const struct login_action *a);

/* --- after a step --- */

void	 check(struct world *w);

#endif
