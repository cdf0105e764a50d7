/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "cause.h"

static const char *const advices[CAUSE_COUNT] = {
#define C(id, advice) [CAUSE_##id] = advice,
	CAUSES(C)
#undef C
};

const char *
cause_advice(enum cause c)
{
	return advices[c];
}

enum cause
cause_of_http(int status)
{
	return status == 404 ? CAUSE_NOT_CONTROL : CAUSE_HTTP;
}

enum cause
cause_first(enum cause a, enum cause b)
{
	return a == CAUSE_NONE || (b != CAUSE_NONE && b < a) ? b : a;
}
