/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MAPMEMBER_H
#define MAPMEMBER_H

#include "directive.h"
#include "store.h"

/* The inside of ingest.h: ingest.c walks the message, mapmember.c knows what its members mean. */
enum where { AT_START, AT_FIRST_NAME, AT_NAME, AT_COLON, AT_VALUE, AT_FIRST_ELEM, AT_ELEM, AFTER_ELEM, AFTER_VALUE, AT_END, REFUSED };

struct ingest {
	struct netmap		*nm;
	struct ingest_limits	 lim;
	struct parser		 ps;
	uint8_t			*win;		/* window of text */
	size_t			 off, len, cap;	/* parsed up to, filled up to, without the padding */
	size_t			 need;		/* bytes from off before another try is worth it */
	int			 last;		/* no more text will come */
	enum where		 where;
	unsigned		 name;		/* NM_ of the member, NM_NONE = unknown */
	size_t			 index;		/* of the list element */
	struct pb		 rules;		/* PacketFilter as it comes in */
	struct side		 side;
	struct stage		 st;
	int			 staged;
	char			 err[INGEST_ERR_MAX];
};

int	 ingest_refuse(struct ingest *g, const char *why);	/* -1 */
int	 ingest_limit(struct ingest *g, const char *why);	/* the same, because of a limit */

/* Members that are taken element by element; their type is that of the element. */
int	 take_is_list(unsigned name);
enum type_id take_type(const struct ingest *g);
/* All about g->name; the value is in g->ps.out.  0, or -1: refused. */
int	 take_list_begin(struct ingest *g);
int	 take_element(struct ingest *g);
int	 take_list_end(struct ingest *g);
int	 take_value(struct ingest *g);

#endif
