/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef HEALTH_H
#define HEALTH_H

#include <stdint.h>

/* What is wrong with this daemon right now, for status, metrics and people.  One entry per code. */
enum health_code {
	HEALTH_SERVER_KEY_CHANGED, HEALTH_STATE_NOT_SAVED, HEALTH_STATE_RECOVERED, HEALTH_CHILD_CRASH, HEALTH_SANDBOX_DEGRADED,
	HEALTH_CLOCK_WRONG, HEALTH_KEY_EXPIRED, HEALTH_NOT_APPROVED, HEALTH_SERVER_LIMIT, HEALTH_OUT_OF_MEMORY, HEALTH_COUNT
};
struct health { struct { int on; char text[300]; uint64_t told_ms; } h[HEALTH_COUNT]; };

const char *health_name(enum health_code c);		/* "server-key-changed" */
const char *health_severity(enum health_code c);	/* "high" "medium" "low" */
/* 1 if that changed anything. */
int	 health_raise(struct health *h, enum health_code c, const char *text);
int	 health_tell(struct health *h, enum health_code c, const char *text);	/* the same, with a line in the log */
int	 health_clear(struct health *h, enum health_code c);

#endif
