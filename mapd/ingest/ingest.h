/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef INGEST_H
#define INGEST_H

#include <stddef.h>
#include <stdint.h>

#include "directive.h"
#include "netmap.h"

/*
 * One decoded MapResponse after the other into the netmap (protocol.md E.4 to E.6).  The text is read in pieces
 * of any size and never kept whole: peers, profiles and filter rules are parsed one element at a time into compact
 * records, everything else one member at a time.
 *
 *	ingest_begin(); ingest_data()...; ingest_end();		staged: nothing is visible yet
 *	act on ingest_directives()				E.4 steps 2 and 6 (Debug sleep is before the rest)
 *	ingest_apply() or ingest_discard()
 *
 * A message is applied as a whole or not at all (FLD-16): after an error the netmap is what it was.
 */
struct ingest;

#define INGEST_ERR_MAX	200

struct ingest_limits {				/* security.md D15; ingest_new() sets the defaults */
	size_t		 max_peers;		/* in the map */
	size_t		 max_member;		/* bytes of one peer element or one other member */
	size_t		 max_bytes;		/* of the map, over all messages */
};

struct ingest *ingest_new(struct netmap *nm);
void	 ingest_free(struct ingest *g);
struct ingest_limits *ingest_limits(struct ingest *g);

void	 ingest_begin(struct ingest *g);			/* also discards what was staged before */
/* 0, or -1: refused, see ingest_error(); further data is refused, too. */
int	 ingest_data(struct ingest *g, const void *p, size_t n);
int	 ingest_end(struct ingest *g);				/* 0 = one complete value, staged; -1 = refused */
const struct directives *ingest_directives(const struct ingest *g);
/*
 * Commit what was staged; now is the local wall clock.  Of a keep-alive only ControlTime and ClientVersion count
 * (KA-05). 1 = the map changed, *ch says what; 0 = nothing changed; -1 = refused (MAP-03, limits): end the
 * stream.
 */
int	 ingest_apply(struct ingest *g, struct wtime now, struct netmap_change *ch);
/*
 * The same for a message from a cache: the map becomes one of source CACHED, of o's keys and time.  Its ControlTime
 * does not count, and the first message of a stream replaces it.  Refused when there is a map already.
 */
int	 ingest_restore(struct ingest *g, const struct netmap_origin *o, struct wtime now, struct netmap_change *ch);
void	 ingest_discard(struct ingest *g);
int	 ingest_over_limit(const struct ingest *g);	/* it was refused because of a limit (security.md D15) */
size_t	 ingest_dropped(const struct ingest *g);	/* items of this message that were dropped because of one */
const char *ingest_error(const struct ingest *g);	/* one line: "Peers[3].Key: not a node key" */

#endif
