/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/resource.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "resolver.h"
#include "resolver_sandbox.h"
#include "sandbox.h"
#include "sandbox_rules.h"

#define MIB       (UINT64_C(1) << 20)
#define FAST_OPEN 0x20000000 /* MSG_FASTOPEN */
#define MPTCP     262
#define FAMILY(n) SBX_ALLOW_IF(socket, SBX_MASK(0, INT, n))
#define COMMA     ,
#define INT       UINT32_MAX /* what the kernel looks at */

static const struct sbx_rlimit rlimits[] = {
	{ .resource = RLIMIT_CORE, .value = 0 },
	{ .resource = RLIMIT_FSIZE, .value = 0 }, /* writes no file */
	{ .resource = RLIMIT_NPROC, .value = 0 }, /* starts nothing */
	{ .resource = RLIMIT_NOFILE, .value = 64 },
	{ .resource = RLIMIT_DATA, .value = 64 * MIB },
	{ .resource = RLIMIT_CPU, .value = RESOLVER_CPU_SECONDS },
};

/*
 * The needs of a name service module are not known here (as chrony found): so a list of calls that it surely does not
 * need. Where the daemon is not root the parent has the same user, so its limits and signals are in reach; Fast Open
 * and MPTCP would bypass Landlock's list of ports (security.md E3).
 */
#define DENIED \
	SBX_FAIL(execve, EPERM), SBX_FAIL(execveat, EPERM), SBX_FAIL(listen, EPERM), SBX_FAIL(accept, EPERM), \
	    SBX_FAIL(accept4, EPERM), SBX_FAIL(kill, EPERM), SBX_FAIL(tkill, EPERM), \
	    SBX_FAIL(pidfd_send_signal, EPERM), SBX_FAIL(pidfd_open, EPERM), SBX_FAIL(setuid, EPERM), \
	    SBX_FAIL(setgid, EPERM), SBX_FAIL(setreuid, EPERM), SBX_FAIL(setregid, EPERM), SBX_FAIL(setresuid, EPERM), \
	    SBX_FAIL(setresgid, EPERM), SBX_FAIL(setgroups, EPERM), SBX_FAIL(chroot, EPERM), SBX_FAIL(mknod, EPERM), \
	    SBX_FAIL(mknodat, EPERM), SBX_FAIL(symlink, EPERM), SBX_FAIL(symlinkat, EPERM), SBX_FAIL(link, EPERM), \
	    SBX_FAIL(linkat, EPERM), SBX_FAIL(shmget, EPERM), SBX_FAIL(msgget, EPERM), SBX_FAIL(semget, EPERM), \
	    SBX_FAIL(inotify_init, EPERM), SBX_FAIL(inotify_init1, EPERM), SBX_FAIL(chmod, EPERM), \
	    SBX_FAIL(fchmod, EPERM), SBX_FAIL(fchmodat, EPERM), SBX_FAIL(fchmodat2, EPERM), \
	    SBX_ALLOW_IF(prlimit64, SBX_MASK(0, INT, 0)), SBX_FAIL(prlimit64, EPERM), \
	    SBX_ALLOW_IF(tgkill, SBX_PID(0)), SBX_FAIL(tgkill, EPERM), SBX_FAIL(rt_sigqueueinfo, EPERM), \
	    SBX_FAIL(rt_tgsigqueueinfo, EPERM), SBX_FAIL_IF(sendto, EPERM, SBX_MASK(3, FAST_OPEN, FAST_OPEN)), \
	    SBX_ALLOW(sendto), SBX_FAIL_IF(sendmsg, EPERM, SBX_MASK(2, FAST_OPEN, FAST_OPEN)), SBX_ALLOW(sendmsg), \
	    SBX_FAIL_IF(sendmmsg, EPERM, SBX_MASK(3, FAST_OPEN, FAST_OPEN)), SBX_ALLOW(sendmmsg)
#define SOCKETS(unix) \
	SBX_FAIL_IF(socket, EPROTONOSUPPORT, SBX_MASK(2, INT, MPTCP)), unix FAMILY(2) /* AF_INET */, \
	    FAMILY(10) /* AF_INET6 */, FAMILY(16) /* AF_NETLINK */, SBX_FAIL(socket, EAFNOSUPPORT)

static const struct sbx_rule rules[] = { DENIED, SOCKETS(FAMILY(1) /* AF_UNIX */ COMMA), SBX_END };
/*
 * Where the daemon is not root the resolver is the same user, which the control socket obeys (security.md D13): no
 * unix sockets, so no name service behind one (nscd, systemd-resolved by nss-resolve, sssd).
 */
static const struct sbx_rule rules_of_one_user[] = { DENIED, SOCKETS(), SBX_END };

#ifndef __OpenBSD__ /* there the promise "dns" opens its files whatever unveil(2) says, and no others */
/* NSS modules, their configuration, the name server list wherever it is linked to. */
static const struct sbx_path paths[] = {
	{ .path = "/etc", .access = SBX_READ },
	{ .path = "/usr", .access = SBX_READ },
	{ .path = "/lib", .access = SBX_READ },
	{ .path = "/lib64", .access = SBX_READ },
	{ .path = "/run/systemd/resolve", .access = SBX_READ },
	{ .path = "/run/systemd/userdb", .access = SBX_READ },
	{ .path = "/var/run/nscd", .access = SBX_READ },
	{ .path = "/dev/null", .access = SBX_READ | SBX_WRITE },
	{ .path = "/dev/urandom", .access = SBX_READ },
};
#endif

static const struct sandbox_profile profile = {
	.name = "resolver",
	.rules = rules,
	.shared = sbx_deny_calls,
	.deny_list = 1,
	.die_with_parent = 1,
	.net = SBX_NET_DNS,
#ifndef __OpenBSD__
	.paths = paths,
	.npaths = sizeof(paths) / sizeof(paths[0]),
#endif
	.pledge = "stdio dns",
	.rlimits = rlimits,
	.nrlimits = sizeof(rlimits) / sizeof(rlimits[0]),
};

/*
 * Files of the name service that are often links to places that this list can't know (NixOS, Guix, NetworkManager);
 * and their directories, where such a file is replaced by renaming another one.
 */
static const char *const files[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf",
	"/etc/gai.conf" };
#define NFILES (sizeof(files) / sizeof(files[0]))

/* Up to two entries in out for a file: how many.  *held is freed by the caller. */
static unsigned
links_of(const char *file, struct sbx_path out[2], char **held, char **dir)
{
	char *slash;

	*dir = NULL;
	if ((*held = realpath(file, NULL)) == NULL) {
		if (errno == ENOMEM)
			mem_exhausted();
		return 0;
	}
	out[0] = (struct sbx_path){ .path = *held, .access = SBX_READ };
	*dir = xstrdup(*held);
	if ((slash = strrchr(*dir, '/')) == NULL || slash == *dir)
		return 1; /* never the whole system */
	*slash = '\0';
	out[1] = (struct sbx_path){ .path = *dir, .access = SBX_READ };
	return 2;
}

int
sandbox_enter_resolver(int required, int drop_ids, uid_t uid, gid_t gid)
{
	char *held[NFILES], *dirs[NFILES];
	struct sbx_path more[2 * NFILES];
	struct sandbox_profile p = profile;
	struct sandbox_opts opts = {
		.required = required,
		.drop_ids = drop_ids,
		.uid = uid,
		.gid = gid,
		.paths = more,
	};
	size_t i;
	int rv;

	for (i = 0; i < NFILES; i++)
		opts.npaths += links_of(files[i], &more[opts.npaths], &held[i], &dirs[i]);
#ifdef __OpenBSD__
	opts.npaths = 0;
#endif
	if (!drop_ids)
		p.rules = rules_of_one_user;
	rv = sandbox_enter(&p, &opts);
	for (i = 0; i < NFILES; i++) {
		free(held[i]);
		free(dirs[i]);
	}
	return rv;
}
