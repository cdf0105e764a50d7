/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
/*
 * LD_PRELOAD shim: makes system calls on the state directory go wrong (security.md 5.5, PERS-03, PERS-06).
 *
 *   cc -D_GNU_SOURCE -shared -fPIC -O2 -o faultshim.so faultshim.c -ldl
 *   FAULTSHIM_DIR=/path/of/state FAULTSHIM=write:3:ENOSPC,fsync:1+:EIO LD_PRELOAD=.../faultshim.so tailnetd ...
 *
 * A rule is CALL:N:ACTION, for the N-th such call (from 1) on FAULTSHIM_DIR or a file right in it; N+ means all calls
 * from the N-th on.
 * CALL:   openat (only with O_CREAT), write, fsync, linkat, renameat, unlinkat
 * ACTION: an errno name below, short (write: half of it, openat...: as EINTR), kill (the process ends before the call,
 *         without any clean-up), killafter (the call is made, then the process ends),
 *         slow (the call takes 6 s)
 * FAULTSHIM_ARM=/some/file: calls count only while that file exists, so that a test can let the daemon start first.
 * Each rule that strikes is reported on standard error.  Children have an empty environment: the shim is in the parent
 * only.
 *
 * FAULTSHIM_MEMORY=/some/file of two 64-bit numbers, which the test and the shim share: while the first is not 0, the
 * second counts allocations (malloc, calloc, realloc, also those of libraries), and the one whose number is the first
 * fails.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call { C_OPENAT, C_WRITE, C_FSYNC, C_LINKAT, C_RENAMEAT, C_UNLINKAT, C_COUNT };
enum action { A_NONE, A_ERRNO, A_SHORT, A_KILL, A_KILLAFTER, A_SLOW };

#define MAX_RULES 16
#define EXIT_KILL 137

struct rule {
	enum call call;
	long at;
	int from; /* and all after it */
	enum action action;
	int err;
};

static const char *const call_names[C_COUNT] = { "openat", "write", "fsync", "linkat", "renameat", "unlinkat" };
static const struct {
	const char *name;
	int value;
} errnos[] = {
	{ "ENOSPC", ENOSPC },
	{ "EIO", EIO },
	{ "EINTR", EINTR },
	{ "EROFS", EROFS },
	{ "EDQUOT", EDQUOT },
	{ "EACCES", EACCES },
	{ "EPERM", EPERM },
	{ "EINVAL", EINVAL },
	{ "EMFILE", EMFILE },
	{ "ENOMEM", ENOMEM },
	{ "EFBIG", EFBIG },
	{ "EMLINK", EMLINK },
};

static struct rule rules[MAX_RULES];
static unsigned nrules;
static long counts[C_COUNT];
static char dir[PATH_MAX];
static const char *arm;
static struct {
	uint64_t fail_at, count;
} * memory;

static void
say(const char *text)
{
	(void)!syscall(SYS_write, 2, text, strlen(text));
}

static void
wrong(const char *spec)
{
	say("faultshim: bad rule: ");
	say(spec);
	say("\n");
	_exit(125);
}

static void
parse_rule(const char *spec)
{
	char name[32], action[32], *end;
	const char *colon = strchr(spec, ':');
	struct rule *r = &rules[nrules];
	size_t i;

	if (nrules == MAX_RULES || colon == NULL || (size_t)(colon - spec) >= sizeof(name))
		wrong(spec);
	memcpy(name, spec, (size_t)(colon - spec));
	name[colon - spec] = '\0';
	for (i = 0; i < C_COUNT && strcmp(call_names[i], name) != 0; i++)
		;
	r->call = (enum call)i;
	r->at = strtol(colon + 1, &end, 10);
	r->from = *end == '+';
	end += r->from;
	if (i == C_COUNT || r->at < 1 || *end != ':' || strlen(end + 1) >= sizeof(action))
		wrong(spec);
	strcpy(action, end + 1);
	r->action = strcmp(action, "short") == 0 ? A_SHORT
	    : strcmp(action, "kill") == 0        ? A_KILL
	    : strcmp(action, "killafter") == 0   ? A_KILLAFTER
	    : strcmp(action, "slow") == 0        ? A_SLOW
						 : A_ERRNO;
	for (i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
		if (strcmp(errnos[i].name, action) == 0)
			r->err = errnos[i].value;
	if (r->action == A_ERRNO && r->err == 0)
		wrong(spec);
	nrules++;
}

static void
share_memory(const char *name)
{
	void *p;
	int fd;

	if (name == NULL)
		return;
	if ((fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC, 0)) == -1 ||
	    (p = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
		wrong(name);
	close(fd);
	memory = p;
}

__attribute__((constructor)) static void
shim_start(void)
{
	const char *d = getenv("FAULTSHIM_DIR"), *spec = getenv("FAULTSHIM");
	char copy[1024], *p, *one;

	share_memory(getenv("FAULTSHIM_MEMORY"));
	arm = getenv("FAULTSHIM_ARM");
	if (d == NULL || spec == NULL)
		return;
	if (strlen(spec) >= sizeof(copy) || strlen(d) >= sizeof(dir) || *d != '/')
		wrong(spec);
	/* The directory may not exist yet: its name is then kept as given. */
	if (realpath(d, dir) == NULL)
		strcpy(dir, d);
	strcpy(copy, spec);
	for (p = copy; (one = strsep(&p, ",")) != NULL;)
		if (*one != '\0')
			parse_rule(one);
}

/* Is fd the directory itself, or a file right in it? */
static int
ours(int fd)
{
	char link[64], path[PATH_MAX];
	size_t len = strlen(dir);
	ssize_t n;

	if (nrules == 0 || fd < 0 || (arm != NULL && access(arm, F_OK) == -1))
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if ((n = readlink(link, path, sizeof(path) - 1)) <= 0)
		return 0;
	path[n] = '\0';
	return strncmp(path, dir, len) == 0 &&
	    (path[len] == '\0' || (path[len] == '/' && strchr(path + len + 1, '/') == NULL));
}

/* Counts the call; the action that is due, with errno set for A_ERRNO.  A_KILL does not return. */
static enum action
due(enum call c, int fd)
{
	int saved = errno;
	const char *what;
	char line[100];
	unsigned i;

	if (!ours(fd)) {
		errno = saved;
		return A_NONE;
	}
	counts[c]++;
	for (i = 0; i < nrules; i++) {
		const struct rule *r = &rules[i];

		if (r->call != c || (r->from ? counts[c] < r->at : counts[c] != r->at))
			continue;
		what = r->action == A_ERRNO ? strerror(r->err)
		    : r->action == A_SHORT  ? "short"
		    : r->action == A_KILL   ? "kill"
		    : r->action == A_SLOW   ? "slow"
					    : "kill after";
		snprintf(line, sizeof(line), "faultshim: %s %ld: %s\n", call_names[c], counts[c], what);
		say(line);
		if (r->action == A_KILL)
			_exit(EXIT_KILL);
		errno = r->action == A_ERRNO ? r->err : EINTR;
		if (r->action == A_SLOW) {
			sleep(6);
			break;
		}
		return r->action;
	}
	errno = saved;
	return A_NONE;
}

static void
killed_after(enum action a)
{
	if (a == A_KILLAFTER)
		_exit(EXIT_KILL);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t
write(int fd, const void *p, size_t n)
{
	enum action a = due(C_WRITE, fd);
	ssize_t rv;

	if (a == A_ERRNO)
		return -1;
	rv = syscall(SYS_write, fd, p, a == A_SHORT ? (n + 1) / 2 : n);
	killed_after(a);
	return rv;
}

int
fsync(int fd)
{
	enum action a = due(C_FSYNC, fd);
	int rv;

	if (a == A_ERRNO || a == A_SHORT)
		return -1;
	rv = REAL(fsync)(fd);
	killed_after(a);
	return rv;
}

int
linkat(int a1, const char *from, int a2, const char *to, int flags)
{
	enum action a = due(C_LINKAT, a2);
	int rv;

	if (a == A_ERRNO || a == A_SHORT)
		return -1;
	rv = REAL(linkat)(a1, from, a2, to, flags);
	killed_after(a);
	return rv;
}

int
renameat(int a1, const char *from, int a2, const char *to)
{
	enum action a = due(C_RENAMEAT, a2);
	int rv;

	if (a == A_ERRNO || a == A_SHORT)
		return -1;
	rv = REAL(renameat)(a1, from, a2, to);
	killed_after(a);
	return rv;
}

int
unlinkat(int fd, const char *name, int flags)
{
	enum action a = due(C_UNLINKAT, fd);
	int rv;

	if (a == A_ERRNO || a == A_SHORT)
		return -1;
	rv = REAL(unlinkat)(fd, name, flags);
	killed_after(a);
	return rv;
}

int
openat(int fd, const char *name, int flags, ...)
{
	enum action a = A_NONE;
	mode_t mode = 0;
	va_list ap;
	int rv;

	if ((flags & O_CREAT) != 0) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
		a = due(C_OPENAT, fd);
	}
	if (a == A_ERRNO || a == A_SHORT)
		return -1;
	rv = (int)syscall(SYS_openat, fd, name, flags, mode);
	killed_after(a);
	return rv;
}

/* --- memory --- */

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

static int
no_memory(void)
{
	if (memory == NULL || memory->fail_at == 0 || ++memory->count != memory->fail_at)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t n)
{
	return no_memory() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return no_memory() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return no_memory() ? NULL : __libc_realloc(p, n);
}
