/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include "sandbox_rules.h"

/*
 * The system calls of every network child, a reason with each row (security.md 4).  A program's own rows are looked up
 * first.
 */
extern const struct sbx_rule child_syscalls[];

#endif
