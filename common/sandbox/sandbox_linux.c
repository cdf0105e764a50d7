/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifdef __linux__
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"
#include "sandbox_bpf.h"
#include "sandbox_linux.h"

#define MAX_FILTER 2048
#define LAST_CAP   63

struct entry {
	const struct sandbox_profile *p;
	const struct sandbox_opts *o;
	pid_t parent;
	const char *detail; /* what exactly failed */
};

/* Every step returns 1: in force; 0: not asked for; -1: failed, errno and detail say why. */

/*
 * Reduce the bounding set to what the profile keeps.  That needs CAP_SETPCAP, which only a first process has: the
 * parent reduces its own, and a child inherits it (security.md E12).  step_caps() checks the outcome.
 */
static int
step_bounding_set(struct entry *e)
{
	int cap;

	for (cap = 0; cap <= LAST_CAP; cap++)
		if ((e->p->caps & (UINT64_C(1) << cap)) == 0 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	return 0;
}

static int
step_chroot(struct entry *e)
{
	struct stat st;

	if (e->o->chroot_dir == NULL)
		return 0;
	e->detail = e->o->chroot_dir;
	if (chroot(e->o->chroot_dir) == -1 || chdir("/") == -1 || stat("/", &st) == -1)
		return -1;
	if (e->o->drop_ids && (st.st_uid != 0 || (st.st_mode & 022) != 0)) {
		e->detail = "the directory must belong to root and only root may write to it";
		errno = EPERM;
		return -1;
	}
	return 1;
}

static int
step_uid(struct entry *e)
{
	uid_t r, f, s;
	uid_t uid = e->o->uid;
	gid_t gid = e->o->gid;

	if (!e->o->drop_ids)
		return 0;
	if (uid == 0 || gid == 0) {
		e->detail = "asked to stay root";
		errno = EINVAL;
		return -1;
	}
	e->detail = "setgroups, setresgid, setresuid";
	if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 || setresuid(uid, uid, uid) == -1)
		return -1;
	e->detail = "could become root again";
	if (getresuid(&r, &f, &s) == -1 || r != uid || f != uid || s != uid || getegid() != gid || setuid(0) != -1 ||
	    setgid(0) != -1) {
		errno = EPERM;
		return -1;
	}
	return 1;
}

static int
step_dumpable(struct entry *e)
{
	(void)e;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 ? -1 : 1;
}

/* After the change of uid, which resets it (security.md E6). */
static int
step_pdeathsig(struct entry *e)
{
	if (!e->p->die_with_parent)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1)
		return -1;
	if (getppid() != e->parent) {
		e->detail = "the parent has ended";
		errno = ESRCH;
		return -1;
	}
	return 1;
}

static int
step_caps(struct entry *e)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };
	uint64_t keep = e->p->caps;
	int cap, i;

	if (syscall(SYS_capget, &hdr, d) == -1)
		return -1;
	for (i = 0; i < 2; i++) {
		d[i].permitted &= (uint32_t)(keep >> (32 * i));
		d[i].effective = d[i].permitted;
		d[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &hdr, d) == -1)
		return -1;
	for (cap = 0; cap <= LAST_CAP; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 &&
		    ((keep | SANDBOX_PARENT_CAPS) & (UINT64_C(1) << cap)) == 0) {
			e->detail = "bounding set can't be cut";
			errno = EPERM;
			return -1;
		}
	}
	return 1;
}

/* Sanitizers map terabytes.  They and the tracing build report on descriptor 2, which may be a file. */
static int
rlimit_wanted(int resource)
{
#ifdef SANITIZED
	return resource != RLIMIT_DATA && resource != RLIMIT_FSIZE;
#elif defined(SANDBOX_TRACE)
	return resource != RLIMIT_FSIZE;
#else
	(void)resource;
	return 1;
#endif
}

static int
step_rlimits(struct entry *e)
{
	unsigned i;

	for (i = 0; i < e->p->nrlimits; i++) {
		const struct sbx_rlimit *l = &e->p->rlimits[i];
		struct rlimit rl;

		if (!rlimit_wanted(l->resource))
			continue;
		if (getrlimit((unsigned)l->resource, &rl) == -1)
			return -1;
		rl.rlim_cur = rl.rlim_max < l->value ? rl.rlim_max : l->value;
		if (!l->soft_only)
			rl.rlim_max = rl.rlim_cur;
		if (setrlimit((unsigned)l->resource, &rl) == -1)
			return -1;
	}
	return 1;
}

static int
step_nnp(struct entry *e)
{
	(void)e;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ? -1 : 1;
}

static int
step_landlock(struct entry *e)
{
	return sandbox_landlock(e->p, e->o, &e->detail);
}

static int
step_seccomp(struct entry *e)
{
	const struct sbx_rule *const tables[] = { e->p->rules, e->p->shared };
	struct sbx_program_opts po = { .deny_list = e->p->deny_list, .pid = (uint32_t)getpid() };
	struct sock_filter code[MAX_FILTER];
	struct sock_fprog prog = { .filter = code };
	uint32_t best = SECCOMP_RET_KILL_PROCESS;
	int arch, n;

	if ((arch = sbx_this_arch()) == -1) {
		e->detail = "no filter for this architecture";
		errno = ENOSYS;
		return -1;
	}
	po.arch = (enum sbx_arch)arch;
	po.kill_thread = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &best) == -1;
	po.trap = sandbox_trace_begin(e->p->name);
	if ((n = sbx_program(tables, sizeof(tables) / sizeof(tables[0]), &po, code, MAX_FILTER)) == -1)
		return -1;
	prog.len = (unsigned short)n;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == -1 ? -1 : 1;
}

static const struct step {
	enum sandbox_layer bit;
	int (*enter)(struct entry *e);
	int never_optional;
} steps[] = {
	{ SBX_CAPS, step_bounding_set, 0 },
	{ SBX_CHROOT, step_chroot, 0 },
	{ SBX_UID, step_uid, 1 },
	{ SBX_DUMPABLE, step_dumpable, 0 },
	{ SBX_PDEATHSIG, step_pdeathsig, 0 },
	{ SBX_CAPS, step_caps, 0 },
	{ SBX_RLIMIT, step_rlimits, 0 },
	{ SBX_NNP, step_nnp, 0 },
	{ SBX_LANDLOCK, step_landlock, 0 },
	{ SBX_SECCOMP, step_seccomp, 0 },
};

static int
skipped(enum sandbox_layer bit)
{
#ifdef TEST_ESCAPE
	return (sandbox_skip & (unsigned)bit) != 0;
#else
	(void)bit;
	return 0;
#endif
}

int
sandbox_enter(const struct sandbox_profile *p, const struct sandbox_opts *o)
{
	struct entry e = { .p = p, .o = o, .parent = getppid() };
	unsigned layers = 0;
	size_t i;
	int rv;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (skipped(steps[i].bit))
			continue;
		e.detail = NULL;
		if ((rv = steps[i].enter(&e)) == 1)
			layers |= (unsigned)steps[i].bit;
		if (rv != -1)
			continue;
		if (o->required || steps[i].never_optional) {
			log_error("sandbox: %s%s%s", sandbox_layer_name(steps[i].bit), e.detail != NULL ? ": " : "",
			    e.detail != NULL ? e.detail : "");
			return -1;
		}
		log_info("sandbox: not in force: %s%s%s", sandbox_layer_name(steps[i].bit),
		    e.detail != NULL ? ": " : "", e.detail != NULL ? e.detail : "");
	}
	return (int)layers;
}

static int
find_interpreter(struct dl_phdr_info *info, size_t size, void *out)
{
	const char **path = out;
	int i;

	(void)size;
	for (i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			*path = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	return 1; /* the first object is the program itself */
}

const char *
sandbox_interpreter(void)
{
	const char *path = NULL;

	dl_iterate_phdr(find_interpreter, &path);
	return path;
}

void
sandbox_harden_process(void)
{
	struct rlimit none = { 0, 0 };
	int fd;

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	/* Started by descriptor, a process is called after its number in ps(1). */
	(void)prctl(PR_SET_NAME, program_invocation_short_name, 0, 0, 0);
	while ((fd = open("/dev/null", O_RDWR)) != -1 && fd <= STDERR_FILENO)
		; /* it stays as the missing one of 0..2 */
	if (fd != -1)
		close(fd);
}

/* A /proc that was mounted in another pid namespace shows strangers under our numbers. */
static int
proc_is_ours(void)
{
	char self[24];
	ssize_t n = readlink("/proc/self", self, sizeof(self) - 1);

	if (n <= 0)
		return 0;
	self[n] = '\0';
	return strtol(self, NULL, 10) == (long)getpid();
}

int
sandbox_read_back(pid_t pid, unsigned *layers)
{
	char path[64], text[8192];
	ssize_t n;
	int fd;

	if (!proc_is_ours()) {
		errno = ESRCH;
		return -1;
	}
	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n <= 0 || sandbox_parse_status(text, (size_t)n, layers) == -1) {
		errno = EIO;
		return -1;
	}
	return 0;
}
#endif
