/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "errcode.h"

static const char *const texts[ERR_COUNT] = {
#define E(id, text, exit) [ERR_##id] = text,
	ERROR_CODES(E)
#undef E
};

const char *
errcode_text(enum errcode e)
{
	return texts[e];
}

enum errcode
errcode_parse(const char *text)
{
	unsigned e;

	for (e = 0; e < ERR_COUNT; e++)
		if (strcmp(texts[e], text) == 0)
			break;
	return (enum errcode)e;
}
