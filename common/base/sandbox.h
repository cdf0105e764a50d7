/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Sandbox mechanism (security.md 4).  Policy - which calls with which reason - is a table in each room's sandbox.c; this
 * is how a table is put in force.  One backend per file (sandbox_linux.c, sandbox_openbsd.c); callers have no #ifdef.
 */
enum sandbox_layer {			/* bits of the set that sandbox_enter() reports; names: sandbox_layer_name() */
	SBX_UID		= 1 << 0,	/* "uid"         own uid and gid, no supplementary groups, setuid(0) proved to fail */
	SBX_CHROOT	= 1 << 1,	/* "chroot"      empty root-owned directory */
	SBX_NNP		= 1 << 2,	/* "no-new-privs" */
	SBX_RLIMIT	= 1 << 3,	/* "rlimits" */
	SBX_DUMPABLE	= 1 << 4,	/* "undumpable" */
	SBX_PDEATHSIG	= 1 << 5,	/* "pdeathsig" */
	SBX_CAPS	= 1 << 6,	/* "capabilities" bounding set empty (children) or cut (parent) */
	SBX_LANDLOCK	= 1 << 7,	/* "landlock" */
	SBX_SECCOMP	= 1 << 8,	/* "seccomp" */
	SBX_PLEDGE	= 1 << 9,	/* "pledge" */
	SBX_UNVEIL	= 1 << 10	/* "unveil" */
};
#define SBX_NLAYERS 11
const char *sandbox_layer_name(enum sandbox_layer bit);

struct sbx_rlimit { int resource; uint64_t value; };	/* hard and soft */

/* One row of a seccomp table: see sandbox_linux.c for the moods and argument tests; opaque to callers. */
struct sbx_rule;

struct sandbox_profile {
	const char		*name;			/* "authd" "mapd" "resolver" */
	const struct sbx_rule	*rules;			/* Linux: allow-list; default is to kill the process */
	unsigned		 nrules;
	const char		*pledge;		/* OpenBSD promises */
	const struct sbx_rlimit	*rlimits;
	unsigned		 nrlimits;
};

struct sandbox_opts {
	int		 required;		/* 1: any layer that fails is fatal; 0: best effort */
	int		 drop_ids;		/* 0 when the daemon itself is not root */
	uid_t		 uid;
	gid_t		 gid;
	const char	*chroot_dir;		/* NULL: none */
};

/*
 * Enter the profile, in the start order of security.md 4 (chroot, chdir, groups, ids, proof, dumpable, PDEATHSIG,
 * rlimits, no_new_privs, Landlock, seccomp).  Returns the set of layers in force; on failure of a required layer logs
 * which one and why and returns -1 (the caller exits EXIT_SANDBOX).
 */
int	 sandbox_enter(const struct sandbox_profile *p, const struct sandbox_opts *o);

/* Process hygiene for every process right after exec: not dumpable, core limit 0, descriptors 0..2 open. */
void	 sandbox_harden_process(void);

#endif
