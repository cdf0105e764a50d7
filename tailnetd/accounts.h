/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef ACCOUNTS_H
#define ACCOUNTS_H

#include <sys/types.h>

#include <stddef.h>

#include "config.h"

/* The accounts that the children run as, and those that may use the control socket (interface.md 2, last paragraph). */
struct ids {
	uid_t	 auth_uid, map_uid, res_uid;
	gid_t	 auth_gid, map_gid, res_gid;
	gid_t	 control_gid;
	uid_t	 operator_uid;		/* may use W commands besides root */
	int	 has_operator;
};

/* All of them; the children's only for root.  0, or -1 with the reason logged. */
int	 accounts_find(const struct config *cfg, int root, struct ids *ids);
/* The operator that cfg names.  0, or -1 with a reason and nothing changed. */
int	 accounts_operator(const struct config *cfg, int root, struct ids *ids, char *err, size_t errsize);

#endif
