/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>

#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"

/* One line for one line of the table in security.md 5.1 where it fits: laid out by hand. */
/* clang-format off */

/* Numbers that Debian 12's headers lack or keep apart; the same on every architecture. */
#define NR_PIDFD_OPEN  434
#define NR_CLONE3      435
#define NR_OPENAT2     437
#define NR_PIDFD_GETFD 438
#define NR_FSOPEN      430
#define NR_IO_URING    425
#define NR_MEMFD_SECRET 447
#define AF_VSOCK_      40
#define AF_ALG_	       38
#define MPTCP	       262
#define DROPPABLE      0x08
#define FASTOPEN       0x20000000

#define OP(name) static int name(const struct fixture *f)
#define UNUSED	 (void)f

/* A descriptor or a pointer was got: that is enough. */
static int
got(long rv)
{
	return rv == -1 ? -1 : 0;
}

static int
got_map(const void *p)
{
	return p == MAP_FAILED ? -1 : 0;
}

static struct sockaddr_in
loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static const char *
in_dir(const struct fixture *f, const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	return path;
}

/* --- files --- */
OP(open_state) { return got(open(in_dir(f, "state"), O_RDONLY)); }
OP(open_shadow) { UNUSED; return got(open("/etc/shadow", O_RDONLY)); }
OP(create)
{
	return got(open(in_dir(f, "new"), O_CREAT | O_WRONLY, 0600)) == 0 ||
	    got(open("new", O_CREAT | O_WRONLY, 0600)) == 0 ? 0 : -1;
}
OP(open_by_openat2)
{
	uint64_t how[3] = { O_RDONLY | O_DIRECTORY, 0, 0 };

	UNUSED;
	return got(syscall(NR_OPENAT2, AT_FDCWD, ".", how, sizeof(how)));
}
OP(open_root) { UNUSED; return got(open("/", O_RDONLY | O_DIRECTORY)); }
OP(break_chroot) { UNUSED; return chroot(".") == -1 || chdir("../../../..") == -1 ? -1 : 0; }
OP(make_symlink)
{
	return symlink("target", in_dir(f, "link")) == 0 || symlink("target", "link") == 0 ? 0 : -1;
}
OP(map_shared_file)
{
	UNUSED;
	return got_map(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, FD_FILE, 0));
}
OP(watch_files)
{
	int fd = inotify_init1(0);

	UNUSED;
	return fd == -1 ? -1 : got(inotify_add_watch(fd, "/", IN_OPEN));
}
OP(memfd) { UNUSED; return got(memfd_create("x", 0)); }
OP(siblings_proc)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)f->sibling);
	return got(open(path, O_RDONLY));
}

/* --- processes --- */
OP(exec_path) { return execl(f->self, "escape", "escaped", (char *)NULL); }
OP(exec_descriptor)
{
	char *argv[] = { (char *)(uintptr_t)"escape", (char *)(uintptr_t)"escaped", NULL };

	UNUSED;
	return (int)syscall(SYS_execveat, FD_PROGRAM, "", argv, NULL, 0x1000);
}
OP(fork_off)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	UNUSED;
	if (pid == 0)
		_exit(0);
	return got(pid);
}
OP(fork_by_clone3)
{
	uint64_t args[8] = { 0, 0, 0, 0, SIGCHLD };
	long pid = syscall(NR_CLONE3, args, sizeof(args));

	UNUSED;
	if (pid == 0)
		_exit(0);
	return got(pid);
}
OP(trace_parent) { return got(ptrace(PTRACE_SEIZE, f->supervisor, 0, 0)); }
OP(read_parent)
{
	uint64_t word;
	struct iovec to = { &word, sizeof(word) }, from = { (void *)(uintptr_t)f->address, sizeof(word) };

	return got(process_vm_readv(f->supervisor, &to, 1, &from, 1, 0));
}
/* Signal 0 asks for permission only: enough to know, and harmless where nothing stops it. */
OP(kill_parent) { return kill(f->supervisor, 0); }
OP(kill_all) { UNUSED; return kill(-1, 0); }
OP(tgkill_parent) { return got(syscall(SYS_tgkill, f->supervisor, f->supervisor, 0)); }
OP(steal_descriptor)
{
	long fd = syscall(NR_PIDFD_OPEN, f->supervisor, 0);

	return fd == -1 ? -1 : got(syscall(NR_PIDFD_GETFD, fd, 0, 0));
}
OP(set_owner) { return fcntl(3, F_SETOWN, f->supervisor); }
OP(scheduler)
{
	struct sched_param p = { 0 };

	UNUSED;
	return got(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &p));
}

/* --- network --- */
static int
dial(int type, int protocol, uint16_t port)
{
	struct sockaddr_in sin = loopback(port);
	int fd = socket(AF_INET, type, protocol);

	return fd == -1 ? -1 : connect(fd, (struct sockaddr *)&sin, sizeof(sin));
}
OP(tcp_control) { return dial(SOCK_STREAM, 0, f->control_port); }
OP(tcp_other) { return dial(SOCK_STREAM, 0, f->other_port); }
OP(fast_open_sendto)
{
	struct sockaddr_in sin = loopback(f->other_port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd == -1 ? -1 : got(sendto(fd, "x", 1, FASTOPEN, (struct sockaddr *)&sin, sizeof(sin)));
}
OP(fast_open_sendmsg)
{
	struct sockaddr_in sin = loopback(f->other_port);
	struct iovec iov = { (void *)(uintptr_t)"x", 1 };
	struct msghdr mh = { .msg_name = &sin, .msg_namelen = sizeof(sin), .msg_iov = &iov, .msg_iovlen = 1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd == -1 ? -1 : got(sendmsg(fd, &mh, FASTOPEN));
}
OP(mptcp) { return dial(SOCK_STREAM, MPTCP, f->other_port); }
OP(udp)
{
	struct sockaddr_in sin = loopback(f->udp_port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd == -1 ? -1 : got(sendto(fd, "x", 1, 0, (struct sockaddr *)&sin, sizeof(sin)));
}
static int
dial_unix(const char *path, size_t skip)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(sun.sun_path + skip, path, strlen(path));
	if (fd == -1)
		return -1;
	return connect(fd, (struct sockaddr *)&sun, (socklen_t)(sizeof(sa_family_t) + skip + strlen(path)));
}
OP(unix_path) { return dial_unix(in_dir(f, "socket"), 0); }
OP(unix_abstract) { return dial_unix(f->dir, 1); }
OP(netlink) { UNUSED; return got(socket(AF_NETLINK, SOCK_RAW, 0)); }
OP(packet) { UNUSED; return got(socket(AF_PACKET, SOCK_RAW, 0)); }
OP(raw) { UNUSED; return got(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); }
OP(vsock) { UNUSED; return got(socket(AF_VSOCK_, SOCK_STREAM, 0)); }
OP(alg) { UNUSED; return got(socket(AF_ALG_, SOCK_SEQPACKET, 0)); }
OP(re_aim_connected)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_in sin = loopback(f->other_port);

	if (connect(FD_CONNECTED, &none, sizeof(none)) == -1)
		return -1;
	return connect(FD_CONNECTED, (struct sockaddr *)&sin, sizeof(sin));
}
OP(re_aim_refused)
{
	struct sockaddr_in sin = loopback(f->other_port);

	return got(sendto(FD_REFUSED, "x", 1, FASTOPEN, (struct sockaddr *)&sin, sizeof(sin)));
}
OP(listen_here)
{
	struct sockaddr_in sin = loopback(0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	UNUSED;
	return fd == -1 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ? -1 : listen(fd, 1);
}
OP(socket_pair)
{
	int sv[2];

	UNUSED;
	return socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
}
OP(pass_descriptor)
{
	union { struct cmsghdr align; char space[CMSG_SPACE(sizeof(int))]; } c;
	struct iovec iov = { (void *)(uintptr_t)"x", 1 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c) };
	int fd = 3;

	UNUSED;
	memset(&c, 0, sizeof(c));
	CMSG_FIRSTHDR(&mh)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&mh)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&mh)->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&mh)), &fd, sizeof(fd));
	return got(sendmsg(3, &mh, 0));
}
OP(use_closed) { UNUSED; return close(FD_CONNECTED) == -1 ? -1 : got(write(FD_CONNECTED, "x", 1)); }

/* --- kernel --- */
OP(io_uring)
{
	uint32_t params[30] = { 0 };

	UNUSED;
	return got(syscall(NR_IO_URING, 4, params));
}
OP(bpf)
{
	uint32_t attr[32] = { 2, 4, 4, 1 };	/* an array of one word */

	UNUSED;
	return got(syscall(SYS_bpf, 0, attr, sizeof(attr)));
}
OP(perf)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(a), .exclude_kernel = 1,
		.exclude_hv = 1 };

	UNUSED;
	return got(syscall(SYS_perf_event_open, &a, 0, -1, -1, 0));
}
OP(userfault) { UNUSED; return got(syscall(SYS_userfaultfd, 1 | O_CLOEXEC)); }
OP(keys) { UNUSED; return got(syscall(SYS_add_key, "user", "x", "y", 1, -2)); }
OP(kexec) { UNUSED; return got(syscall(SYS_kexec_load, 0, 0, NULL, 0)); }
/* The file is no module: that the kernel has looked is enough. */
OP(module)
{
	UNUSED;
	return got(syscall(SYS_finit_module, FD_FILE, "", 0)) == 0 || errno == ENOEXEC || errno == EINVAL ? 0 : -1;
}
OP(mount_tmpfs)
{
	if (mount("none", f->dir, "tmpfs", 0, NULL) == -1)
		return -1;
	(void)umount2(f->dir, MNT_DETACH);
	return 0;
}
OP(fs_open) { UNUSED; return got(syscall(NR_FSOPEN, "tmpfs", 0)); }
OP(new_user_namespace) { UNUSED; return unshare(CLONE_NEWUSER); }
OP(enter_namespace) { UNUSED; return setns(FD_NAMESPACE, 0); }
OP(own_filter)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = { .len = 1, .filter = &all };

	UNUSED;
	return got(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog));
}
OP(int_80)
{
#ifdef __x86_64__
	long rv;

	UNUSED;
	/* getpid of i386 */
	__asm__ volatile("int $0x80" : "=a"(rv) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	errno = rv < 0 ? (int)-rv : 0;
	return rv > 0 ? 0 : -1;
#else
	UNUSED;
	errno = ENOSYS;
	return -1;
#endif
}
OP(x32)
{
#ifdef __x86_64__
	UNUSED;
	return got(syscall(0x40000000 + 39));	/* getpid */
#else
	UNUSED;
	errno = ENOSYS;
	return -1;
#endif
}
OP(shared_memory)
{
	long id = syscall(SYS_shmget, 0, 4096, 0600);

	UNUSED;
	if (id != -1)
		(void)syscall(SYS_shmctl, id, 0, NULL);
	return got(id);
}
OP(message_queue)
{
	long id = syscall(SYS_msgget, 0, 0600), sem = syscall(SYS_semget, 0, 1, 0600);

	UNUSED;
	if (id != -1)
		(void)syscall(SYS_msgctl, id, 0, NULL);
	if (sem != -1)
		(void)syscall(SYS_semctl, sem, 0, 0, NULL);
	return id == -1 && sem == -1 ? -1 : 0;
}

/* --- privilege --- */
OP(become_root) { UNUSED; return getuid() == 0 ? (errno = EPERM, -1) : got(syscall(SYS_setresuid, 0, 0, 0)); }
OP(raise_limit)
{
	struct rlimit rl = { RLIM_INFINITY, RLIM_INFINITY };

	UNUSED;
	return setrlimit(RLIMIT_FSIZE, &rl);
}
OP(dumpable) { UNUSED; return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
OP(host_name)
{
	char name[256] = "";

	UNUSED;
	(void)gethostname(name, sizeof(name));
	return sethostname(name, strlen(name));
}
OP(clock_set)
{
	struct timespec now;

	UNUSED;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return clock_settime(CLOCK_REALTIME, &now);
}
OP(type_ahead) { UNUSED; return ioctl(FD_TERMINAL, TIOCSTI, "x"); }
OP(map_rwx)
{
	UNUSED;
	return got_map(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}
OP(protect_x)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	UNUSED;
	return p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}
OP(map_droppable)
{
	UNUSED;
	return got_map(mmap(NULL, 4096, PROT_READ | PROT_WRITE, DROPPABLE | MAP_ANONYMOUS, -1, 0));
}
OP(dup_three) { UNUSED; return got(dup3(3, 40, 0)); }
OP(look_for_descriptors)
{
	int fd;

	UNUSED;
	for (fd = 4; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			return 0;
	return -1;
}
/* Only the parent can find out: escape.c passes the child's bytes to ipc. */
OP(bad_message)
{
	UNUSED;
	if (write(3, "\xff\xff\0\0\4\0\0\0\1\0\0\0\1\0\0\0zzzz", 20) == -1)
		return -1;
	while (read(3, (char[1]){ 0 }, 1) != 0)
		;
	return -1;
}

/* --- beyond the list of security.md 5.1 --- */
OP(pkey_protect_x)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	UNUSED;
	return p == MAP_FAILED ? -1 : got(syscall(SYS_pkey_mprotect, p, 4096, PROT_READ | PROT_EXEC, -1));
}
OP(read_implies_exec) { UNUSED; return got(syscall(SYS_personality, 0x0400000)); }
OP(limit_parent)
{
	struct rlimit rl;

	return got(syscall(SYS_prlimit64, f->supervisor, RLIMIT_NOFILE, NULL, &rl));
}
OP(accept_passed)
{
	UNUSED;
	return got(accept4(FD_LISTENING, NULL, NULL, SOCK_NONBLOCK)) == 0 || errno == EAGAIN ? 0 : -1;
}
OP(socket_option)
{
	int one = 1;

	UNUSED;
	return setsockopt(FD_CONNECTED, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}
OP(memfd_hidden) { UNUSED; return got(syscall(NR_MEMFD_SECRET, 0)); }
OP(rename_file) { return rename(in_dir(f, "file"), in_dir(f, "file2")); }
OP(remove_file) { return unlink(in_dir(f, "file")); }
OP(change_mode) { UNUSED; return fchmod(FD_FILE, 0666); }
OP(truncate_file) { UNUSED; return ftruncate(FD_FILE, 1); }

const struct op ops[] = {
	{ "none", NULL },
	{ "open the state file", open_state }, { "open /etc/shadow", open_shadow }, { "create a file", create },
	{ "openat2", open_by_openat2 }, { "open /", open_root }, { "chroot break-out", break_chroot },
	{ "symlink", make_symlink },
	{ "mmap a shared file", map_shared_file }, { "inotify", watch_files }, { "memfd_create", memfd },
	{ "sibling's /proc", siblings_proc },
	{ "execve", exec_path }, { "execveat", exec_descriptor }, { "fork", fork_off }, { "clone3", fork_by_clone3 },
	{ "ptrace the parent", trace_parent }, { "process_vm_readv", read_parent }, { "kill the parent", kill_parent },
	{ "kill -1", kill_all }, { "tgkill the parent", tgkill_parent }, { "pidfd_getfd", steal_descriptor },
	{ "F_SETOWN", set_owner }, { "sched_setscheduler", scheduler },
	{ "tcp to the control port", tcp_control }, { "tcp to another port", tcp_other },
	{ "Fast Open by sendto", fast_open_sendto },
	{ "Fast Open by sendmsg", fast_open_sendmsg }, { "MPTCP", mptcp }, { "udp", udp }, { "unix path", unix_path },
	{ "abstract unix", unix_abstract }, { "netlink", netlink }, { "packet socket", packet }, { "raw socket", raw },
	{ "vsock", vsock }, { "AF_ALG", alg }, { "re-aim a passed socket", re_aim_connected },
	{ "re-aim a refused socket", re_aim_refused }, { "bind and listen", listen_here },
	{ "socketpair", socket_pair },
	{ "pass a descriptor to the parent", pass_descriptor }, { "use a closed descriptor", use_closed },
	{ "io_uring", io_uring }, { "bpf", bpf }, { "perf_event_open", perf }, { "userfaultfd", userfault },
	{ "add_key", keys },
	{ "kexec_load", kexec }, { "finit_module", module }, { "mount", mount_tmpfs }, { "fsopen", fs_open },
	{ "unshare user", new_user_namespace }, { "setns", enter_namespace }, { "a filter of its own", own_filter },
	{ "int 0x80", int_80 }, { "x32 call", x32 }, { "shmget", shared_memory }, { "msgget, semget", message_queue },
	{ "setresuid 0", become_root }, { "raise a limit", raise_limit }, { "dumpable again", dumpable },
	{ "sethostname", host_name }, { "clock_settime", clock_set }, { "TIOCSTI", type_ahead },
	{ "mmap rwx", map_rwx },
	{ "mprotect x", protect_x }, { "MAP_DROPPABLE", map_droppable }, { "dup3", dup_three },
	{ "descriptors 4..1023", look_for_descriptors }, { "message outside the list", bad_message },
	{ "pkey_mprotect x", pkey_protect_x }, { "READ_IMPLIES_EXEC", read_implies_exec },
	{ "prlimit the parent", limit_parent },
	{ "accept on a passed socket", accept_passed }, { "setsockopt", socket_option },
	{ "memfd_secret", memfd_hidden },
	{ "rename", rename_file }, { "unlink", remove_file }, { "fchmod", change_mode }, { "ftruncate", truncate_file },
};
const unsigned nops = sizeof(ops) / sizeof(ops[0]);
