/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <linux/audit.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox_bpf.h"
#include "util_bpf.h"
#include "sandbox.h"

#define MAX    4096
#define KILL   SECCOMP_RET_KILL_PROCESS
#define OK     SECCOMP_RET_ALLOW
#define ERR(e) (SECCOMP_RET_ERRNO | (e))

static const uint32_t audit[SBX_NARCHES] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, 0xc00000f3 };
static struct sock_filter code[MAX];
static int len;

static void
make(const struct sbx_rule *a, const struct sbx_rule *b, enum sbx_arch arch, int deny)
{
	const struct sbx_rule *const tables[] = { a, b };
	struct sbx_program_opts o = { .arch = arch, .deny_list = deny, .pid = 4711 };

	len = sbx_program(tables, 2, &o, code, MAX);
	assert_true(len > 0);
	bpf_must_be_valid(code, len);
}

static uint32_t
ask(enum sbx_arch arch, int nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct seccomp_data d = { .nr = nr, .arch = audit[arch], .args = { a0, a1, a2 } };

	return bpf_run(code, len, &d);
}

static void
test_moods_and_defaults(void **state)
{
	static const struct sbx_rule rules[] = { SBX_ALLOW(read), SBX_FAIL(openat, 13), SBX_KILL(write), SBX_END };

	(void)state;
	make(rules, NULL, SBX_X86_64, 0);
	assert_int_equal(ask(SBX_X86_64, 0, 0, 0, 0), OK);
	assert_int_equal(ask(SBX_X86_64, 257, 0, 0, 0), ERR(13));
	assert_int_equal(ask(SBX_X86_64, 1, 0, 0, 0), KILL);
	assert_int_equal(ask(SBX_X86_64, 2, 0, 0, 0), KILL);
	make(rules, NULL, SBX_AARCH64, 1);
	assert_int_equal(ask(SBX_AARCH64, 63, 0, 0, 0), OK);
	assert_int_equal(ask(SBX_AARCH64, 56, 0, 0, 0), ERR(13));
	assert_int_equal(ask(SBX_AARCH64, 64, 0, 0, 0), KILL);
	assert_int_equal(ask(SBX_AARCH64, 2, 0, 0, 0), OK);
}

static void
test_foreign_architectures_die(void **state)
{
	static const struct sbx_rule rules[] = { SBX_ALLOW(read), SBX_END };
	struct seccomp_data d = { .nr = 0, .arch = AUDIT_ARCH_I386 };
	int deny, a;

	(void)state;
	for (deny = 0; deny < 2; deny++) {
		for (a = 0; a < SBX_NARCHES; a++) {
			make(rules, NULL, (enum sbx_arch)a, deny);
			d.arch = AUDIT_ARCH_I386;
			d.nr = 0;
			assert_int_equal(bpf_run(code, len, &d), KILL);
			d.arch = audit[(a + 1) % SBX_NARCHES];
			assert_int_equal(bpf_run(code, len, &d), KILL);
		}
		make(rules, NULL, SBX_X86_64, deny);
		assert_int_equal(ask(SBX_X86_64, 0x40000000, 0, 0, 0), KILL); /* read(2) of x32 */
		assert_int_equal(ask(SBX_X86_64, 0x40000000 + 520, 0, 0, 0), KILL);
		assert_int_equal(ask(SBX_X86_64, -1, 0, 0, 0), KILL);
	}
}

static void
test_arguments_are_compared_whole(void **state)
{
	static const struct sbx_rule rules[] = { SBX_ALLOW_IF(fcntl, SBX_EQ(1, 3)),
		SBX_ALLOW_IF(fcntl, SBX_EQ(1, UINT64_C(0x500000004)), SBX_BITS(2, 0x800)),
		SBX_FAIL_IF(fcntl, 22, SBX_EQ(1, 9)), SBX_ALLOW_IF(tgkill, SBX_PID(0), SBX_EQ(2, 6)),
		SBX_ALLOW_IF(mmap, SBX_MASK(2, 0xff00000003, 0x1200000001)), SBX_END };
	const int fcntl_nr = 72, tgkill_nr = 234, mmap_nr = 9;

	(void)state;
	make(rules, NULL, SBX_X86_64, 0);
	assert_int_equal(ask(SBX_X86_64, fcntl_nr, 0, 3, 99), OK);
	assert_int_equal(ask(SBX_X86_64, fcntl_nr, 0, UINT64_C(0x100000003), 0), KILL);
	assert_int_equal(ask(SBX_X86_64, fcntl_nr, 0, UINT64_C(0x500000004), 0x800), OK);
	assert_int_equal(ask(SBX_X86_64, fcntl_nr, 0, UINT64_C(0x500000004), 0), OK);
	assert_int_equal(ask(SBX_X86_64, fcntl_nr, 0, UINT64_C(0x500000004), 0x801), KILL);
	assert_int_equal(ask(SBX_X86_64, fcntl_nr, 0, UINT64_C(0x500000004), UINT64_C(0x100000800)), KILL);
	assert_int_equal(ask(SBX_X86_64, fcntl_nr, 0, 4, 0x800), KILL);
	assert_int_equal(ask(SBX_X86_64, fcntl_nr, 0, 9, 0), ERR(22));
	assert_int_equal(ask(SBX_X86_64, tgkill_nr, 4711, 1, 6), OK);
	assert_int_equal(ask(SBX_X86_64, tgkill_nr, 4712, 1, 6), KILL);
	assert_int_equal(ask(SBX_X86_64, tgkill_nr, 4711, 1, 9), KILL);
	assert_int_equal(ask(SBX_X86_64, mmap_nr, 0, 0, UINT64_C(0xf1200000ffd)), OK);
	assert_int_equal(ask(SBX_X86_64, mmap_nr, 0, 0, UINT64_C(0xf1300000ffd)), KILL);
	assert_int_equal(ask(SBX_X86_64, mmap_nr, 0, 0, UINT64_C(0xf1200000ffe)), KILL);
}

static void
test_earlier_table_wins(void **state)
{
	static const struct sbx_rule own[] = { SBX_KILL(write), SBX_END };
	static const struct sbx_rule shared[] = { SBX_ALLOW(read), SBX_ALLOW(write), SBX_END };

	(void)state;
	make(own, shared, SBX_X86_64, 0);
	assert_int_equal(ask(SBX_X86_64, 0, 0, 0, 0), OK);
	assert_int_equal(ask(SBX_X86_64, 1, 0, 0, 0), KILL);
	make(NULL, shared, SBX_X86_64, 0);
	assert_int_equal(ask(SBX_X86_64, 1, 0, 0, 0), OK);
}

static void
test_bad_tables_are_refused(void **state)
{
	static const struct sbx_rule apart[] = { SBX_ALLOW(read), SBX_ALLOW(write), SBX_FAIL(read, 1), SBX_END };
	static const struct sbx_rule outside[] = { SBX_ALLOW_IF(read, SBX_MASK(0, 1, 2)), SBX_END };
	static const struct sbx_rule seventh[] = { SBX_ALLOW_IF(read, SBX_EQ(6, 2)), SBX_END };
	static const struct sbx_rule strange[] = { { .call = SBX_NCALLS, .action = SBX_ALLOW_IT }, SBX_END };
	static const struct sbx_rule moodless[] = { { .call = SC_read }, SBX_END };
	static const struct sbx_rule fine[] = { SBX_ALLOW(read), SBX_END };
	static const struct sbx_rule *const bad[] = { apart, outside, seventh, strange, moodless };
	struct sbx_program_opts o = { .arch = SBX_X86_64 };
	const struct sbx_rule *one = fine;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		assert_int_equal(sbx_program(&bad[i], 1, &o, code, MAX), -1);
		assert_int_equal(errno, EINVAL);
	}
	assert_int_equal(sbx_program(&one, 1, &o, code, 5), -1);
	assert_int_equal(errno, ENOBUFS);
}

/* A block longer than a conditional jump reaches. */
static void
test_long_blocks(void **state)
{
	struct sbx_rule rules[61];
	unsigned i;

	(void)state;
	memset(rules, 0, sizeof(rules));
	for (i = 0; i < 59; i++)
		rules[i] = (struct sbx_rule)SBX_ALLOW_IF(ioctl, SBX_EQ(1, UINT64_C(0x700000000) + i));
	rules[59] = (struct sbx_rule)SBX_ALLOW(read);
	make(rules, NULL, SBX_X86_64, 0);
	assert_true(len > 300);
	for (i = 0; i < 70; i++)
		assert_int_equal(ask(SBX_X86_64, 16, 0, UINT64_C(0x700000000) + i, 0), i < 59 ? OK : KILL);
	assert_int_equal(ask(SBX_X86_64, 0, 0, 0, 0), OK);
	assert_int_equal(ask(SBX_X86_64, 1, 0, 0, 0), KILL);
}

/* --- random tables against a reading of the rules of sandbox_rules.h --- */

static uint32_t
reading(const struct sbx_rule *const *tables, enum sbx_arch arch, int deny, const struct seccomp_data *d)
{
	const struct sbx_rule *r;
	int t, i, known = 0;

	for (t = 0; t < 2; t++) {
		for (r = tables[t]; r->call != SBX_NO_CALL; r++) {
			if (sbx_call_number(arch, r->call) != d->nr)
				continue;
			known = 1;
			for (i = 0; i < SBX_MAX_TESTS; i++) {
				const struct sbx_test *e = &r->test[i];

				if (e->used && (d->args[e->arg] & e->mask) != (e->own_pid ? 4711 : e->value))
					break;
			}
			if (i == SBX_MAX_TESTS)
				return r->action == SBX_ALLOW_IT ? OK : r->action == SBX_ERRNO_IT ? ERR(r->err) : KILL;
		}
		if (known)
			return KILL;
	}
	return deny ? OK : KILL;
}

static uint64_t
some_value(void)
{
	static const uint64_t values[] = { 0, 1, 2, 3, 0x80000000, UINT64_C(0x100000000), UINT64_C(0x100000001),
		UINT64_MAX, 4711 };

	return values[arc4random_uniform(sizeof(values) / sizeof(values[0]))];
}

static void
random_table(struct sbx_rule *r, unsigned first, unsigned step)
{
	unsigned call, rows, i, n = 0;

	for (call = first; call < 40; call += step) {
		for (rows = 1 + arc4random_uniform(4); rows > 0; rows--, n++) {
			r[n] = (struct sbx_rule){ .call = (uint16_t)call,
				.action = (uint16_t)(1 + arc4random_uniform(3)),
				.err = 22 };
			for (i = 0; i < arc4random_uniform(SBX_MAX_TESTS + 1); i++) {
				uint64_t mask = arc4random_uniform(2) ? UINT64_MAX : ~some_value();

				r[n].test[i] = (struct sbx_test){ .used = 1,
					.arg = (uint8_t)arc4random_uniform(3),
					.mask = mask,
					.value = some_value() & mask,
					.own_pid = mask == UINT64_MAX && arc4random_uniform(5) == 0 };
			}
		}
	}
	r[n].call = SBX_NO_CALL;
}

static void
test_random_tables(void **state)
{
	struct sbx_rule a[256], b[256];
	const struct sbx_rule *const tables[] = { a, b };
	int round, i, arch, deny;

	(void)state;
	for (round = 0; round < 300; round++) {
		random_table(a, 1 + arc4random_uniform(3), 1 + arc4random_uniform(3));
		random_table(b, 1 + arc4random_uniform(3), 1 + arc4random_uniform(3));
		arch = (int)arc4random_uniform(SBX_NARCHES);
		deny = (int)arc4random_uniform(2);
		make(a, b, (enum sbx_arch)arch, deny);
		for (i = 0; i < 2000; i++) {
			struct seccomp_data d = { .nr =
						      sbx_call_number((enum sbx_arch)arch, 1 + arc4random_uniform(45)),
				.arch = audit[arch],
				.args = { some_value(), some_value(), some_value() } };

			if (d.nr != -1)
				assert_int_equal(bpf_run(code, len, &d),
				    reading(tables, (enum sbx_arch)arch, deny, &d));
		}
	}
}

/* One of our calls by its name. */
static int
number_of(const char *name, enum sbx_arch arch)
{
	unsigned i;

	for (i = 1; i < SBX_NCALLS; i++) {
		const char *ours = sbx_call_name(SBX_X86_64, sbx_call_number(SBX_X86_64, i));

		if (ours != NULL && strcmp(ours, name) == 0)
			return sbx_call_number(arch, i);
	}
	return -2;
}

/* Our numbers against the system's headers, where they are installed. */
static int
compare_numbers(const char *path, enum sbx_arch arch)
{
	char line[256], name[100];
	FILE *f;
	int nr, n = 0;

	if ((f = fopen(path, "r")) == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *ours;

		if (sscanf(line, "#define __NR_%99s %d", name, &nr) != 2 &&
		    sscanf(line, "#define __NR3264_%99s %d", name, &nr) != 2)
			continue;
		ours = sbx_call_name(arch, nr);
		if (strcmp(name, "syscalls") == 0)
			continue;                             /* their number */
		if (number_of(name, arch) == -1 && nr < 1024) /* above: old, removed */
			fail_msg("%s: %s is %d, we say there is none", path, name, nr);
		if (ours != NULL && strcmp(ours, name) == 0)
			n++;
		else if (ours != NULL && strcmp(name, "arch_specific_syscall") != 0 && strstr(name, "64") == NULL &&
		    strcmp(ours, "newfstatat") != 0 && strcmp(ours, "sync_file_range") != 0)
			fail_msg("%s: %d is %s, we say %s", path, nr, name, ours);
	}
	fclose(f);
	return n;
}

static void
test_numbers(void **state)
{
	int x = compare_numbers("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", SBX_X86_64);
	int g = compare_numbers("/usr/include/asm-generic/unistd.h", SBX_AARCH64);

	(void)state;
	if (x + g == 0)
		skip();
	assert_true(x == 0 || x > 340);
	assert_true(g == 0 || g > 270);
	assert_int_equal(sbx_call_number(SBX_X86_64, SC_openat), 257);
	assert_int_equal(sbx_call_number(SBX_AARCH64, SC_open), -1);
	assert_int_equal(sbx_call_number(SBX_RISCV64, SC_riscv_hwprobe), 258);
	assert_null(sbx_call_name(SBX_X86_64, 100000));
	assert_null(sbx_call_name(SBX_X86_64, -1));
}

/* The parent's and the resolver's list. */
static void
test_deny_list(void **state)
{
	static const uint64_t spaces[] = { 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000,
		0x40000000 };
	int a;
	size_t i;

	(void)state;
	for (a = 0; a < SBX_NARCHES; a++) {
		enum sbx_arch arch = (enum sbx_arch)a;
		int clone_nr = sbx_call_number(arch, SC_clone);

		make(NULL, sbx_deny_calls, arch, 1);
		assert_int_equal(ask(arch, sbx_call_number(arch, SC_ptrace), 0, 0, 0), ERR(1));
		assert_int_equal(ask(arch, sbx_call_number(arch, SC_bpf), 0, 0, 0), ERR(1));
		assert_int_equal(ask(arch, sbx_call_number(arch, SC_mount), 0, 0, 0), ERR(1));
		assert_int_equal(ask(arch, sbx_call_number(arch, SC_io_uring_setup), 0, 0, 0), ERR(1));
		assert_int_equal(ask(arch, sbx_call_number(arch, SC_unshare), 0, 0, 0), ERR(1));
		assert_int_equal(ask(arch, sbx_call_number(arch, SC_clone3), 0, 0, 0), ERR(38));
		assert_int_equal(ask(arch, sbx_call_number(arch, SC_execveat), 0, 0, 0), OK);
		assert_int_equal(ask(arch, sbx_call_number(arch, SC_setresuid), 0, 0, 0), OK);
		assert_int_equal(ask(arch, sbx_call_number(arch, SC_seccomp), 0, 0, 0), OK);
		assert_int_equal(ask(arch, clone_nr, 0x1200011, 0, 0), OK); /* fork() */
		for (i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
			assert_int_equal(ask(arch, clone_nr, 0x1200011 | spaces[i], 0, 0), ERR(1));
	}
}

static void
test_status_text(void **state)
{
	static const char child[] =
	    "Name:\tmapd\nUid:\t990\t990\t990\t990\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
	    "CapEff:\t0000000000000000\nCapBnd:\t00000000000400e0\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t2\n";
	char text[sizeof(child)];
	unsigned layers = SBX_UID | SBX_CHROOT | SBX_SECCOMP | SBX_CAPS | SBX_NNP, l;

	(void)state;
	l = layers;
	assert_int_equal(sandbox_parse_status(child, sizeof(child) - 1, &l), 0);
	assert_int_equal(l, layers);
	l = 0;
	assert_int_equal(sandbox_parse_status(child, sizeof(child) - 1, &l), 0);
	assert_int_equal(l, SBX_SECCOMP | SBX_CAPS | SBX_NNP); /* a uid of its own says nothing by itself */
	memcpy(text, child, sizeof(child));
	memcpy(strstr(text, "Seccomp:\t2"), "Seccomp:\t0", 10);
	memcpy(strstr(text, "NoNewPrivs:\t1"), "NoNewPrivs:\t0", 13);
	memcpy(strstr(text, "\t990\t990\n"), "\t990\t000\n", 9);
	l = layers;
	assert_int_equal(sandbox_parse_status(text, sizeof(text) - 1, &l), 0);
	assert_int_equal(l, SBX_CHROOT | SBX_CAPS);
	memcpy(strstr(text, "400e0"), "401e0", 5); /* one capability more */
	assert_int_equal(sandbox_parse_status(text, sizeof(text) - 1, &l), 0);
	assert_int_equal(l, SBX_CHROOT);
	assert_int_equal(sandbox_parse_status("Name:\tx\n", 8, &l), -1);
	assert_int_equal(sandbox_parse_status("", 0, &l), -1);
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(sandbox_layer_name(SBX_UID), "uid");
	assert_string_equal(sandbox_layer_name(SBX_SECCOMP), "seccomp");
	assert_string_equal(sandbox_layer_name(SBX_UNVEIL), "unveil");
	assert_string_equal(sandbox_layer_name((enum sandbox_layer)(1 << 20)), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moods_and_defaults),
		cmocka_unit_test(test_foreign_architectures_die),
		cmocka_unit_test(test_arguments_are_compared_whole),
		cmocka_unit_test(test_earlier_table_wins),
		cmocka_unit_test(test_bad_tables_are_refused),
		cmocka_unit_test(test_long_blocks),
		cmocka_unit_test(test_random_tables),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_deny_list),
		cmocka_unit_test(test_status_text),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
