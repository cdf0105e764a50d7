/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "syscalls.h"

#ifdef __linux__
#include <linux/futex.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define MAP_MUST         (MAP_PRIVATE | MAP_ANONYMOUS)
#define MAP_MAY          (MAP_MUST | MAP_NORESERVE | MAP_STACK | MAP_FIXED | MAP_FIXED_NOREPLACE)
#define PROT_RW          (PROT_READ | PROT_WRITE)
#define KERNEL_LARGEFILE (0100000 | 0400000) /* O_LARGEFILE as the kernel shows it on x86_64, on aarch64 */

/* clang-format off */
const struct sbx_rule child_syscalls[] = {
	/* --- the event loop and the descriptors that were passed in --- */
	SBX_ALLOW(epoll_wait),		/* libevent waits */
	SBX_ALLOW(read),		/* Noise and TLS bytes, control requests */
	/* channel: messages and their descriptors */
	SBX_ALLOW_IF(recvmsg, SBX_BITS(2, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)),
	/* send(2); no address, no MSG_FASTOPEN */
	SBX_ALLOW_IF(sendto, SBX_EQ(4, 0), SBX_BITS(3, MSG_DONTWAIT | MSG_NOSIGNAL)),
	SBX_ALLOW(write),		/* the server's connection; mapd: its cache, to the passed descriptor */
	SBX_ALLOW(writev),		/* evbuffers */
	SBX_ALLOW(readv),
	SBX_ALLOW_IF(recvfrom, SBX_BITS(3, MSG_DONTWAIT | MSG_PEEK | MSG_WAITALL)),
	SBX_ALLOW(clock_gettime),	/* where the vDSO has no clock */
	SBX_ALLOW(epoll_ctl),		/* descriptors come and go */
	SBX_ALLOW(epoll_pwait),		/* epoll_wait of aarch64 */
	SBX_ALLOW(epoll_pwait2),	/* libevent with precise timers */
	SBX_ALLOW(close),
	SBX_ALLOW(shutdown),		/* half-close towards a control client or the server */
	SBX_ALLOW(poll),		/* ipc_flush() */
	SBX_ALLOW(ppoll),		/* poll of aarch64 */
	SBX_ALLOW_IF(getsockopt, SBX_EQ(1, SOL_SOCKET), SBX_EQ(2, SO_ERROR)),	/* error of a connection; one AND row */
	SBX_ALLOW_IF(fcntl, SBX_EQ(1, F_GETFL)),	/* non-blocking mode of what was passed */
	/* no O_ASYNC */
	SBX_ALLOW_IF(fcntl, SBX_EQ(1, F_SETFL), SBX_BITS(2, O_ACCMODE | O_NONBLOCK | KERNEL_LARGEFILE)),
	SBX_ALLOW_IF(fcntl, SBX_EQ(1, F_GETFD)),
	SBX_ALLOW_IF(fcntl, SBX_EQ(1, F_SETFD)),
	SBX_ALLOW_IF(ioctl, SBX_EQ(1, FIONREAD)),	/* evbuffer_read() sizes its buffer */
	SBX_FAIL(ioctl, ENOTTY),	/* stdio asks whether it is a terminal */
	SBX_ALLOW(getsockname),		/* the parent decided the names anyway */
	SBX_ALLOW(getpeername),

	/* --- memory: private, anonymous, never executable --- */
	SBX_ALLOW_IF(mmap, SBX_BITS(2, PROT_RW), SBX_MASK(3, ~(uint64_t)(MAP_MAY & ~MAP_MUST), MAP_MUST)),
	/* MAP_DROPPABLE of a new vDSO getrandom: it falls back */
	SBX_FAIL_IF(mmap, EINVAL, SBX_BITS(2, PROT_RW)),
	SBX_ALLOW(munmap),
	SBX_ALLOW(brk),
	SBX_ALLOW_IF(madvise, SBX_EQ(2, MADV_DONTNEED)),	/* free() gives memory back */
	SBX_ALLOW_IF(madvise, SBX_EQ(2, MADV_FREE)),
	SBX_ALLOW_IF(madvise, SBX_EQ(2, MADV_DONTDUMP)),	/* OpenSSL's and sodium's guarded memory */
	SBX_FAIL(madvise, EINVAL),
	SBX_ALLOW_IF(mremap, SBX_BITS(3, MREMAP_MAYMOVE)),	/* realloc() of large blocks */
	SBX_ALLOW_IF(mprotect, SBX_BITS(2, PROT_RW)),	/* malloc grows its heaps */

	/* --- clocks, randomness, who am I --- */
	SBX_ALLOW(gettimeofday),
	SBX_ALLOW(clock_nanosleep),
	SBX_ALLOW(getrandom),		/* OpenSSL's RNG, arc4random */
	SBX_ALLOW(getpid),		/* OpenSSL's RNG notices a fork; log lines */
	SBX_ALLOW(gettid),		/* abort() */
	SBX_ALLOW(getuid),
	SBX_ALLOW(geteuid),
	SBX_ALLOW_IF(futex, SBX_EQ(1, FUTEX_WAIT | FUTEX_PRIVATE_FLAG)),	/* locks of OpenSSL and libc */
	SBX_ALLOW_IF(futex, SBX_EQ(1, FUTEX_WAKE | FUTEX_PRIVATE_FLAG)),
	SBX_ALLOW_IF(futex, SBX_EQ(1, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG)),
	SBX_ALLOW_IF(futex, SBX_EQ(1, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG)),

	/* --- ending, also by abort() --- */
	SBX_ALLOW(exit_group),
	SBX_ALLOW(exit),
	SBX_ALLOW(rt_sigreturn),
	SBX_ALLOW(rt_sigprocmask),
	SBX_ALLOW(restart_syscall),	/* after SIGSTOP and SIGCONT */
	SBX_ALLOW_IF(tgkill, SBX_PID(0), SBX_EQ(2, SIGABRT)),

	/* --- what libraries try and can do without: the soft no --- */
	SBX_FAIL(open, EACCES),		/* time zone, locale, openssl.cnf, /proc, /dev/tty of an aborting libc */
	SBX_FAIL(openat, EACCES),
	SBX_FAIL(stat, EACCES),
	SBX_FAIL(fstat, EACCES),
	SBX_FAIL(lstat, EACCES),
	SBX_FAIL(newfstatat, EACCES),
	SBX_FAIL(statx, EACCES),
	SBX_FAIL(access, EACCES),
	SBX_FAIL(faccessat, EACCES),
	SBX_FAIL(readlink, EACCES),
	SBX_FAIL(readlinkat, EACCES),
	SBX_FAIL(uname, EACCES),
	SBX_FAIL(sysinfo, EACCES),	/* qsort() asks how much memory there is */
	SBX_FAIL(lseek, ESPIPE),	/* stdio over the CA descriptor */
	SBX_FAIL(clone3, ENOSYS),	/* ENOSYS makes libc fall back where EPERM would not */
	SBX_FAIL(openat2, ENOSYS),
	SBX_FAIL(faccessat2, ENOSYS),
	SBX_FAIL(rseq, ENOSYS),
	SBX_FAIL(membarrier, ENOSYS),
	SBX_FAIL(sched_getaffinity, ENOSYS),
	SBX_FAIL(getcpu, ENOSYS),
	SBX_FAIL(prlimit64, ENOSYS),
	SBX_FAIL(riscv_hwprobe, ENOSYS),
	SBX_FAIL(set_robust_list, ENOSYS),
	SBX_FAIL(futex_waitv, ENOSYS),
#ifdef SANITIZED
	SBX_ALLOW(sigaltstack),		/* AddressSanitizer's own start, report and end */
	SBX_ALLOW(rt_sigaction),
	SBX_ALLOW(sched_yield),
	SBX_FAIL(prctl, EPERM),
	SBX_FAIL(getrlimit, EPERM),
	SBX_FAIL(getppid, EPERM),
	SBX_FAIL(pipe, EPERM),
	SBX_FAIL(pipe2, EPERM),
	SBX_FAIL(dup2, EPERM),
	SBX_FAIL(readahead, EPERM),
#endif
	SBX_END
};
/* clang-format on */
#else
const struct sbx_rule child_syscalls[] = { SBX_END };
#endif
