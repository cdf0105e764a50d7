/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef NETMAP_FIELDS_H
#define NETMAP_FIELDS_H

/*
 * Every member of the netmap object (interface.md 5) but the peers, in the order in which it is written.  Made from
 * it: the names and types that mapd knows in a MapResponse, the bits of struct ipc_delta_rec.fields, the names in
 * "fields" of both watchers' events, the netmap object and the netmap cache.
 *
 *	F(member, name, type, none, kind)
 *
 *	member	its name in a MapResponse (protocol.md E.5); gives NM_member, NF_member and IPC_F_member
 *	name	its name in the netmap object and in the list "fields" of a delta event
 *	type	TY_type of mapd/decode/schema.h; for a list that is read element by element the type of an element
 *	none	what is written when the netmap has no such member
 *	kind	VALUE: one value that the next one replaces.  KEPT: the same, but its empty value means unchanged
 *		(FLD-08).  OWN: has rules of its own
 */
#define NETMAP_FIELDS(F) \
	F(Node, "SelfNode", NODE, "null", OWN) \
	F(DNSConfig, "DNS", DNS, "{}", VALUE) \
	F(DERPMap, "DERPMap", DERPMAP, "null", VALUE) \
	F(PacketFilter, "PacketFilterRules", RULE, "[]", OWN) \
	F(UserProfiles, "UserProfiles", PROFILE, "{}", OWN) \
	F(Domain, "Domain", STR, "\"\"", KEPT) \
	F(DomainDataPlaneAuditLogID, "DomainAuditLogID", STR, "\"\"", KEPT) \
	F(SSHPolicy, "SSHPolicy", SSH, "null", VALUE) \
	F(CollectServices, "CollectServices", BOOL, "null", VALUE) \
	F(Health, "Health", ARR_STR, "[]", VALUE) \
	F(DisplayMessages, "DisplayMessages", DISPLAYS, "{}", OWN) \
	F(TKAInfo, "TKAInfo", TKA, "null", VALUE) \
	F(ControlTime, "ControlTime", TIME, "\"\"", KEPT) \
	F(ClientVersion, "ClientVersion", CLIENTVERSION, "null", VALUE) \
	F(DefaultAutoUpdate, "DefaultAutoUpdate", BOOL, "null", VALUE)

/*
 * Members of the netmap object that follow from others, as events name them: D(name).  Their bits come after those of
 * NETMAP_FIELDS.
 */
#define NETMAP_DERIVED(D) \
	D(EffectiveFilter) \
	D(Expiry)

#endif
