/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef RESOLVER_H
#define RESOLVER_H

#include <sys/types.h>

/*
 * The resolver's sandbox (resolver/resolver_sandbox.c).  It must read the files of the name service and talk to name servers, so
 * it is wider than a network child's: own ids, no exec, no writing, the resolver's own system calls.  drop_ids: become
 * uid/gid.  Returns the layers in force (enum sandbox_layer), or -1 after logging why: the caller exits EXIT_SANDBOX.
 */
int	 sandbox_enter_resolver(int required, int drop_ids, uid_t uid, gid_t gid);

#define RESOLVER_MAX_LINES	16	/* security.md D3 */
#define RESOLVER_SECONDS	10

/*
 * One look-up.  arg is argv[1]: "build:uid:gid:required:name", build the parent's build_id (another one is refused), uid and gid empty when ids are kept, required 0 or 1.  Answers on
 * out (a pipe to the parent): up to 16 lines "4 192.0.2.1" or "6 2001:db8::1", or one line "error TEXT".  Returns the exit
 * code: 0 found, 1 not found, EXIT_BYHAND when arg or out is not what the parent gives, EXIT_SANDBOX.
 */
int	 resolver_run(const char *arg, int out);

#endif
