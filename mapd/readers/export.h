/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EXPORT_H
#define EXPORT_H

#include "dump.h"

/*
 * The netmap for other tools: `wgconf` (interface.md 7, protocol.md K.2) and `hosts`.  Only values that were
 * parsed and written again by us get out; names only if they are DNS names: a server cannot inject a line.
 */
/* The peer that a prefix is given to: the one with the lowest id, but first those whose primary route it is. */
struct claim {
	uint8_t		 addr[16];
	uint8_t		 family, bits, primary, used, done;
	int64_t		 owner;
};
struct exporter {
	struct walk	 walk;
	int		 done;
	uint64_t	 count;		/* peers written */
	/* wgconf */
	const struct ipc_map_params *host;
	uint8_t		 lengths[2][129];	/* 1: a prefix of this length was given out; [1]: IPv6 */
	size_t		 nlengths[2];		/* how many of them */
	size_t		 looked;		/* claims that endpoints were compared with, in this turn */
	int		 accept_routes, has_exit;
	int64_t		 exit_id;
	int		 scanned;
	struct claim	*claims;
	size_t		 nclaims, size;
	/* hosts */
	int		 hosts;
	char		 suffix[260];	/* of our own tailnet, folded; "" = unknown */
	char		 self[260];	/* name of our own node, folded; "" = unknown */
	char		 hostname[260];	/* of this system, folded; "" = unknown */
	const uint8_t	*record;	/* the next of DNS.ExtraRecords; NULL = peers first, or none */
};

/* hostname: what this system is called, "" = unknown.  0, -1: no netmap */
int	 export_hosts(struct exporter *x, struct netmap *nm, const char *hostname);
int	 export_more(struct exporter *x, struct pb *out, size_t about);	/* as dump_more() */
void	 export_end(struct exporter *x);

#endif
