/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MAPRESP_H
#define MAPRESP_H

#include "pack.h"
#include "walk.h"

/*
 * The netmap as one MapResponse (protocol.md E.5) that ingest.h reads again: the contents of the netmap cache.  Written
 * piece by piece from a snapshot, as dump.h does it; what mapd has added itself (marks of expired peers, E.12) is
 * left out.
 */
struct mapresp {
	struct walk	 walk;
	int		 any;		/* an element of the list */
	int		 others;	/* the filter is walked for PacketFilters */
	int		 open;		/* an array of rules */
};

/* 0, or -1: no netmap, or one without our own node (or too many readers).  End with mapresp_end() in any case. */
int	 mapresp_begin(struct mapresp *r, struct netmap *nm);
/* Append about `about` bytes (more only by one element).  1 = there is more, 0 = that was all. */
int	 mapresp_more(struct mapresp *r, struct pb *out, size_t about);
void	 mapresp_end(struct mapresp *r);

#endif
