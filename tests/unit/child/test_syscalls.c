/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <linux/audit.h>
#include <linux/futex.h>

#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox_bpf.h"
#include "util_bpf.h"
#include "syscalls.h"

/*
 * The children's allow-list as a truth table, for each architecture a filter is made for: who may what with which
 * arguments, written down here a second time.
 */
#define PID    4711
#define KILL   SECCOMP_RET_KILL_PROCESS
#define OK     SECCOMP_RET_ALLOW
#define ERR(e) (SECCOMP_RET_ERRNO | (e))

static const uint32_t audit[SBX_NARCHES] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, 0xc00000f3 };

static const struct truth {
	unsigned call;
	uint64_t a[6];
	uint32_t verdict;
} truths[] = {
	{ SC_recvmsg, { 3, 1, MSG_DONTWAIT | MSG_CMSG_CLOEXEC }, OK },
	{ SC_recvmsg, { 3, 1, MSG_OOB }, KILL },
	{ SC_sendto, { 5, 1, 1, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0 }, OK },
	{ SC_sendto, { 5, 1, 1, 0, 0x7fff0000, 16 }, KILL },            /* an address */
	{ SC_sendto, { 5, 1, 1, 0, UINT64_C(0x100000000), 16 }, KILL }, /* ... only in the upper half */
	{ SC_sendto, { 5, 1, 1, MSG_FASTOPEN, 0, 0 }, KILL },
	{ SC_sendmsg, { 5, 1, 0 }, KILL },
	{ SC_sendmmsg, { 5, 1, 0 }, KILL },
	{ SC_recvfrom, { 5, 1, 1, MSG_PEEK | MSG_DONTWAIT | MSG_WAITALL }, OK },
	{ SC_recvfrom, { 5, 1, 1, MSG_ERRQUEUE }, KILL },
	{ SC_getsockopt, { 5, SOL_SOCKET, SO_ERROR }, OK },
	{ SC_getsockopt, { 5, SOL_SOCKET, SO_PEERCRED }, KILL },
	{ SC_getsockopt, { 5, 6, SO_ERROR }, KILL },
	{ SC_setsockopt, { 5, SOL_SOCKET, SO_ERROR }, KILL },
	{ SC_fcntl, { 5, F_GETFL }, OK },
	{ SC_fcntl, { 5, F_SETFL, O_RDWR | O_NONBLOCK }, OK },
	{ SC_fcntl, { 5, F_SETFL, O_RDWR | O_ASYNC }, KILL },
	{ SC_fcntl, { 5, F_SETOWN, 1 }, KILL },
	{ SC_fcntl, { 5, F_DUPFD, 1 }, KILL },
	{ SC_fcntl, { 5, F_SETLEASE, 1 }, KILL },
	{ SC_fcntl, { 5, UINT64_C(0x100000000) | F_GETFL }, KILL },
	{ SC_ioctl, { 5, 0x541B }, OK },          /* FIONREAD */
	{ SC_ioctl, { 5, 0x5412 }, ERR(ENOTTY) }, /* TIOCSTI */
	{ SC_mmap, { 0, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS }, OK },
	{ SC_mmap, { 0, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE }, OK },
	{ SC_mmap, { 0, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS }, KILL },
	{ SC_mmap, { 0, 1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS }, ERR(EINVAL) },
	{ SC_mmap, { 0, 1, PROT_READ, MAP_PRIVATE }, ERR(EINVAL) },          /* a file */
	{ SC_mmap, { 0, 1, PROT_READ, 0x08 | MAP_ANONYMOUS }, ERR(EINVAL) }, /* MAP_DROPPABLE */
	{ SC_mprotect, { 1, 1, PROT_READ }, OK },
	{ SC_mprotect, { 1, 1, PROT_READ | PROT_EXEC }, KILL },
	{ SC_mremap, { 1, 1, 2, MREMAP_MAYMOVE }, OK },
	{ SC_mremap, { 1, 1, 2, MREMAP_MAYMOVE | MREMAP_FIXED }, KILL },
	{ SC_madvise, { 1, 1, MADV_DONTNEED }, OK },
	{ SC_madvise, { 1, 1, MADV_DODUMP }, ERR(EINVAL) },
	{ SC_futex, { 1, FUTEX_WAIT_PRIVATE }, OK },
	{ SC_futex, { 1, FUTEX_WAIT }, KILL }, /* shared with other processes */
	{ SC_futex, { 1, FUTEX_LOCK_PI_PRIVATE }, KILL },
	{ SC_tgkill, { PID, 1, 6 }, OK },
	{ SC_tgkill, { PID, 1, 9 }, KILL },
	{ SC_tgkill, { 1, 1, 6 }, KILL },
	{ SC_open, { 1 }, ERR(EACCES) },
	{ SC_openat, { 1 }, ERR(EACCES) },
	{ SC_openat2, { 1 }, ERR(ENOSYS) },
	{ SC_clone3, { 1 }, ERR(ENOSYS) },
	{ SC_clone, { 1 }, KILL },
	{ SC_fork, { 0 }, KILL },
	{ SC_vfork, { 0 }, KILL },
	{ SC_execve, { 1 }, KILL },
	{ SC_execveat, { 1 }, KILL },
	{ SC_socket, { 2, 1, 0 }, KILL },
	{ SC_socketpair, { 1, 1, 0 }, KILL },
	{ SC_connect, { 5, 1, 16 }, KILL },
	{ SC_bind, { 5, 1, 16 }, KILL },
	{ SC_listen, { 5 }, KILL },
	{ SC_accept4, { 5 }, KILL },
	{ SC_ptrace, { 0 }, KILL },
	{ SC_kill, { PID, 6 }, KILL },
	{ SC_tkill, { PID, 6 }, KILL },
#ifndef SANITIZED
	{ SC_prctl, { 4, 1 }, KILL },
#endif
	{ SC_seccomp, { 1 }, KILL },
	{ SC_setresuid, { 0 }, KILL },
	{ SC_io_uring_setup, { 1 }, KILL },
	{ SC_bpf, { 1 }, KILL },
	{ SC_memfd_create, { 1 }, KILL },
	{ SC_dup3, { 3, 4, 0 }, KILL },
	{ SC_pidfd_open, { 1 }, KILL },
	{ SC_chroot, { 1 }, KILL },
	{ SC_unlinkat, { 1 }, KILL },
	{ SC_splice, { 1 }, KILL },
	{ SC_sendfile, { 1 }, KILL },
};

/* Calls that pass with any argument at all. */
static const unsigned free_calls[] = {
	SC_epoll_wait,
	SC_read,
	SC_write,
	SC_writev,
	SC_readv,
	SC_clock_gettime,
	SC_epoll_ctl,
	SC_epoll_pwait,
	SC_epoll_pwait2,
	SC_close,
	SC_shutdown,
	SC_poll,
	SC_ppoll,
	SC_getsockname,
	SC_getpeername,
	SC_munmap,
	SC_brk,
	SC_gettimeofday,
	SC_clock_nanosleep,
	SC_getrandom,
	SC_getpid,
	SC_gettid,
	SC_getuid,
	SC_geteuid,
	SC_exit_group,
	SC_exit,
	SC_rt_sigreturn,
	SC_rt_sigprocmask,
	SC_restart_syscall,
#ifdef SANITIZED
	SC_sigaltstack,
	SC_rt_sigaction,
	SC_sched_yield,
#endif
};

static struct sock_filter code[4096];

static int
make(enum sbx_arch arch, int trap)
{
	const struct sbx_rule *table = child_syscalls;
	struct sbx_program_opts o = { .arch = arch, .pid = PID, .trap = trap };
	int n = sbx_program(&table, 1, &o, code, 4096);

	assert_true(n > 100);
	bpf_must_be_valid(code, n);
	return n;
}

/* rows: PRIV-02 */
static void
test_truth_table(void **state)
{
	size_t i;
	int a, n;

	(void)state;
	for (a = 0; a < SBX_NARCHES; a++) {
		n = make((enum sbx_arch)a, 0);
		for (i = 0; i < sizeof(truths) / sizeof(truths[0]); i++) {
			struct seccomp_data d = { .nr = sbx_call_number((enum sbx_arch)a, truths[i].call),
				.arch = audit[a] };
			uint32_t got;

			if (d.nr == -1)
				continue;
			memcpy(d.args, truths[i].a, sizeof(d.args));
			if ((got = bpf_run(code, n, &d)) != truths[i].verdict)
				fail_msg("architecture %d, row %zu (%s): %#x, not %#x", a, i,
				    sbx_call_name((enum sbx_arch)a, d.nr), got, truths[i].verdict);
		}
	}
}

/* Every number there is: what passes whatever its arguments is in free_calls and nowhere else. */
static void
test_nothing_else_passes(void **state)
{
	size_t i;
	int a, n, nr, is_free;

	(void)state;
	for (a = 0; a < SBX_NARCHES; a++) {
		n = make((enum sbx_arch)a, 0);
		printf("architecture %d: %d instructions\n", a, n);
		for (nr = 0; nr < 1024; nr++) {
			struct seccomp_data d = { .nr = nr, .arch = audit[a] };
			uint32_t got;

			memset(d.args, 0xa5, sizeof(d.args));
			for (i = 0, is_free = 0; i < sizeof(free_calls) / sizeof(free_calls[0]); i++)
				is_free |= sbx_call_number((enum sbx_arch)a, free_calls[i]) == nr;
			got = bpf_run(code, n, &d);
			if ((got == OK) != is_free)
				fail_msg("architecture %d: %d (%s): %#x", a, nr, sbx_call_name((enum sbx_arch)a, nr),
				    got);
			if (sbx_call_name((enum sbx_arch)a, nr) == NULL)
				assert_int_equal(got, KILL);
		}
	}
}

static void
test_trace_build_traps(void **state)
{
	struct seccomp_data d = { .nr = sbx_call_number(SBX_X86_64, SC_execve), .arch = AUDIT_ARCH_X86_64 };
	int n = make(SBX_X86_64, 1);

	(void)state;
	assert_int_equal(bpf_run(code, n, &d), SECCOMP_RET_TRAP);
	d.nr = 0;
	assert_int_equal(bpf_run(code, n, &d), OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truth_table),
		cmocka_unit_test(test_nothing_else_passes),
		cmocka_unit_test(test_trace_build_traps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
