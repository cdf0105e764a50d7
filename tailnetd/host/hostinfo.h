/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef HOSTINFO_H
#define HOSTINFO_H

#include <stddef.h>

#include "config.h"
#include "state.h"

/*
 * What is reported of this host to the server (protocol.md F.1, F.2): collected from the system, the configuration
 * and the state, then what `set hostinfo` and `set netinfo` gave (interface.md 3).
 */
struct json_object;

struct hostinfo_set {
	struct json_object *hostinfo, *netinfo;	/* what was set, merged; NULL = nothing */
};
#define HOSTINFO_NO_MEMORY	(-2)
#define HOSTINFO_TOO_LARGE	(-3)
#define HOSTINFO_TEXT_MAX	65536		/* of one `set` */
#define HOSTINFO_SET_MAX	(128u * 1024)	/* of all that is set, as text; the rest is less than 32 KiB */

void	 hostinfo_set_free(struct hostinfo_set *s);
/*
 * Merges one JSON object over what was set before, member by member; netinfo: 0 = `set hostinfo`, 1 = `set netinfo`,
 * which are kept apart (LITE-02).  A member that is null takes back what was set.  Names of F.1 and F.2 get
 * their exact spelling and their values' types are checked; other members pass.  *changed: 1 when there is a change
 * for the server; new values of DERPLatency alone are kept but are none (F.2).  0, or -1, HOSTINFO_NO_MEMORY or
 * HOSTINFO_TOO_LARGE (all that would be set then) with a reason in err and nothing changed.
 */
int	 hostinfo_set(struct hostinfo_set *s, int netinfo, const char *text, size_t n, int *changed, char *err,
	    size_t errsize);
/*
 * Appends the complete Hostinfo, NetInfo included, to out; members always in the same order.  -1: there is no
 * BackendLogID, without which nothing may be sent (REG-11; errno EINVAL), or no memory or room (ENOMEM, ENOBUFS).
 */
struct buf;
int	 hostinfo_build(const struct config *c, const struct state *st, const struct hostinfo_set *set,
	    struct buf *out);
/*
 * 1: routes are advertised - by `set hostinfo` if it has RoutableIPs, else by the configuration - and forwarding is
 * off for the family of one of them (LITE-07).  What ip_forwarding_broken() of endpoints.h says, with `set` in view.
 */
int	 hostinfo_forwarding_broken(const struct config *c, const struct hostinfo_set *set);

#endif
