/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SANDBOX_RULES_H
#define SANDBOX_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "sandbox_calls.h"

/*
 * System call policy as data.  A table ends with SBX_END.  All rows of one call follow each other; the first whose
 * tests all hold decides; if none does, the call is refused the hard way (process killed).  Calls without a row get
 * the table's default: kill for an allow-list, allow for a deny-list.
 */
enum sbx_action { SBX_ALLOW_IT = 1, SBX_ERRNO_IT, SBX_KILL_IT };

/* (argument & mask) == value, over all 64 bits.  own_pid: value is the caller's process id. */
struct sbx_test { uint8_t used; uint8_t arg; uint8_t own_pid; uint64_t mask; uint64_t value; };
#define SBX_MAX_TESTS 3

struct sbx_rule {
	uint16_t	call;			/* enum sbx_call, SBX_NO_CALL ends the table */
	uint16_t	action;
	uint16_t	err;
	struct sbx_test	test[SBX_MAX_TESTS];	/* all must hold */
};

#define SBX_EQ(n, v)		{ .used = 1, .arg = (n), .mask = UINT64_MAX, .value = (uint64_t)(v) }
#define SBX_BITS(n, allowed)	{ .used = 1, .arg = (n), .mask = ~(uint64_t)(allowed), .value = 0 }
#define SBX_MASK(n, m, v)	{ .used = 1, .arg = (n), .mask = (uint64_t)(m), .value = (uint64_t)(v) }
#define SBX_PID(n)		{ .used = 1, .arg = (n), .own_pid = 1, .mask = UINT64_MAX, .value = 0 }

#define SBX_ALLOW(name)		{ .call = SC_##name, .action = SBX_ALLOW_IT }
#define SBX_ALLOW_IF(name, ...)	{ .call = SC_##name, .action = SBX_ALLOW_IT, .test = { __VA_ARGS__ } }
#define SBX_FAIL(name, e)	{ .call = SC_##name, .action = SBX_ERRNO_IT, .err = (e) }
#define SBX_FAIL_IF(name, e, ...) { .call = SC_##name, .action = SBX_ERRNO_IT, .err = (e), .test = { __VA_ARGS__ } }
#define SBX_KILL(name)		{ .call = SC_##name, .action = SBX_KILL_IT }
#define SBX_END			{ .call = SBX_NO_CALL }

/* What none of the processes needs, for the deny-lists of those that run foreign code (NSS) or start programs. */
extern const struct sbx_rule sbx_deny_calls[];

#endif
