/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "cause.h"

static const struct {
	const char *name, *advice;
} causes[CAUSE_COUNT] = {
#define C(id, name, advice) [CAUSE_##id] = { name, advice },
	CAUSES(C)
#undef C
};

const char *
cause_name(enum cause c)
{
	return causes[c].name;
}

const char *
cause_advice(enum cause c)
{
	return causes[c].advice;
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
