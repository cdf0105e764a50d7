/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MAPMEMBER_H
#define MAPMEMBER_H

#include "apply.h"
#include "directive.h"
#include "parse.h"

/* What the members of a message mean: ingest.c finds them, here each is added to the update. */
struct members {
	struct netmap		*nm;
	struct parser		 ps;		/* ps.out: the value, or the element of a list */
	unsigned		 name;		/* NM_ of the member, NM_NONE = unknown */
	size_t			 index;		/* of the list element */
	size_t			 max_peers;	/* elements of one list */
	struct pb		 rules;		/* PacketFilter, the elements read so far */
	struct directive_store	 directives;
	struct update		 update;
};
void	 members_clear(struct members *m);

/* Members that are read element by element; their type is that of the element. */
int	 member_is_list(unsigned name);
enum type_id member_type(const struct members *m);
/* The member m->name, or a part of it. */
void	 member_begin_list(struct members *m);
int	 member_element(struct members *m);	/* 0, or -1: the list has more than max_peers elements */
void	 member_end_list(struct members *m);
void	 member_value(struct members *m);

#endif
