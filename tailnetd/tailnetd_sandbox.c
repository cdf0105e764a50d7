/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/resource.h>

#include <errno.h>
#include <string.h>

#include "log.h"
#include "tailnetd_sandbox.h"
#include "sandbox.h"
#include "sandbox_rules.h"

#define MIB        (UINT64_C(1) << 20)
#define MAX_IMAGES 8
#define MAX_READS  3
#define CAP_BIT(n) (UINT64_C(1) << (n))

/* Soft, except for core files: a hard limit would bind the children, which set their own. */
static const struct sbx_rlimit rlimits[] = {
	{ .resource = RLIMIT_CORE, .value = 0 },
	{ .resource = RLIMIT_NOFILE, .value = 256, .soft_only = 1 },
	{ .resource = RLIMIT_DATA, .value = 64 * MIB, .soft_only = 1 },
	{ .resource = RLIMIT_MEMLOCK, .value = 1 * MIB, .soft_only = 1 },
};

/*
 * On OpenBSD /etc and the directories of the files that the configuration names; the resolver and the children are not
 * bound by it.  On Linux reading stays open everywhere: SIGHUP may name new configuration, key and CA files anywhere,
 * the resolver reads what its name service modules like, and children load their libraries under this very ruleset.
 */
static const struct sbx_path fixed_paths[] = {
#ifdef __OpenBSD__
	{ .path = "/etc", .access = SBX_READ }, { .path = "/usr/share/zoneinfo", .access = SBX_READ },
#else
	{ .path = "/", .access = SBX_READ },
#endif
	{ .path = "/dev/null", .access = SBX_READ | SBX_WRITE }, /* 0..2 of every child */
};

/*
 * What only the start needs, which is over (the control socket is listened on and has its owner and mode), and what
 * this process never does to a file.  The children inherit it and need none of these calls.
 */
/* clang-format off */
static const struct sbx_rule rules[] = {
	/* Landlock's "no bind" does not cover a socket to which listen(2) gives a port by itself */
	SBX_FAIL(listen, EPERM),
	SBX_FAIL(chmod, EPERM), SBX_FAIL(fchmod, EPERM), SBX_FAIL(fchmodat, EPERM), SBX_FAIL(fchmodat2, EPERM),
	SBX_FAIL(chown, EPERM), SBX_FAIL(lchown, EPERM), SBX_FAIL(fchown, EPERM), SBX_FAIL(fchownat, EPERM),
	SBX_FAIL(setxattr, EPERM), SBX_FAIL(lsetxattr, EPERM), SBX_FAIL(fsetxattr, EPERM), SBX_FAIL(setxattrat, EPERM),
	SBX_FAIL(removexattr, EPERM), SBX_FAIL(lremovexattr, EPERM), SBX_FAIL(fremovexattr, EPERM),
	SBX_FAIL(removexattrat, EPERM), SBX_FAIL(file_setattr, EPERM),
	SBX_FAIL(mknod, EPERM), SBX_FAIL(mknodat, EPERM), SBX_FAIL(symlink, EPERM), SBX_FAIL(symlinkat, EPERM),
	SBX_END
};
/* clang-format on */

static const struct sandbox_profile profile = {
	.name = "tailnetd",
	.rules = rules,
	.shared = sbx_deny_calls,
	.deny_list = 1,
	.net = SBX_NET_CONNECT,
	/* KILL, SETGID, SETUID, SYS_CHROOT: end children, and let them become who they should be */
	.caps = CAP_BIT(5) | CAP_BIT(6) | CAP_BIT(7) | CAP_BIT(18),
	.paths = fixed_paths,
	.npaths = sizeof(fixed_paths) / sizeof(fixed_paths[0]),
	.pledge = "stdio rpath wpath cpath inet unix proc exec sendfd getpw",
	.rlimits = rlimits,
	.nrlimits = sizeof(rlimits) / sizeof(rlimits[0]),
};

#ifdef __OpenBSD__
static unsigned
reads(const struct parent_sandbox *s, char dirs[MAX_READS][1024], struct sbx_path *out)
{
	unsigned i, n = 0;
	char *slash;

	for (i = 0; i < MAX_READS; i++) {
		if (s->reads[i] == NULL || s->reads[i][0] != '/' ||
		    strlcpy(dirs[i], s->reads[i], sizeof(dirs[i])) >= sizeof(dirs[i]))
			continue;
		slash = strrchr(dirs[i], '/');
		slash[slash == dirs[i]] = '\0';
		out[n++] = (struct sbx_path){ .path = dirs[i], .access = SBX_READ };
	}
	return n;
}
#endif

int
parent_sandbox_enter(const struct parent_sandbox *s)
{
	struct sbx_path paths[MAX_IMAGES + 3 + MAX_READS];
	char dirs[MAX_READS][1024];
	struct sandbox_opts opts = { .required = s->required, .paths = paths };
	const char *interpreter = sandbox_interpreter();
	unsigned i, n = 0;

	if (s->nimages > MAX_IMAGES) {
		errno = E2BIG;
		log_error("sandbox: programs");
		return -1;
	}
	paths[n++] = (struct sbx_path){ .path = s->state_dir, .access = SBX_READ | SBX_WRITE };
	paths[n++] = (struct sbx_path){ .path = s->run_dir, .access = SBX_READ | SBX_WRITE };
	for (i = 0; i < s->nimages; i++)
		paths[n++] = (struct sbx_path){ .path = s->images[i]->path,
			.by_fd = s->images[i]->fd != -1,
			.fd = s->images[i]->fd,
			.access = SBX_READ | SBX_EXEC };
	if (interpreter != NULL)
		paths[n++] = (struct sbx_path){ .path = interpreter, .access = SBX_READ | SBX_EXEC };
#ifdef __OpenBSD__
	n += reads(s, dirs, paths + n);
#else
	(void)dirs;
#endif
	opts.npaths = n;
	return sandbox_enter(&profile, &opts);
}
