/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef ERROR_CODES_H
#define ERROR_CODES_H

/*
 * Every error code of the control socket (interface.md 3) and the exit code of tailnetctl that it leads to
 * (interface.md 8).
 *
 *	E(id, text, exit)	ERR_id of errcode.h; CTL_exit of tailnetctl
 */
#define ERROR_CODES(E) \
	E(USAGE, "usage", USAGE) \
	E(UNKNOWN_COMMAND, "unknown-command", USAGE) \
	E(DENIED, "denied", DENIED) \
	E(BUSY, "busy", ERROR) \
	E(INVALID, "invalid", ERROR) \
	E(TOO_LARGE, "too-large", ERROR) \
	E(TIMEOUT, "timeout", TIMEOUT) \
	E(INTERNAL, "internal", ERROR) \
	E(NO_NETMAP, "no-netmap", SYNC) \
	E(SHUTTING_DOWN, "shutting-down", ERROR) \
	E(NOT_LOGGED_IN, "not-logged-in", LOGIN) \
	E(NOT_SYNCED, "not-synced", SYNC)

#endif
