/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef IDS_H
#define IDS_H

#include <sys/types.h>

/* Accounts and groups of this daemon, as numbers (interface.md 2, last paragraph); the children's only for root. */
struct ids {
	uid_t	 auth_uid, map_uid, res_uid;
	gid_t	 auth_gid, map_gid, res_gid;	/* res_gid is no account's: the resolver must not be a reader */
	gid_t	 own_gid;		/* of the account _tailnetd, the default of control-group */
	gid_t	 control_gid;
	uid_t	 operator_uid;		/* may use W commands besides root */
	int	 has_operator;
	int	 operator_outside;	/* of the group that may reach the socket */
};

#endif
