/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CAUSE_H
#define CAUSE_H

#include "causes.h"

/* Causes of errors as an enum; the list and its advice are in common/lists/causes.h. */
enum cause {
#define C(id, name, advice) CAUSE_##id,
	CAUSES(C)
#undef C
	CAUSE_COUNT
};

const char *cause_name(enum cause c);			/* "server-key"; "" of CAUSE_NONE */
const char *cause_advice(enum cause c);			/* "" = none */
enum cause cause_of_http(int status);			/* of an answer with another status than expected */
enum cause cause_first(enum cause a, enum cause b);	/* the one that counts; CAUSE_NONE gives way to any other */

#endif
