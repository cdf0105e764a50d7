/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "sandbox_rules.h"

#ifdef __linux__
#include <errno.h>
#include <sched.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#define NEW_NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define NO(name) SBX_FAIL(name, EPERM)

/*
 * security.md 4, parent column.  Refused with an errno, not by a kill: a name service module may try things.  Children
 * inherit the parent's filter, so the table must not contain calls that a child needs to enter its own sandbox.
 */
/* clang-format off */
const struct sbx_rule sbx_deny_calls[] = {
	/* other processes' memory and threads */
	NO(ptrace), NO(process_vm_readv), NO(process_vm_writev), NO(process_madvise), NO(kcmp), NO(pidfd_getfd),
	/* code in the kernel, and its sharpest tools */
	NO(bpf), NO(perf_event_open), NO(kexec_load), NO(kexec_file_load), NO(init_module), NO(finit_module),
	NO(delete_module), NO(userfaultfd), NO(io_uring_setup), NO(io_uring_enter), NO(io_uring_register),
	NO(fanotify_init), NO(lookup_dcookie), NO(syslog), NO(acct), NO(reboot), NO(iopl), NO(ioperm), NO(modify_ldt),
	NO(nfsservctl), NO(quotactl), NO(quotactl_fd), NO(swapon), NO(swapoff), NO(vhangup),
	/* mounts and namespaces */
	NO(mount), NO(umount2), NO(pivot_root), NO(move_mount), NO(open_tree), NO(open_tree_attr), NO(fsopen),
	NO(fsconfig), NO(fsmount), NO(fspick),
	NO(mount_setattr), NO(setns), NO(unshare), NO(name_to_handle_at), NO(open_by_handle_at),
	SBX_FAIL_IF(clone, EPERM, SBX_MASK(0, CLONE_NEWNS, CLONE_NEWNS)),
	SBX_FAIL_IF(clone, EPERM, SBX_MASK(0, CLONE_NEWCGROUP, CLONE_NEWCGROUP)),
	SBX_FAIL_IF(clone, EPERM, SBX_MASK(0, CLONE_NEWUTS, CLONE_NEWUTS)),
	SBX_FAIL_IF(clone, EPERM, SBX_MASK(0, CLONE_NEWIPC, CLONE_NEWIPC)),
	SBX_FAIL_IF(clone, EPERM, SBX_MASK(0, CLONE_NEWUSER, CLONE_NEWUSER)),
	SBX_FAIL_IF(clone, EPERM, SBX_MASK(0, CLONE_NEWPID, CLONE_NEWPID)),
	SBX_FAIL_IF(clone, EPERM, SBX_MASK(0, CLONE_NEWNET, CLONE_NEWNET)),
	SBX_ALLOW_IF(clone, SBX_MASK(0, NEW_NAMESPACES, 0)),
	SBX_FAIL(clone3, ENOSYS),	/* its flags can't be seen; libc falls back to clone */
	/* keys of others, the machine's name and clock, personality */
	NO(add_key), NO(request_key), NO(keyctl), NO(sethostname), NO(setdomainname), NO(settimeofday),
	NO(clock_settime), NO(clock_adjtime), NO(adjtimex), NO(personality), NO(uselib),
	SBX_END
};
/* clang-format on */
#else
const struct sbx_rule sbx_deny_calls[] = { SBX_END };
#endif
