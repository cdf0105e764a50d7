/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EXITS_H
#define EXITS_H

/* Exit codes of the daemon and its children (interface.md 9). */
enum {
	EXIT_OK = 0,
	EXIT_STARTUP = 1,	/* start-up error */
	EXIT_BYHAND = 2,	/* a child run without a channel on descriptor 3 */
	EXIT_VIOLATION = 70,	/* a child saw its parent break the ipc rules, or an internal invariant broke */
	EXIT_SANDBOX = 71,	/* sandbox could not be applied */
	EXIT_BUILD = 72,	/* a child of another build than its parent */
	EXIT_MEMORY = 75,	/* a child ran out of memory (mem.h); the parent never ends so */
	EXIT_UNUSABLE = 78,	/* configuration or state unusable; nothing was overwritten */
	EXIT_NODESC = 126,	/* a child's descriptors could not be arranged before exec: no /dev/null? */
	EXIT_NOEXEC = 127	/* exec failed, or (the loader's own status) a shared library is missing */
};

#endif
