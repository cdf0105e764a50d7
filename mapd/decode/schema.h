/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SCHEMA_H
#define SCHEMA_H

#include <stdint.h>

#include "names.h"

/*
 * What Go's decoder would check (protocol.md A.3, E, F; FLD-16): the type of every known member at every level.
 * Unknown members are kept unchanged.  null is allowed everywhere and means absent.
 */
enum schema_kind {
	JK_ANY, JK_STR, JK_FQDN, JK_BOOL, JK_I64, JK_U64, JK_U16, JK_F64, JK_TIME, JK_PFX, JK_IP, JK_ENDPOINT,
	JK_NODEKEY, JK_MKEY, JK_DISCO, JK_B64,
	JK_OBJ,			/* members by name */
	JK_ARR,			/* elements of one type */
	JK_MAP,			/* any names, values of one type */
	JK_INTMAP		/* whole numbers as names */
};

enum type_id {
	TY_NONE,		/* in a member table: not a known name */
	TY_ANY, TY_STR, TY_FQDN, TY_BOOL, TY_I64, TY_U64, TY_U16, TY_F64, TY_TIME, TY_PFX, TY_IP, TY_ENDPOINT,
	TY_NODEKEY, TY_MKEY, TY_DISCO, TY_B64,
	TY_ARR_ANY, TY_ARR_STR, TY_ARR_I64, TY_ARR_PFX, TY_ARR_IP, TY_ARR_ENDPOINT,
	TY_MAP_STR, TY_MAP_F64, TY_INTMAP_BOOL, TY_INTMAP_F64,
	/* node */
	TY_NODE, TY_PEERCHANGE, TY_ROUTES, TY_ENDPOINTS, TY_CAPMAP, TY_CAPVALUES, TY_RESOLVER, TY_RESOLVERS,
	TY_HOSTINFO, TY_LOCATION, TY_TPM, TY_SERVICE, TY_SERVICES, TY_NETINFO,
	/* the rest of the map */
	TY_DERPMAP, TY_HOMEPARAMS, TY_REGION, TY_REGIONS, TY_DERPNODE, TY_DERPNODES,
	TY_DNS, TY_DNSROUTES, TY_EXTRARECORD, TY_EXTRARECORDS,
	TY_PROFILE, TY_RULE, TY_RULES, TY_CHUNKS, TY_DSTPORT, TY_DSTPORTS, TY_PORTRANGE, TY_CAPGRANT, TY_CAPGRANTS,
	TY_SSH, TY_SSHRULE, TY_SSHRULES, TY_SSHPRINCIPAL, TY_SSHPRINCIPALS, TY_SSHACTION, TY_SSHRECFAIL,
	TY_DISPLAY, TY_DISPLAYS, TY_DISPLAYACTION, TY_CLIENTVERSION, TY_TKA, TY_DIALPLAN, TY_CANDIDATE, TY_CANDIDATES,
	TY_PING, TY_DEBUG,
	TY_MAPRESPONSE,
	TY_COUNT
};

struct schema_type {
	uint8_t		 kind;
	uint8_t		 elem;		/* type of elements or map values */
	uint16_t	 max;		/* elements or members kept (D15), others are dropped; 0 = no own limit */
	const uint8_t	*members;	/* JK_OBJ: type of each name_id, TY_NONE = unknown */
};

extern const struct schema_type schema_types[TY_COUNT];

#endif
