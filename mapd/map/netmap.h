/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef NETMAP_H
#define NETMAP_H

#include <stddef.h>
#include <stdint.h>

#include "keytext.h"
#include "msgs.h"
#include "timefmt.h"
#include "view.h"

/*
 * The network map as the control server described it (protocol.md E.5 to E.9): the only copy in the whole daemon.
 * Messages get in through ingest.h, readers look at it through query.h.  Sans I/O; times are given by the caller.
 *
 * Life: netmap_session_begin() when a map request is sent; the old contents stay visible, marked stale, until the
 * first message of the new stream is applied (MAP-06), which starts from nothing.  netmap_session_end() when the
 * stream is over.
 */
/* What one message (or the passing of time) did.  The arrays belong to the netmap and live until its next change. */
struct netmap_change {
	uint64_t	 seq;		/* the netmap's Seq after it */
	int		 full;		/* the whole map is new: the lists below are empty */
	uint32_t	 fields;	/* enum ipc_field bits */
	const int64_t	*changed;	/* ids added, replaced or patched, ascending */
	size_t		 nchanged;
	const int64_t	*removed;	/* ascending */
	size_t		 nremoved;
	int		 self_changed;	/* netmap_self() may give something new (also set when full) */
};

/* A map that is put back from a cache (ingest_restore()): its keys, and when it was received. */
struct netmap_origin { struct pubkey node_key, machine_key; struct wtime received; };

struct netmap {
	struct view	*cur;			/* NULL: none */
	struct dict	*names;			/* of everything but peers */
	enum ipc_source	 source;
	uint64_t	 seq;
	int		 fresh;			/* the next message is the first of its stream */
	int		 in_session;
	struct pubkey	 node_key, machine_key;	/* of the session */
	int64_t		 clock_delta;
	int		 clock_known;		/* from this stream; else clock_delta is that of the one before */
	const struct netmap_origin *origin;	/* a cached map is being put back; else NULL */
	int		 rescan;		/* the marks of all peers must be checked again */
	uint32_t	 unreported;		/* fields that keep-alives changed since the last netmap_change */
	int64_t		*ids;			/* of the last netmap_change */
	size_t		 capids;
};

struct netmap *netmap_new(void);
void	 netmap_free(struct netmap *nm);

/* MAP_START.seq_base: Seq continues from here, if it is not larger already (interface.md 5: it never repeats). */
void	 netmap_seq_base(struct netmap *nm, uint64_t base);

void	 netmap_session_begin(struct netmap *nm, const struct pubkey *node_key, const struct pubkey *machine_key);
void	 netmap_session_end(struct netmap *nm);
void	 netmap_drop(struct netmap *nm);	/* logout: forget everything and give the memory back; Seq stays */

enum ipc_source netmap_source(const struct netmap *nm);
uint64_t netmap_seq(const struct netmap *nm);
size_t	 netmap_peers(const struct netmap *nm);
size_t	 netmap_online(const struct netmap *nm);
/* Our own node for the parent.  1 = filled, 0 = there is none. */
int	 netmap_self(const struct netmap *nm, struct ipc_self *out);

/* ControlTime - local clock in seconds, 0 if not off by more than a minute (protocol.md E.12, EXP-06). */
int64_t	 netmap_clock_delta(const struct netmap *nm);
void	 netmap_clock_set(struct netmap *nm);	/* the local clock was set: the difference is unknown (ERR-06) */
void	 netmap_reserve_ids(struct netmap *nm, size_t n);	/* room for the id lists of a change */
void	 netmap_trim(void);			/* give freed memory back to the system */

#endif
