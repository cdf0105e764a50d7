/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include "sandbox_rules.h"

/* What every network child may ask of the kernel, a reason with each row (security.md 4).  A room's own rows come before these. */
extern const struct sbx_rule child_syscalls[];

#endif
