/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EXPORT_H
#define EXPORT_H

#include "dump.h"

/*
 * The netmap for other tools: `wgconf` (interface.md 7, protocol.md K.2) and `hosts`.  Only values that were
 * parsed and written again by us get out; names only if they are DNS names: a server cannot inject a line.
 */
struct claim {				/* who may have a prefix: the peer with the lowest id, those for whom it is primary first */
	uint8_t		 addr[16];
	uint8_t		 family, bits, primary, used, done;
	int64_t		 owner;
};
struct exporter {
	struct walk	 walk;
	int		 done;
	/* wgconf */
	int		 accept_routes, has_exit;
	int64_t		 exit_id;
	int		 scanned;
	struct claim	*claims;
	size_t		 nclaims, size;
	/* hosts */
	int		 hosts;
	char		 suffix[260];	/* of our own tailnet, folded; "" = unknown */
};

struct wgconf_options {
	int		 accept_routes;
	unsigned	 listen_port;
	int		 has_interface;		/* "[Interface]" stands there already */
	const char	*exit_node;		/* "" = none: name, address or StableID */
};

int	 export_wgconf(struct exporter *x, struct netmap *nm, const struct wgconf_options *o, struct pb *out);	/* 0, -1: no netmap */
int	 export_hosts(struct exporter *x, struct netmap *nm);
int	 export_more(struct exporter *x, struct pb *out, size_t about);	/* as dump_more() */
void	 export_end(struct exporter *x);

/* A name as DNS has it (letters, digits, '-', '_' in labels of 1..63, at least one label, at most 253 bytes; not localhost).  Folded to lower case,
 * without the trailing dot, into out (260 bytes).  Length, 0 = not such a name. */
size_t	 dns_name(const char *s, size_t n, char out[260]);
/* The peer that a control client means: NAME, address, node key or ID; NULL = none. */
const struct node *find_peer(const struct netmap *nm, const char *what);

#endif
