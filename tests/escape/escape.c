/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef ESCAPE_STATIC
#include <event2/event.h>

#include "ipc.h"
#endif
#include "escape.h"
#include "exits.h"
#include "log.h"
#include "sandbox.h"
#include "childfd.h"
#include "spawn.h"

extern const struct sandbox_profile authd_profile, mapd_profile;
int sandbox_enter_resolver(int required, int drop_ids, uid_t uid, gid_t gid);

#define CHILD_NAME "escape-child"
#define PATIENCE   300 /* times 10 ms */

enum program { AUTHD, MAPD, RESOLVER };
static const char *const profiles[] = { "authd", "mapd", "resolver" };

struct plan { /* one child */
	unsigned op;
	enum program program;
	unsigned skip;
	int drop;
	uid_t uid;
	gid_t gid;
	char chroot_dir[80];
	struct fixture f;
};

/* --- the child --- */

static void
receive_plan(struct plan *p)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * 16)];
	} c;
	struct iovec iov = { p, sizeof(*p) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c) };

	memset(&c, 0, sizeof(c));
	if (recvmsg(CHILD_FD, &mh, 0) != (ssize_t)sizeof(*p) || p->op == 0 || p->op >= nops)
		_exit(EXIT_NO_FIXTURE);
	if (p->op != OP_NO_FIXTURES && (fcntl(FD_END - 1, F_GETFD) == -1 || fcntl(FD_END, F_GETFD) != -1))
		_exit(EXIT_NO_FIXTURE); /* the numbers of escape.h are those that the kernel gave */
}

static void
be_the_child(void)
{
	struct plan p;
	struct sandbox_opts o = { .required = 1 };
	const char *why;
	int rv;

	log_init(CHILD_NAME, LOG_L_INFO);
	if (!childfd_check(&why))
		_exit(EXIT_NO_FIXTURE);
	sandbox_harden_process();
	signal(SIGPIPE, SIG_IGN);
	receive_plan(&p);
	if (p.drop) {
		o.drop_ids = 1;
		o.uid = p.uid;
		o.gid = p.gid;
		o.chroot_dir = p.chroot_dir;
	} else {
		o.required = 0;
	}
	sandbox_skip = p.skip;
	if (p.program == RESOLVER)
		rv = sandbox_enter_resolver(o.required, o.drop_ids, o.uid, o.gid);
	else
		rv = sandbox_enter(p.program == MAPD ? &mapd_profile : &authd_profile, &o);
	if (rv == -1)
		_exit(EXIT_NO_SANDBOX);
	errno = 0;
	if (ops[p.op].run(&p.f) == 0)
		_exit(EXIT_ESCAPED);
	_exit(errno > 0 && errno < EXIT_ESCAPED ? errno : EINVAL);
}

/* --- what there is to reach --- */

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

static int
listener(uint16_t *port, int type)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    (type == SOCK_STREAM && listen(fd, 1000) == -1) || getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		die("listener");
	*port = ntohs(sin.sin_port);
	return fd;
}

static int
unix_listener(const char *name, size_t skip)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sun.sun_path + skip, name, strlen(name));
	if (fd == -1 ||
	    bind(fd, (struct sockaddr *)&sun, (socklen_t)(sizeof(sa_family_t) + skip + strlen(name))) == -1 ||
	    listen(fd, 1000) == -1)
		die(name);
	if (skip == 0)
		(void)chmod(name, 0666);
	return fd;
}

static int
connected(uint16_t port, int must)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 && must)
		die("connect");
	return fd;
}

static int
file(const char *dir, const char *name, mode_t mode)
{
	char path[128], block[4096] = { 0 };
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, mode)) == -1 ||
	    write(fd, block, sizeof(block)) == -1)
		die(path);
	return fd;
}

static int
terminal(int *master)
{
	if ((*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) == -1 || grantpt(*master) == -1 ||
	    unlockpt(*master) == -1)
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	return open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static pid_t
sibling(const struct plan *p)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (p->drop &&
	    (setresgid(p->gid + 1, p->gid + 1, p->gid + 1) == -1 ||
		setresuid(p->uid + 1, p->uid + 1, p->uid + 1) == -1))
		_exit(1);
	for (;;)
		pause();
}

struct world {
	int fds[FD_END]; /* to pass, from FD_CONNECTED on */
	int keep[8];
	int master;
	uint64_t word;
};

static void
prepare(struct plan *p, struct world *w)
{
	uint16_t closed_port;
	ssize_t n;
	int fd;

	memset(w, 0, sizeof(*w));
	p->f.supervisor = getpid();
	p->f.address = (uintptr_t)&w->word;
	if ((n = readlink("/proc/self/exe", p->f.self, sizeof(p->f.self) - 1)) <= 0)
		die("/proc/self/exe");
	(void)snprintf(p->f.dir, sizeof(p->f.dir), "/tmp/escape.XXXXXX");
	if (mkdtemp(p->f.dir) == NULL || chmod(p->f.dir, 0777) == -1)
		die("mkdtemp");
	(void)snprintf(p->chroot_dir, sizeof(p->chroot_dir), "%s/empty", p->f.dir);
	if (mkdir(p->chroot_dir, 0555) == -1)
		die(p->chroot_dir);
	/* Where children start: a process that only changes its root is still outside of it, and can reach "new". */
	if (chdir(p->f.dir) == -1)
		die(p->f.dir);
	w->keep[0] = listener(&p->f.control_port, SOCK_STREAM);
	w->keep[1] = listener(&p->f.other_port, SOCK_STREAM);
	w->keep[2] = listener(&p->f.udp_port, SOCK_DGRAM);
	w->keep[3] = unix_listener(p->f.dir, 1);
	close(file(p->f.dir, "state", 0600));
	fd = listener(&closed_port, SOCK_STREAM);
	close(fd);
	w->fds[FD_CONNECTED] = connected(p->f.control_port, 1);
	w->fds[FD_REFUSED] = connected(closed_port, 0);
	w->fds[FD_LISTENING] = w->keep[0];
	w->fds[FD_FILE] = file(p->f.dir, "file", 0600);
	w->fds[FD_PROGRAM] = open(p->f.self, O_PATH | O_CLOEXEC);
	w->fds[FD_NAMESPACE] = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	w->fds[FD_TERMINAL] = terminal(&w->master);
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/socket", p->f.dir);
	w->keep[4] = unix_listener(path, 0);
	p->f.sibling = sibling(p);
}

/* What an operation may have changed is made good before the next. */
static void
tidy(const struct plan *p, struct world *w)
{
	static const char *const leftovers[] = { "new", "link", "file2", "file" };
	char path[128];
	unsigned i;

	for (i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", p->f.dir, leftovers[i]);
		(void)unlink(path);
	}
	close(w->fds[FD_FILE]);
	w->fds[FD_FILE] = file(p->f.dir, "file", 0600);
	close(w->fds[FD_CONNECTED]);
	w->fds[FD_CONNECTED] = connected(p->f.control_port, 1);
}

static void
clean_up(const struct plan *p)
{
	static const char *const names[] = { "new", "link", "file2", "file", "state", "socket" };
	char path[128];
	unsigned i;

	kill(p->f.sibling, SIGKILL);
	waitpid(p->f.sibling, NULL, 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", p->f.dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(p->chroot_dir);
	(void)rmdir(p->f.dir);
}

/* --- one operation in one fresh process --- */

static void
send_plan(int channel, const struct plan *p, const struct world *w)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * (FD_END - FD_CONNECTED))];
	} c;
	struct iovec iov = { (void *)(uintptr_t)p, sizeof(*p) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(&c, 0, sizeof(c));
	if (p->op != OP_NO_FIXTURES) {
		mh.msg_control = &c;
		mh.msg_controllen = sizeof(c);
		CMSG_FIRSTHDR(&mh)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&mh)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&mh)->cmsg_len = CMSG_LEN(sizeof(int) * (FD_END - FD_CONNECTED));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&mh)), &w->fds[FD_CONNECTED], sizeof(int) * (FD_END - FD_CONNECTED));
	}
	if (sendmsg(channel, &mh, MSG_NOSIGNAL) == -1)
		die("sendmsg");
}

static int
wait_for(pid_t pid, int *status)
{
	const struct timespec ten_ms = { .tv_nsec = 10000000 }, one_ms = { .tv_nsec = 1000000 };
	int i;

	for (i = 0; i < PATIENCE; i++) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return 0;
		nanosleep(i < 20 ? &one_ms : &ten_ms, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, status, 0);
	return -1;
}

#ifndef ESCAPE_STATIC
static void
on_closed(void *arg, int violation, const char *why)
{
	(void)why;
	*(int *)arg = violation ? 1 : -1;
}

/*
 * The parent's end of the channel as the daemon has it: 1 when it finds the violation, upon which the child is
 * killed.
 */
static int
parent_finds_violation(int channel)
{
	struct ipc_handlers h = { .closed = on_closed };
	struct event_base *base = event_base_new();
	struct timeval limit = { .tv_sec = 3 };
	struct ipc *c;
	int found = 0;

	if (base == NULL || (c = ipc_new(base, channel, IPC_PARENT_SIDE, IPC_MAPD, 1, &h, &found)) == NULL)
		die("ipc");
	event_base_loopexit(base, &limit);
	while (found == 0 && !event_base_got_exit(base))
		event_base_loop(base, EVLOOP_ONCE);
	ipc_free(c);
	event_base_free(base);
	return found == 1;
}
#endif

static const char *
verdict(int status, int over_time)
{
	static char text[64];

	if (over_time)
		return "hangs";
	if (WIFSIGNALED(status)) {
		(void)snprintf(text, sizeof(text), "killed %s",
		    WTERMSIG(status) == SIGSYS ? "SYS" : strsignal(WTERMSIG(status)));
		return text;
	}
	switch (WEXITSTATUS(status)) {
	case EXIT_ESCAPED: return "ESCAPED";
	case EXIT_NO_SANDBOX: return "no sandbox";
	case EXIT_NO_FIXTURE: return "no fixture";
	}
	(void)snprintf(text, sizeof(text), "errno %d %s", WEXITSTATUS(status), strerror(WEXITSTATUS(status)));
	return text;
}

static void
try_one(struct plan *p, struct world *w)
{
	struct spawn_image img = { .name = CHILD_NAME };
	const char *result;
	int sv[2], status = 0, over_time;
	pid_t pid;

	(void)snprintf(img.path, sizeof(img.path), "%s", p->f.self);
	img.fd = w->fds[FD_PROGRAM];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1)
		die("socketpair");
	send_plan(sv[0], p, w);
	if ((pid = spawn_start(&img, sv[1], -1, NULL)) == -1)
		die("spawn");
	close(sv[1]);
#ifndef ESCAPE_STATIC
	if (p->op == OP_BAD_MESSAGE) {
		int found = parent_finds_violation(sv[0]); /* takes sv[0] over */

		kill(pid, SIGKILL);
		(void)wait_for(pid, &status);
		printf("%u\t%s\t%s\n", p->op, ops[p->op].name, found ? "killed by the parent" : verdict(status, 0));
		return;
	}
#endif
	over_time = wait_for(pid, &status) == -1;
	result = verdict(status, over_time);
	printf("%u\t%s\t%s\n", p->op, ops[p->op].name, result);
	close(sv[0]);
}

static unsigned
layer_mask(const char *list)
{
	unsigned mask = 0, i;
	char copy[256], *word, *rest = copy;

	(void)snprintf(copy, sizeof(copy), "%s", list);
	while ((word = strsep(&rest, ",")) != NULL) {
		for (i = 0; i < SBX_NLAYERS; i++)
			if (strcmp(word, sandbox_layer_name((enum sandbox_layer)(1u << i))) == 0)
				break;
		if (i < SBX_NLAYERS)
			mask |= 1u << i;
		else if (word[0] != '\0')
			die(word);
	}
	return mask;
}

int
main(int argc, char *argv[])
{
	static struct plan p;
	static struct world w;
	unsigned only = 0;

	if (strcmp(argv[0], CHILD_NAME) == 0)
		be_the_child();
	if (argc == 2 && strcmp(argv[1], "escaped") == 0)
		return EXIT_ESCAPED;
	for (p.program = AUTHD; argc > 2 && p.program <= RESOLVER; p.program++)
		if (strcmp(argv[1], profiles[p.program]) == 0)
			break;
	if (argc < 3 || p.program > RESOLVER) {
		fprintf(stderr, "usage: escape authd|mapd|resolver SKIPPED-LAYERS [OPERATION]\n");
		return 2;
	}
	p.skip = layer_mask(argv[2]);
	if (argc > 3)
		only = (unsigned)atoi(argv[3]);
	p.drop = getuid() == 0;
	p.uid = 65530;
	p.gid = 65530;
	/* Real harm would be possible: some operation must always be left without its right. */
	if (p.drop && (p.skip & SBX_SECCOMP) != 0 && (p.skip & (SBX_UID | SBX_CAPS)) == (SBX_UID | SBX_CAPS)) {
		fprintf(stderr, "escape: root with all capabilities and no filter: not on this machine\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	prepare(&p, &w);
	for (p.op = 1; p.op < nops; p.op++) {
		if (only != 0 && p.op != only)
			continue;
#ifdef ESCAPE_STATIC
		if (p.op == OP_BAD_MESSAGE)
			continue; /* is about the parent, which is not static */
#endif
		try_one(&p, &w);
		fflush(stdout);
		tidy(&p, &w);
	}
	clean_up(&p);
	return 0;
}
