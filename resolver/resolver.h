/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef RESOLVER_H
#define RESOLVER_H

#define RESOLVER_MAX_LINES	16	/* security.md D3 */
#define RESOLVER_SECONDS	30	/* then it ends */
#define RESOLVER_CPU_SECONDS	10

/*
 * One look-up.  arg is argv[1]: "build:uid:gid:required:name": the parent's build_id (a different one is refused),
 * uid and gid empty when ids are kept, required 0 or 1.  Answers on out (a pipe to the parent): up to 16 lines "4
 * 192.0.2.1" or "6 2001:db8::1", or one line "error TEXT".  Returns the exit code: 0 found, 1 not found, EXIT_BYHAND
 * when arg or out is not what the parent gives, EXIT_SANDBOX.
 */
int	 resolver_run(const char *arg, int out);

#endif
