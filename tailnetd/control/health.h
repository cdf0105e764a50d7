/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef HEALTH_H
#define HEALTH_H

#include <stdint.h>

#include "health_codes.h"

/* What is wrong with this daemon right now, for status, metrics and people.  One entry per code. */
enum health_code {
#define H(id, code, severity, sentence, remedy) HEALTH_##id,
	HEALTH_CODES(H)
#undef H
	HEALTH_COUNT
};
struct health { struct { int on; char text[300]; uint64_t logged_ms; } h[HEALTH_COUNT]; };

const char *health_name(enum health_code c);		/* "server-key-changed" */
const char *health_severity(enum health_code c);	/* "high" "medium" "low" */
const char *health_remedy(enum health_code c);		/* what to do about it, for people */
/* 1 if that changed anything.  text NULL: the sentence of the list. */
int	 health_raise(struct health *h, enum health_code c, const char *text);
int	 health_log(struct health *h, enum health_code c, const char *text);	/* the same, with a line in the log */
/* Health_log() with the sentence of the list, or health_clear() */
int	 health_set(struct health *h, enum health_code c, int on);
int	 health_clear(struct health *h, enum health_code c);

#endif
