/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SANDBOX_BPF_H
#define SANDBOX_BPF_H

#include <stdint.h>

#include "sandbox_rules.h"

/* Architectures a filter can be made for. */
enum sbx_arch { SBX_X86_64, SBX_AARCH64, SBX_RISCV64, SBX_NARCHES };

int	 sbx_this_arch(void);				/* enum sbx_arch, or -1: no filter for this machine */
int	 sbx_call_number(enum sbx_arch a, unsigned call);	/* -1: the architecture has no such call */
const char *sbx_call_name(enum sbx_arch a, long nr);	/* NULL: unknown */

struct sock_filter;
struct sbx_program_opts {
	enum sbx_arch	 arch;
	int		 deny_list;		/* calls without a row are allowed */
	int		 trap;			/* SIGSYS with a handler in place of a kill (SANDBOX_TRACE) */
	int		 kill_thread;		/* the kernel has no KILL_PROCESS */
	uint32_t	 pid;			/* for SBX_PID */
};
/*
 * Make the filter.  Tables are tried in order: a call with rows in an earlier one is not looked up in the later ones.
 * Returns the number of instructions, or -1 with errno ENOBUFS (more than max) or EINVAL (rows of a call apart, ...).
 */
int	 sbx_program(const struct sbx_rule *const *tables, unsigned ntables, const struct sbx_program_opts *o,
	    struct sock_filter *out, unsigned max);

#endif
