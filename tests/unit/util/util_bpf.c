/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <string.h>

#include "unit.h"
#include "util_bpf.h"

void
bpf_must_be_valid(const struct sock_filter *f, int n)
{
	int i;

	assert_in_range(n, 1, BPF_MAXINSNS);
	for (i = 0; i < n; i++) {
		switch (f[i].code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(f[i].k % 4 == 0 && f[i].k < sizeof(struct seccomp_data));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
		case BPF_RET | BPF_K: break;
		case BPF_JMP | BPF_JA: assert_true((uint64_t)i + 1 + f[i].k < (uint64_t)n); break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K: assert_true(i + 1 + f[i].jt < n && i + 1 + f[i].jf < n); break;
		default: fail_msg("instruction %d: operation %#x", i, f[i].code);
		}
	}
	assert_int_equal(f[n - 1].code, BPF_RET | BPF_K);
}

uint32_t
bpf_run(const struct sock_filter *f, int n, const struct seccomp_data *d)
{
	uint32_t a = 0;
	int pc;

	for (pc = 0; pc < n; pc++) {
		switch (f[pc].code) {
		case BPF_LD | BPF_W | BPF_ABS: memcpy(&a, (const char *)d + f[pc].k, 4); break;
		case BPF_ALU | BPF_AND | BPF_K: a &= f[pc].k; break;
		case BPF_RET | BPF_K: return f[pc].k;
		case BPF_JMP | BPF_JA: pc += (int)f[pc].k; break;
		case BPF_JMP | BPF_JEQ | BPF_K: pc += a == f[pc].k ? f[pc].jt : f[pc].jf; break;
		case BPF_JMP | BPF_JGE | BPF_K: pc += a >= f[pc].k ? f[pc].jt : f[pc].jf; break;
		default: fail_msg("operation %#x", f[pc].code);
		}
	}
	fail_msg("ran off the end");
	return 0;
}
