/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef INGEST_H
#define INGEST_H

#include <stddef.h>
#include <stdint.h>

#include "netmap.h"

/*
 * One decoded MapResponse after the other into the netmap (protocol.md E.4 to E.6).  The text is taken in pieces
 * of any size and never kept whole: peers, profiles and filter rules are parsed one element at a time into compact
 * records, everything else one member at a time.
 *
 *	ingest_begin(); ingest_data()...; ingest_end();		staged: nothing is visible yet
 *	look at ingest_side() and act on it			E.4 steps 2 and 6 (Debug sleep comes before the rest is applied)
 *	ingest_apply() or ingest_discard()
 *
 * A message is taken whole or not at all (FLD-16): after an error the netmap is what it was.
 */
struct ingest;

#define INGEST_ERR_MAX	200

struct ingest_ping {				/* PingRequest, E.10; texts are terminated, strings with a NUL are refused as none */
	const char	*url;			/* "" = ignore */
	const char	*types;			/* "", "c2n", "disco,TSMP" */
	const char	*ip;
	int		 url_is_noise, log;
	const uint8_t	*payload;		/* decoded from base64 */
	size_t		 payload_len;
};

/* Members that are not part of the netmap.  Lives until ingest_apply(), ingest_discard() or ingest_begin(). */
struct ingest_side {
	int			 keepalive;
	int			 has_node;	/* the first message that is not a keep-alive must (MAP-03): ingest_apply() checks */
	const struct ingest_ping *ping;		/* NULL: none */
	const char		*browse;	/* PopBrowserURL, printable and terminated; NULL: none.  Once per URL: the caller's business */
	int			 has_control_time;
	struct wtime		 control_time;
	const struct ipc_dial_plan *dial_plan;	/* NULL: absent; n = 0: use DNS (E.11) */
	int			 has_exit;	/* Debug.Exit, DBG-04 */
	int64_t			 exit_code;
	uint32_t		 sleep_ms;	/* Debug.SleepSeconds, clamped to 0..300000 (DBG-01, DBG-03) */
	int			 disable_logtail;
	size_t			 bytes;		/* length of the decoded message */
};

struct ingest_limits {				/* security.md D15; ingest_new() sets the defaults */
	size_t		 max_peers;		/* in the map */
	size_t		 max_member;		/* bytes of one peer element or one other member */
	size_t		 max_bytes;		/* that the map may take, however many messages brought it */
};

struct ingest *ingest_new(struct netmap *nm);	/* NULL: out of memory */
void	 ingest_free(struct ingest *g);
struct ingest_limits *ingest_limits(struct ingest *g);

void	 ingest_begin(struct ingest *g);			/* also discards what was staged before */
int	 ingest_data(struct ingest *g, const void *p, size_t n);/* 0, or -1: refused, see ingest_error(); further data is refused too */
int	 ingest_end(struct ingest *g);				/* 0 = one complete value, staged; -1 = refused */
const struct ingest_side *ingest_side(const struct ingest *g);
/*
 * Commit what was staged; now is the local wall clock.  A keep-alive only brings its ControlTime and ClientVersion
 * (KA-05). 1 = the map changed, *ch says what; 0 = nothing changed; -1 = refused (MAP-03, limits, memory): end the
 * stream.
 */
int	 ingest_apply(struct ingest *g, struct wtime now, struct netmap_change *ch);
/*
 * The same for a message that comes from a cache: the map becomes one of source CACHED, of o's keys and time.  It says nothing about
 * the clock, and the first message of a stream replaces it.  Refused when there is a map already.
 */
int	 ingest_restore(struct ingest *g, const struct netmap_origin *o, struct wtime now, struct netmap_change *ch);
void	 ingest_discard(struct ingest *g);
int	 ingest_over_limit(const struct ingest *g);		/* it was refused because of a limit (security.md D15) */
size_t	 ingest_dropped(const struct ingest *g);		/* items of this message that were left out because of one */
const char *ingest_error(const struct ingest *g);	/* one line for people and status: "Peers[3].Key: not a node key" */

#endif
