/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifdef __linux__
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <string.h>

#include "sandbox_bpf.h"

#ifndef AUDIT_ARCH_RISCV64
#define AUDIT_ARCH_RISCV64 (243 | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE)
#endif
#define X32_BIT    0x40000000u
#define MAX_JUMP   255u
#define BLOCK_MAX  512u
#define OFF_NR     ((uint32_t)offsetof(struct seccomp_data, nr))
#define OFF_ARCH   ((uint32_t)offsetof(struct seccomp_data, arch))
#define OFF_ARG(n) ((uint32_t)(offsetof(struct seccomp_data, args) + 8u * (n)))

static const struct call {
	const char *name;
	int x86_64, generic;
} calls[SBX_NCALLS] = {
#define X(name, x86_64, generic) [SC_##name] = { #name, x86_64, generic },
	SANDBOX_CALLS(X)
#undef X
};

static const uint32_t audit_arch[SBX_NARCHES] = {
	[SBX_X86_64] = AUDIT_ARCH_X86_64,
	[SBX_AARCH64] = AUDIT_ARCH_AARCH64,
	[SBX_RISCV64] = AUDIT_ARCH_RISCV64,
};

struct code {
	struct sock_filter *out;
	unsigned n, max;
	int failed;
};

int
sbx_this_arch(void)
{
#if defined(__x86_64__) && !defined(__ILP32__)
	return SBX_X86_64;
#elif defined(__aarch64__) && defined(__LP64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return SBX_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
	return SBX_RISCV64;
#else
	return -1;
#endif
}

int
sbx_call_number(enum sbx_arch a, unsigned call)
{
	if (call == SBX_NO_CALL || call >= SBX_NCALLS)
		return -1;
	return a == SBX_X86_64 ? calls[call].x86_64 : calls[call].generic;
}

const char *
sbx_call_name(enum sbx_arch a, long nr)
{
	unsigned i;

	for (i = 1; i < SBX_NCALLS; i++)
		if (nr >= 0 && sbx_call_number(a, i) == nr)
			return calls[i].name;
	return NULL;
}

static void
put(struct code *c, uint16_t op, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (c->n == c->max) {
		c->failed = ENOBUFS;
		return;
	}
	c->out[c->n++] = (struct sock_filter){ .code = op, .jt = jt, .jf = jf, .k = k };
}

static void
put_load(struct code *c, uint32_t offset)
{
	put(c, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static void
put_return(struct code *c, uint32_t value)
{
	put(c, BPF_RET | BPF_K, 0, 0, value);
}

static uint32_t
kill_value(const struct sbx_program_opts *o)
{
	if (o->trap)
		return SECCOMP_RET_TRAP;
	return o->kill_thread ? SECCOMP_RET_KILL_THREAD : SECCOMP_RET_KILL_PROCESS;
}

static uint32_t
mood_value(const struct sbx_rule *r, const struct sbx_program_opts *o)
{
	if (r->action == SBX_ALLOW_IT)
		return SECCOMP_RET_ALLOW;
	if (r->action == SBX_ERRNO_IT)
		return SECCOMP_RET_ERRNO | (r->err & SECCOMP_RET_DATA);
	return kill_value(o);
}

/* One half of a 64-bit comparison.  A miss jumps `miss` instructions from the end of this half; returns its length. */
static unsigned
half_length(uint32_t mask)
{
	return mask == 0 ? 0 : mask == UINT32_MAX ? 2 : 3;
}

static void
put_half(struct code *c, uint32_t offset, uint32_t mask, uint32_t value, unsigned miss)
{
	if (mask == 0)
		return;
	put_load(c, offset);
	if (mask != UINT32_MAX)
		put(c, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
	put(c, BPF_JMP | BPF_JEQ | BPF_K, 0, (uint8_t)miss, value);
}

static unsigned
row_length(const struct sbx_rule *r)
{
	unsigned i, n = 1;

	for (i = 0; i < SBX_MAX_TESTS; i++)
		if (r->test[i].used)
			n += half_length((uint32_t)(r->test[i].mask >> 32)) + half_length((uint32_t)r->test[i].mask);
	return n;
}

/* The tests of a row, then its verdict; a test that fails jumps behind the row.  All machines are little-endian. */
static void
put_row(struct code *c, const struct sbx_rule *r, const struct sbx_program_opts *o)
{
	unsigned i, left = row_length(r);

	for (i = 0; i < SBX_MAX_TESTS; i++) {
		const struct sbx_test *t = &r->test[i];
		uint64_t value = t->own_pid ? o->pid : t->value;

		if (!t->used)
			continue;
		if ((value & ~t->mask) != 0 || t->arg > 5)
			c->failed = EINVAL;
		left -= half_length((uint32_t)t->mask);
		put_half(c, OFF_ARG(t->arg), (uint32_t)t->mask, (uint32_t)value, left);
		left -= half_length((uint32_t)(t->mask >> 32));
		put_half(c, OFF_ARG(t->arg) + 4, (uint32_t)(t->mask >> 32), (uint32_t)(value >> 32), left);
	}
	put_return(c, mood_value(r, o));
}

static int
unconditional(const struct sbx_rule *r)
{
	unsigned i;

	for (i = 0; i < SBX_MAX_TESTS; i++)
		if (r->test[i].used)
			return 0;
	return 1;
}

/* All rows of one call: `first` and those behind it.  The block never falls through, so A still is nr after it. */
static void
put_call(struct code *c, const struct sbx_rule *first, int nr, const struct sbx_program_opts *o)
{
	struct sock_filter block[BLOCK_MAX];
	struct code b = { .out = block, .max = BLOCK_MAX };
	const struct sbx_rule *r;
	unsigned i;

	for (r = first; r->call == first->call; r++) {
		put_row(&b, r, o);
		if (unconditional(r))
			break;
	}
	if (r->call != first->call)
		put_return(&b, kill_value(o));
	if (b.n <= MAX_JUMP) {
		put(c, BPF_JMP | BPF_JEQ | BPF_K, 0, (uint8_t)b.n, (uint32_t)nr);
	} else {
		put(c, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, (uint32_t)nr);
		put(c, BPF_JMP | BPF_JA, 0, 0, b.n);
	}
	for (i = 0; i < b.n; i++)
		put(c, block[i].code, block[i].jt, block[i].jf, block[i].k);
	if (b.failed)
		c->failed = b.failed;
}

static void
put_head(struct code *c, const struct sbx_program_opts *o)
{
	put_load(c, OFF_ARCH);
	put(c, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, audit_arch[o->arch]);
	put_return(c, kill_value(o));
	put_load(c, OFF_NR);
	if (o->arch == SBX_X86_64) {
		put(c, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
		put_return(c, kill_value(o));
	}
}

int
sbx_program(const struct sbx_rule *const *tables, unsigned ntables, const struct sbx_program_opts *o,
    struct sock_filter *out, unsigned max)
{
	struct code c = { .out = out, .max = max };
	const struct sbx_rule *r;
	uint8_t seen[SBX_NCALLS];
	unsigned i;
	int nr;

	memset(seen, 0, sizeof(seen));
	put_head(&c, o);
	for (i = 0; i < ntables; i++) {
		for (r = tables[i]; r != NULL && r->call != SBX_NO_CALL; r++) {
			if (r->call >= SBX_NCALLS || r->action < SBX_ALLOW_IT || r->action > SBX_KILL_IT) {
				c.failed = EINVAL;
				break;
			}
			if (r != tables[i] && r[-1].call == r->call)
				continue; /* done with the first row of its call */
			if (seen[r->call] == i + 1)
				c.failed = EINVAL; /* rows of a call not together */
			if (seen[r->call] != 0)
				continue;
			seen[r->call] = (uint8_t)(i + 1);
			if ((nr = sbx_call_number(o->arch, r->call)) != -1)
				put_call(&c, r, nr, o);
		}
	}
	put_return(&c, o->deny_list ? SECCOMP_RET_ALLOW : kill_value(o));
	if (c.failed) {
		errno = c.failed;
		return -1;
	}
	return (int)c.n;
}
#endif
