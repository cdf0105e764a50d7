/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef RECSET_H
#define RECSET_H

#include <stddef.h>
#include <stdint.h>

#include "hash.h"

/*
 * Records by id: ordered, found in constant time, and readable as they were: a reader takes a snapshot, which
 * costs nothing; until it is released, records that it may still need are kept when they are replaced or
 * removed.  A change costs what it changes.
 *
 * Records are immutable once they are in.  A commit is recset_begin(), puts and dels.
 */
struct rec {
	struct rec	*older;		/* the record before, if a snapshot may need it */
	uint64_t	 born;		/* version of the set in which it was added */
	int64_t		 id;
	uint32_t	 size;		/* of the whole allocation */
	uint32_t	 flags;
};
#define REC_DEAD	1u		/* the id was removed in that version */

struct recset;
#define RECSET_SNAPSHOTS 160

struct recset *recset_new(void);
struct recset *recset_ref(struct recset *rs);
void	 recset_unref(struct recset *rs);	/* the last one frees all records */

size_t	 recset_count(const struct recset *rs);
size_t	 recset_bytes(const struct recset *rs);	/* memory of records and index, about */
size_t	 recset_live_bytes(const struct recset *rs);	/* of the newest records alone, dead ones not counted */
uint64_t recset_version(const struct recset *rs);
uint32_t recset_hash(const struct recset *rs, int64_t id);

uint32_t recset_slot(const struct recset *rs, int64_t id);	/* HASH_NONE: no such (living) id */
struct rec *recset_at(const struct recset *rs, uint32_t slot);	/* newest record of the slot, NULL if dead */
struct rec *recset_find(const struct recset *rs, int64_t id);

int	 recset_fits(const struct recset *rs, size_t adds);	/* room for more (HASH_MAX in all): check before */
/* Fill a new set, which owns recs then; of one id the last stays.  Slots are 0..recset_count()-1 in order of ids. */
void	 recset_load(struct recset *rs, struct rec **recs, size_t n);

void	 recset_begin(struct recset *rs);
uint32_t recset_put(struct recset *rs, struct rec *r);		/* owns r then; its slot */
void	 recset_del(struct recset *rs, int64_t id);

/* A snapshot of the present state: returns its version, or 0 if there are too many. */
uint64_t recset_snap(struct recset *rs);
void	 recset_unsnap(struct recset *rs, uint64_t version);

/*
 * Walk in ascending order of ids from the first one past (or, inclusive, at) id.  Valid until the set changes:
 * then seek again.
 */
struct recset_iter {
	size_t		chunk;
	uint32_t	pos;
};
struct recset_iter recset_first(const struct recset *rs);
struct recset_iter recset_after(const struct recset *rs, int64_t id);
/* Next record as of version (recset_version() or a snapshot's); NULL at the end. */
struct rec *recset_next(const struct recset *rs, struct recset_iter *it, uint64_t version);

#endif
