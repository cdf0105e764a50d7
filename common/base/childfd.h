/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CHILDFD_H
#define CHILDFD_H

/*
 * The descriptors a child starts with (security.md D6): 0, 1, 2 are /dev/null, this is the channel, no other is open.
 */
#define CHILD_FD	3

/* For a child's main(): 1 if CHILD_FD is a stream socket and nothing above it is open; else 0 and a reason in *why. */
int	 childfd_check(const char **why);

#endif
