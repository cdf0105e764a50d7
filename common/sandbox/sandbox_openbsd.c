/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifdef __OpenBSD__
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"

static int
failed(const struct sandbox_opts *o, enum sandbox_layer bit, int never_optional)
{
	if (o->required || never_optional) {
		log_error("sandbox: %s", sandbox_layer_name(bit));
		return -1;
	}
	log_info("sandbox: not in force: %s", sandbox_layer_name(bit));
	return 0;
}

static int
enter_chroot(const struct sandbox_opts *o)
{
	struct stat st;

	if (chroot(o->chroot_dir) == -1 || chdir("/") == -1 || stat("/", &st) == -1)
		return -1;
	if (o->drop_ids && (st.st_uid != 0 || (st.st_mode & 022) != 0)) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

static int
become(const struct sandbox_opts *o)
{
	if (o->uid == 0 || o->gid == 0) {
		errno = EINVAL;
		return -1;
	}
	if (setgroups(1, &o->gid) == -1 || setresgid(o->gid, o->gid, o->gid) == -1 ||
	    setresuid(o->uid, o->uid, o->uid) == -1)
		return -1;
	if (setuid(0) != -1 || setgid(0) != -1) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

static int
limit(const struct sandbox_profile *p)
{
	unsigned i;

	for (i = 0; i < p->nrlimits; i++) {
		struct rlimit rl;

		if (getrlimit(p->rlimits[i].resource, &rl) == -1)
			return -1;
		rl.rlim_cur = rl.rlim_max < p->rlimits[i].value ? rl.rlim_max : p->rlimits[i].value;
		if (!p->rlimits[i].soft_only)
			rl.rlim_max = rl.rlim_cur;
		if (setrlimit(p->rlimits[i].resource, &rl) == -1)
			return -1;
	}
	return 0;
}

static int
unveil_paths(const struct sbx_path *paths, unsigned n)
{
	char mode[8];
	unsigned i;

	for (i = 0; i < n; i++) {
		if (paths[i].by_fd)
			continue; /* Linux only: here programs are started by path */
		mode[0] = '\0';
		strlcat(mode, paths[i].access & SBX_READ ? "r" : "", sizeof(mode));
		strlcat(mode, paths[i].access & SBX_WRITE ? "wc" : "", sizeof(mode));
		strlcat(mode, paths[i].access & SBX_EXEC ? "x" : "", sizeof(mode));
		if (unveil(paths[i].path, mode) == -1 && errno != ENOENT)
			return -1;
	}
	return 0;
}

int
sandbox_enter(const struct sandbox_profile *p, const struct sandbox_opts *o)
{
	unsigned layers = SBX_DUMPABLE; /* a process that changed ids leaves no core, and harden set the limit */

	if (o->chroot_dir != NULL) {
		if (enter_chroot(o) == 0)
			layers |= SBX_CHROOT;
		else if (failed(o, SBX_CHROOT, 0) == -1)
			return -1;
	}
	if (o->drop_ids) {
		if (become(o) == -1)
			return failed(o, SBX_UID, 1);
		layers |= SBX_UID;
	}
	if (limit(p) == 0)
		layers |= SBX_RLIMIT;
	else if (failed(o, SBX_RLIMIT, 0) == -1)
		return -1;
	/* Without any path the promises alone keep the file system shut: no unveil then. */
	if (p->npaths + o->npaths > 0) {
		if (unveil_paths(p->paths, p->npaths) == 0 && unveil_paths(o->paths, o->npaths) == 0)
			layers |= SBX_UNVEIL;
		else if (failed(o, SBX_UNVEIL, 0) == -1)
			return -1;
	}
	if (pledge(p->pledge, NULL) == 0)
		layers |= SBX_PLEDGE;
	else if (failed(o, SBX_PLEDGE, 0) == -1)
		return -1;
	return (int)layers;
}

const char *
sandbox_interpreter(void)
{
	return NULL; /* the kernel loads ld.so without asking unveil */
}

void
sandbox_harden_process(void)
{
	struct rlimit none = { 0, 0 };
	int fd;

	(void)setrlimit(RLIMIT_CORE, &none);
	while ((fd = open("/dev/null", O_RDWR)) != -1 && fd <= STDERR_FILENO)
		; /* it stays as the missing one of 0..2 */
	if (fd != -1)
		close(fd);
}

int
sandbox_read_back(pid_t pid, unsigned *layers)
{
	(void)pid;
	(void)layers;
	errno = ENOTSUP;
	return -1;
}
#endif
