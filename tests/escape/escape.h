/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Hostile code inside our own sandbox (security.md 5.1).  A supervisor, outside, prepares things worth reaching and
 * starts itself as a network child is started; that child enters the real profile and runs one operation.
 */
struct fixture {			/* what the operation may aim at; made by the supervisor */
	pid_t		 supervisor;
	pid_t		 sibling;	/* another process of this test, with a different uid */
	uint64_t	 address;	/* of a word in the supervisor */
	uint16_t	 control_port;	/* a process listens on it */
	uint16_t	 other_port;
	uint16_t	 udp_port;
	char		 dir[64];	/* writable by all, outside the chroot */
	char		 self[512];	/* this program */
};

/* Descriptors passed over the channel before the sandbox closes, as a child gets them. */
enum { FD_CONNECTED = 4, FD_REFUSED, FD_LISTENING, FD_FILE, FD_PROGRAM, FD_NAMESPACE, FD_TERMINAL, FD_END };

struct op {
	const char	*name;
	int		(*run)(const struct fixture *f);	/* 0: done, the wall has a hole; -1: errno says no */
};
extern const struct op ops[];
extern const unsigned nops;

#define OP_NO_FIXTURES	69	/* descriptors 4..1023: nothing is passed */
#define OP_BAD_MESSAGE	70	/* the parent must kill */

/* Exit codes of the child: 0 must not happen, 1..133 an errno, else: */
enum { EXIT_ESCAPED = 200, EXIT_NO_SANDBOX = 201, EXIT_NO_FIXTURE = 202 };

#endif
