/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef HEALTH_CODES_H
#define HEALTH_CODES_H

/*
 * Everything that may be wrong with the daemon (interface.md 4, `health`), in the order of the status.
 *
 *	H(id, code, severity, sentence)
 *
 *	id		HEALTH_id of tailnetd/control/health.h
 *	severity	high, medium or low
 *	sentence	for people, with what to do; NULL: health_raise() gets one
 */
#define HEALTH_CODES(H) \
	H(SERVER_KEY_CHANGED, "server-key-changed", "high", "the server offers a key that is not the pinned one; " \
	    "check it, then run `tailnetctl server-key accept`") \
	H(STATE_NOT_SAVED, "state-not-saved", "high", NULL) \
	H(STATE_RECOVERED, "state-recovered", "medium", "the state file was damaged; its previous version is in use") \
	H(CHILD_CRASH, "child-crash", "high", NULL) \
	H(SANDBOX_DEGRADED, "sandbox-degraded", "medium", NULL) \
	H(CLOCK_WRONG, "clock-wrong", "medium", "the clock is earlier than this program's release") \
	H(KEY_EXPIRED, "node-key-expired", "high", "the node key has expired; log in again") \
	H(NOT_APPROVED, "machine-not-approved", "medium", \
	    "this machine needs approval by an administrator of the tailnet") \
	H(SERVER_LIMIT, "server-limit", "medium", NULL) \
	H(OUT_OF_MEMORY, "out-of-memory", "high", NULL)

#endif
