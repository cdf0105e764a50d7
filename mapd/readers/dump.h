/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DUMP_H
#define DUMP_H

#include "filter.h"
#include "pack.h"
#include "profile_refs.h"
#include "walk.h"

/*
 * The netmap object (interface.md 5) and the list of peers, written piece by piece from a snapshot: nothing is
 * copied, and the map may change meanwhile.
 */
struct dump {
	struct walk	 walk;
	enum ipc_source	 source;
	int		 lines;		/* peers: one object per line, nothing around */
	uint64_t	 left;		/* peers that may still be written */
	uint64_t	 count;		/* lines written */
	int		 any;		/* an element of the list */
	int		 checking;	/* whether the filter is closed: check */
	struct filter_check check;
	int		 effective;	/* the filter is walked for EffectiveFilter */
	struct profile_refs users;	/* of the nodes written */
};

/* 0, or -1: no netmap (or too many readers).  End with dump_end() in any case. */
int	 dump_netmap(struct dump *d, struct netmap *nm);
int	 dump_peers(struct dump *d, struct netmap *nm, uint64_t limit, int has_after, int64_t after);
/*
 * Append about `about` bytes (more only by one element).  1 = there is more (it may have been a piece of the check of
 * the filter that wrote nothing), 0 = that was all.
 */
int	 dump_more(struct dump *d, struct pb *out, size_t about);
void	 dump_end(struct dump *d);

#endif
