/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/resource.h>

#include "syscalls.h"
#include "mapd.h"

#define GIB (UINT64_C(1) << 30)

static const struct sbx_rlimit rlimits[] = {
	{ .resource = RLIMIT_CORE, .value = 0 },
	{ .resource = RLIMIT_FSIZE, .value = IPC_CACHE_MAX }, /* opens no file; writes its cache into a passed one */
	{ .resource = RLIMIT_NPROC, .value = 0 },             /* starts nothing */
	{ .resource = RLIMIT_NOFILE, .value = 160 },          /* 72 control clients, connections, pings */
	{ .resource = RLIMIT_DATA, .value = 2 * GIB },
	{ .resource = RLIMIT_MEMLOCK, .value = 0 },
};

const struct sandbox_profile mapd_profile = {
	.name = "mapd",
	.shared = child_syscalls,
	.die_with_parent = 1,
	.net = SBX_NET_NONE,
	.unix_scope = 1,
	.pledge = "stdio recvfd",
	.rlimits = rlimits,
	.nrlimits = sizeof(rlimits) / sizeof(rlimits[0]),
};
