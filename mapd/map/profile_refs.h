/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PROFILE_REFS_H
#define PROFILE_REFS_H

#include <stddef.h>
#include <stdint.h>

#include "dict.h"
#include "node.h"
#include "recset.h"

/*
 * How many references nodes make to each user (User, Sharer).  The netmap has the profiles that its peers and its own
 * node refer to (interface.md 5, FLD-07); with the counts a delta costs what it changes.  set hashes the ids: always
 * the same one.
 */
struct user_refs {
	int64_t		 id;
	uint32_t	 refs;		/* 0: no entry */
};
struct profile_refs {
	struct user_refs *e;
	size_t		 size, n;	/* size is a power of two, or 0 */
};

void	 profile_refs_free(struct profile_refs *p);
size_t	 profile_refs_bytes(const struct profile_refs *p);
void	 profile_refs_add(struct profile_refs *p, const struct recset *set, const struct node *n,
	    const struct dict *d);
void	 profile_refs_remove(struct profile_refs *p, const struct recset *set, const struct node *n,
	    const struct dict *d);
uint32_t profile_refs_count(const struct profile_refs *p, const struct recset *set, int64_t id);

/* 1: they refer to the same users; a NULL one refers to none. */
int	 profile_refs_same(const struct node *a, const struct dict *da, const struct node *b, const struct dict *db);

struct delta;
struct view;
/*
 * Whether a delta that is ready, and the own node's change from old to new, change which of the known profiles are
 * written.
 */
int	 profile_refs_change(const struct view *old, const struct view *new, const struct delta *d,
	    const struct dict *names);

#endif
