/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_PARENT_H
#define UTIL_PARENT_H

#include "fetch.h"
#include "session.h"
#include "util_noise.h"
#include "util_server.h"

/* What the parent process is to a child, for tests: dials end at a tserver, handshakes are done with the test keys. */
#define TP_MAX	32

enum tp_way { TP_CONNECT, TP_REFUSE, TP_IGNORE };

struct tparent {
	struct event_base *base;
	struct wire_config cfg;
	struct session	*s;
	struct fetch	*f;
	/* what to do with a dial: by kind (index WIRE_DIAL_*), unless a candidate says otherwise */
	enum tp_way	 way[4];
	struct ts_plan	 plan[4];
	enum tp_way	 cand_way[8];
	int		 use_cand;
	/* what happened */
	unsigned	 ndials, ncancels, nbegins;
	struct {
		uint32_t id, candidate;
		enum wire_dial kind;
		uint64_t at_ms;
		struct tserver *server;
		int	 cancelled;
	} dials[TP_MAX];
	struct { uint32_t id; struct tnoise n; uint8_t msg[101]; } hs[TP_MAX];
	unsigned	 nhs;
	int		 hold_keys;	/* answers no HS_FINISH until tp_release_keys() */
	uint32_t	 held_id;
	uint8_t		 held_body[48];
	unsigned	 ups, downs;
	char		 steps[40];	/* "u1 n1 h1": upgrade, noise, http2 by dial kind 1 */
	enum cause	 cause;
	char		 why[1000];
	void		(*on_up)(struct tparent *p);
	void		(*on_down)(struct tparent *p);
	/* fetch */
	unsigned	 fetched;
	int		 status;
	struct buf	 body;
	char		 err[500];
	uint64_t	 start_ms;
	struct event	*later[TP_MAX];
	unsigned	 nlater;
};

void	 tp_init(struct tparent *p, const char *host);
void	 tp_free(struct tparent *p);
void	 tp_session(struct tparent *p);
void	 tp_fetch(struct tparent *p, struct trust *trust, const char *path, unsigned timeout_ms);
void	 tp_release_keys(struct tparent *p);
unsigned tp_since(const struct tparent *p);		/* ms since tp_init() or tp_mark() */
void	 tp_mark(struct tparent *p);
/* Runs the loop until *flag reaches n or ms have passed; returns whether it did. */
int	 tp_wait(struct tparent *p, const unsigned *flag, unsigned n, unsigned ms);
void	 tp_run(struct tparent *p, unsigned ms);		/* just runs */
struct tserver *tp_server(struct tparent *p, unsigned dial);	/* of the n-th dial */

#endif
