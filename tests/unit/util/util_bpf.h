/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_BPF_H
#define UTIL_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "unit.h"

/*
 * What the kernel's verifier demands of a seccomp program: known operations, aligned loads, jumps forward and inside,
 * RET last.
 */
void	 bpf_must_be_valid(const struct sock_filter *f, int n);
/* Runs the program as the kernel would. */
uint32_t bpf_run(const struct sock_filter *f, int n, const struct seccomp_data *d);

#endif
