/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Sandbox mechanism (security.md 4).  Policy - which calls with which reason - is a table in each program's
 * *_sandbox.c; this is how a table is put in force.  One backend per file (sandbox_linux.c, sandbox_openbsd.c);
 * callers have no #ifdef.
 */
enum sandbox_layer {			/* bits of the set that sandbox_enter() reports; names: sandbox_layer_name() */
	SBX_UID		= 1 << 0,	/* "uid"         own uid and gid, no supplementary groups, setuid(0) fails */
	SBX_CHROOT	= 1 << 1,	/* "chroot"      empty root-owned directory */
	SBX_NNP		= 1 << 2,	/* "no-new-privs" */
	SBX_RLIMIT	= 1 << 3,	/* "rlimits" */
	SBX_DUMPABLE	= 1 << 4,	/* "undumpable" */
	SBX_PDEATHSIG	= 1 << 5,	/* "pdeathsig" */
	/* "capabilities" none (children) or the profile's; bounding set as the parent's */
	SBX_CAPS	= 1 << 6,
	SBX_LANDLOCK	= 1 << 7,	/* "landlock" */
	SBX_SECCOMP	= 1 << 8,	/* "seccomp" */
	SBX_PLEDGE	= 1 << 9,	/* "pledge" */
	SBX_UNVEIL	= 1 << 10	/* "unveil" */
};
#define SBX_NLAYERS 11
const char *sandbox_layer_name(enum sandbox_layer bit);

struct sbx_rlimit { int resource; uint64_t value; int soft_only; };	/* hard and soft, unless soft_only */

/*
 * A part of the file system that stays usable (Landlock, unveil).  fd: an open descriptor (O_PATH suffices), or path.
 */
enum sbx_access { SBX_READ = 1, SBX_WRITE = 2 /* and create, remove, rename */, SBX_EXEC = 4 };
struct sbx_path { const char *path; int by_fd; int fd; unsigned access; };

enum sbx_net {				/* TCP; UDP and unix sockets are for seccomp */
	SBX_NET_NONE,			/* neither connect nor bind */
	SBX_NET_DNS,			/* connect to port 53 */
	SBX_NET_CONNECT			/* connect anywhere, no bind */
};

struct sbx_rule;			/* sandbox_rules.h */

struct sandbox_profile {
	const char		*name;			/* "authd" "mapd" "resolver" "tailnetd" */
	/* Linux: the program's own rows, may be NULL; sandbox_rules.h */
	const struct sbx_rule	*rules;
	const struct sbx_rule	*shared;		/* rows for calls that rules says nothing about, may be NULL */
	int			 deny_list;		/* 0: what has no row kills the process; 1: it is allowed */
	int			 die_with_parent;	/* PDEATHSIG */
	enum sbx_net		 net;
	int			 unix_scope;		/* no abstract unix socket of processes outside */
	uint64_t		 caps;			/* kept capabilities, bits 1 << CAP_x; the parent only */
	const struct sbx_path	*paths;			/* fixed part; a missing path is no error */
	unsigned		 npaths;
	const char		*pledge;		/* OpenBSD promises */
	const struct sbx_rlimit	*rlimits;
	unsigned		 nrlimits;
};

struct sandbox_opts {
	int		 required;		/* 1: any layer that fails is fatal; 0: best effort */
	int		 drop_ids;		/* 0 when the daemon itself is not root, and for the parent */
	uid_t		 uid;
	gid_t		 gid;
	const char	*chroot_dir;		/* NULL: none */
	const struct sbx_path *paths;		/* more paths, known at run time */
	unsigned	 npaths;
};

/*
 * Enter the profile, in the start order of security.md 4 (bounding set, chroot, chdir, groups, ids, proof, dumpable,
 * PDEATHSIG, capabilities, rlimits, no_new_privs, Landlock, seccomp).  Returns the set of layers in force; on failure
 * of a required layer logs which one and why and returns -1 (the caller exits EXIT_SANDBOX).  Best effort: continues
 * without the layer, but requested ids are always dropped.
 */
int	 sandbox_enter(const struct sandbox_profile *p, const struct sandbox_opts *o);

/* The loader of programs like this one (ld.so), which must stay executable with them; NULL: none, or not needed. */
const char *sandbox_interpreter(void);

/* Process hygiene for every process right after exec: not dumpable, core limit 0, descriptors 0..2 open. */
void	 sandbox_harden_process(void);

/*
 * Reads the state of process pid from the kernel (/proc/PID/status): the SBX_UID, SBX_NNP, SBX_CAPS and SBX_SECCOMP
 * bits of *layers are set or cleared accordingly.  The others, which the kernel does not show of another process, are
 * left as the process itself reported them.  0, or -1 with errno if it cannot be read, or if /proc is that of another
 * pid namespace and so shows other processes: then *layers is unchanged.
 */
int	 sandbox_read_back(pid_t pid, unsigned *layers);
/* The same on a text, for tests: n bytes of /proc/PID/status. */
int	 sandbox_parse_status(const char *text, size_t n, unsigned *layers);

#ifdef TEST_ESCAPE
extern unsigned sandbox_skip;		/* tests/escape: layers left out to see what each stops */
#endif

#endif
