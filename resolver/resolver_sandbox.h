/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef RESOLVER_SANDBOX_H
#define RESOLVER_SANDBOX_H

#include <sys/types.h>

/*
 * The resolver's sandbox.  It must read the files of the name service and talk to name servers, so it is wider than a
 * network child's: own ids, no exec, no writing, the resolver's own system calls.  drop_ids: become uid/gid.  Returns
 * the layers in force (enum sandbox_layer), or -1 after logging why: the caller exits EXIT_SANDBOX.
 */
int	 sandbox_enter_resolver(int required, int drop_ids, uid_t uid, gid_t gid);

#endif
