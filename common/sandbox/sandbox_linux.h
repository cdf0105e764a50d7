/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SANDBOX_LINUX_H
#define SANDBOX_LINUX_H

#include "sandbox.h"

/* Between the files of the Linux backend. */

/* SETGID 6, SETUID 7, SYS_CHROOT 18, KILL 5: the parent keeps these, so a child's bounding set may have them, too. */
#define SANDBOX_PARENT_CAPS ((UINT64_C(1) << 5) | (UINT64_C(1) << 6) | (UINT64_C(1) << 7) | (UINT64_C(1) << 18))

/*
 * Landlock: all that the kernel can handle, with rules only for the given paths and ports.  1, or -1 with errno and
 * detail.
 */
int	 sandbox_landlock(const struct sandbox_profile *p, const struct sandbox_opts *o, const char **detail);

/* SANDBOX_TRACE builds: SIGSYS names the call on descriptor 2, then the process ends; returns 1.  Other builds: 0. */
int	 sandbox_trace_begin(const char *name);

#endif
