/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/resource.h>

#include "authd.h"
#include "syscalls.h"

#define MIB (UINT64_C(1) << 20)

static const struct sbx_rlimit rlimits[] = {
	{ .resource = RLIMIT_CORE, .value = 0 }, { .resource = RLIMIT_FSIZE, .value = 0 }, /* writes no file */
	{ .resource = RLIMIT_NPROC, .value = 0 },                                          /* starts nothing */
	{ .resource = RLIMIT_NOFILE, .value = 32 }, /* channel, loop, a few racing connections */
	{ .resource = RLIMIT_DATA, .value = 128 * MIB },
	{ .resource = RLIMIT_CPU, .value = 30 }, /* seconds; it waits more than it works */
};

const struct sandbox_profile authd_profile = {
	.name = "authd",
	.shared = child_syscalls,
	.die_with_parent = 1,
	.net = SBX_NET_NONE,
	.unix_scope = 1,
	.pledge = "stdio recvfd",
	.rlimits = rlimits,
	.nrlimits = sizeof(rlimits) / sizeof(rlimits[0]),
};
