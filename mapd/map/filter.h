/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef FILTER_H
#define FILTER_H

#include "view.h"

/*
 * What the packet filter means (protocol.md E.9, FLD-06).  Rules only allow; what cannot be understood is left
 * out, what would be read wrongly closes the whole filter.  Never the other way round.
 */

/* Addresses first..last of one family; family 0: all. */
struct filter_range {
	uint8_t		 first[16], last[16];
	unsigned	 family;
};

/*
 * Whether anything is allowed at all, whatever the rules say.  In pieces: the server chooses how many rules, sources
 * and peers there are.  The view and d stay as they are until the end (hold a snapshot).
 */
struct filter_check {
	const char	*closed;		/* when done: why nothing is allowed, or NULL = the rules count */
	/* private */
	const struct view *v;
	uint64_t	 peers_at;
	const struct dict *d;
	int		 at, begun, any;
	int64_t		 last;			/* peer */
	struct filter_range *unsigned_peers;	/* NULL: none yet */
	size_t		 n, chunk;
	const uint8_t	*rule, *ports, *sources;	/* the next one of each */
};
/* peers_at: version of the peers.  End with filter_check_end(), also of a zeroed one. */
void	 filter_check_begin(struct filter_check *c, const struct view *v, uint64_t peers_at, const struct dict *d);
int	 filter_check_more(struct filter_check *c, size_t work);	/* peers and entries; 1 = not done yet */
void	 filter_check_end(struct filter_check *c);
/*
 * The part of a rule that has an effect, as a FilterRule with IPProto spelt out.  0 = no part has one, and
 * nothing was written.
 */
int	 filter_print_rule(struct pb *out, const uint8_t *rule, const struct dict *d, int comma);

#endif
