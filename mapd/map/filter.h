/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef FILTER_H
#define FILTER_H

#include "view.h"

/*
 * What the packet filter means (protocol.md E.9, FLD-06).  Rules only allow; what cannot be understood is left
 * out, what would be read wrongly closes the whole filter.  Never the other way round.
 */

/* Why nothing at all is allowed, whatever the rules say; NULL = the rules count.  peers_at: version of the peers. */
const char *filter_closed(const struct view *v, uint64_t peers_at, const struct dict *d);
/*
 * The part of a rule that has an effect, as a FilterRule with IPProto spelt out.  0 = no part has one, and
 * nothing was written.
 */
int	 filter_print_rule(struct pb *out, const uint8_t *rule, const struct dict *d, int comma);

#endif
