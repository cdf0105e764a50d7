/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifdef __linux__
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sandbox_linux.h"

/*
 * The kernel's interface, defined here: Debian 12's header ends at version 2.  The calls have the same numbers on every
 * architecture.
 */
#define NR_CREATE_RULESET 444
#define NR_ADD_RULE       445
#define NR_RESTRICT_SELF  446
#define CREATE_VERSION    1u
#define RULE_PATH         1
#define RULE_PORT         2

#define FS_EXECUTE      (UINT64_C(1) << 0)
#define FS_WRITE_FILE   (UINT64_C(1) << 1)
#define FS_READ_FILE    (UINT64_C(1) << 2)
#define FS_READ_DIR     (UINT64_C(1) << 3)
#define FS_REMOVE_FILE  (UINT64_C(1) << 5)
#define FS_MAKE_REG     (UINT64_C(1) << 8)
#define FS_MAKE_SOCK    (UINT64_C(1) << 9)
#define FS_VERSION_1    ((UINT64_C(1) << 13) - 1)
#define FS_REFER        (UINT64_C(1) << 13) /* version 2 */
#define FS_TRUNCATE     (UINT64_C(1) << 14) /* version 3 */
#define FS_IOCTL_DEV    (UINT64_C(1) << 15) /* version 5 */
#define NET_BIND_TCP    (UINT64_C(1) << 0)  /* version 4 */
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_UNIX      (UINT64_C(1) << 0) /* version 6 */
#define SCOPE_SIGNAL    (UINT64_C(1) << 1)
#define FOR_FILES       (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define DNS_PORT        53

struct ruleset_attr {
	uint64_t fs, net, scoped;
};
struct path_attr {
	uint64_t access;
	int32_t parent_fd;
} __attribute__((packed));
struct port_attr {
	uint64_t access, port;
};

static void
what_is_handled(long version, const struct sandbox_profile *p, struct ruleset_attr *a)
{
	memset(a, 0, sizeof(*a));
	a->fs = FS_VERSION_1;
	if (version >= 2)
		a->fs |= FS_REFER;
	if (version >= 3)
		a->fs |= FS_TRUNCATE;
	if (version >= 5)
		a->fs |= FS_IOCTL_DEV;
	if (version >= 4)
		a->net = NET_BIND_TCP | (p->net == SBX_NET_CONNECT ? 0 : NET_CONNECT_TCP);
	if (version >= 6)
		a->scoped = SCOPE_SIGNAL | (p->unix_scope ? SCOPE_UNIX : 0);
}

static uint64_t
rights(unsigned access)
{
	uint64_t r = 0;

	if (access & SBX_READ)
		r |= FS_READ_FILE | FS_READ_DIR;
	if (access & SBX_WRITE)
		r |= FS_WRITE_FILE | FS_REMOVE_FILE | FS_MAKE_REG | FS_MAKE_SOCK | FS_REFER | FS_TRUNCATE;
	if (access & SBX_EXEC)
		r |= FS_EXECUTE;
	return r;
}

static int
add_path(int ruleset, const struct sbx_path *path, uint64_t handled)
{
	struct path_attr a = { .access = rights(path->access) & handled };
	int fd = path->fd, rv;
	struct stat st;

	if (!path->by_fd && (fd = open(path->path, O_PATH | O_CLOEXEC)) == -1)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -1;
	if ((rv = fstat(fd, &st)) == 0) {
		if (!S_ISDIR(st.st_mode))
			a.access &= FOR_FILES;
		a.parent_fd = fd;
		rv = (int)syscall(NR_ADD_RULE, ruleset, RULE_PATH, &a, 0);
	}
	if (!path->by_fd)
		close(fd);
	return rv;
}

static int
add_paths(int ruleset, const struct sbx_path *paths, unsigned n, uint64_t handled, const char **detail)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		if (add_path(ruleset, &paths[i], handled) == -1) {
			*detail = paths[i].by_fd ? "an open file" : paths[i].path;
			return -1;
		}
	}
	return 0;
}

static int
fill(int ruleset, const struct sandbox_profile *p, const struct sandbox_opts *o, const struct ruleset_attr *a,
    const char **detail)
{
	struct port_attr dns = { .access = NET_CONNECT_TCP, .port = DNS_PORT };

	if (add_paths(ruleset, p->paths, p->npaths, a->fs, detail) == -1 ||
	    add_paths(ruleset, o->paths, o->npaths, a->fs, detail) == -1)
		return -1;
	if (p->net == SBX_NET_DNS && (a->net & NET_CONNECT_TCP) != 0)
		return (int)syscall(NR_ADD_RULE, ruleset, RULE_PORT, &dns, 0);
	return 0;
}

int
sandbox_landlock(const struct sandbox_profile *p, const struct sandbox_opts *o, const char **detail)
{
	struct ruleset_attr a;
	long version, ruleset, rv;

	if ((version = syscall(NR_CREATE_RULESET, NULL, 0, CREATE_VERSION)) < 1) {
		*detail = "this kernel has none, or it is off (lsm=)";
		return -1;
	}
	what_is_handled(version, p, &a);
	if ((ruleset = syscall(NR_CREATE_RULESET, &a, sizeof(a), 0)) == -1)
		return -1;
	if ((rv = fill((int)ruleset, p, o, &a, detail)) == 0)
		rv = syscall(NR_RESTRICT_SELF, (int)ruleset, 0);
	close((int)ruleset);
	return rv == -1 ? -1 : 1;
}
#endif
