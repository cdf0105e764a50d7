/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef USERS_H
#define USERS_H

#include <stddef.h>
#include <stdint.h>

#include "dict.h"
#include "node.h"
#include "recset.h"

/*
 * How many references the peers of a set make to each user (User, Sharer): which profiles a netmap shows hangs on them (interface.md 5),
 * and a delta costs what it changes.
 */
struct user_refs {
	int64_t		 id;
	uint32_t	 refs;
	uint32_t	 taken;		/* place of the table */
};
struct users {
	struct user_refs *e;
	size_t		 size, n;	/* size is a power of two, or 0 */
};

void	 users_free(struct users *u);
size_t	 users_bytes(const struct users *u);
/* Places for the users of n, so that users_in() finds room.  0, or -1: out of memory.  set hashes the ids. */
int	 users_reserve(struct users *u, const struct recset *set, const struct node *n, const struct dict *d);
void	 users_in(struct users *u, const struct recset *set, const struct node *n, const struct dict *d);
void	 users_out(struct users *u, const struct recset *set, const struct node *n, const struct dict *d);
uint32_t users_count(const struct users *u, const struct recset *set, int64_t id);

/* 1: they refer to the same users; a NULL one refers to none. */
int	 users_same(const struct node *a, const struct dict *da, const struct node *b, const struct dict *db);

#endif
