/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef TAILNETD_SANDBOX_H
#define TAILNETD_SANDBOX_H

#include "spawn.h"

/*
 * The parent's own restrictions (security.md 4, column parent), put in force once: after the configuration is loaded,
 * state directory and control socket are open with their owners set, programs are open (spawn_open) and syslog is
 * connected - from here on there is no chown, no other capability than SETUID, SETGID, SYS_CHROOT and KILL, no
 * writing outside the two directories, no starting of anything but the programs given - and before the first child is
 * started.
 */
struct parent_sandbox {
	int			 required;	/* 1: a layer that fails is fatal (exit EXIT_SANDBOX) */
	const char		*state_dir;
	const char		*run_dir;	/* where the control socket is */
	const struct spawn_image *const *images;	/* all that may ever be started */
	unsigned		 nimages;
	/* files, or NULL, whose directories stay readable on OpenBSD; on Linux reading stays open everywhere */
	const char		*reads[3];
};

/* The layers in force (enum sandbox_layer), or -1 after logging which one failed. */
int	 parent_sandbox_enter(const struct parent_sandbox *s);

#endif
