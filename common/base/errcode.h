/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef ERRCODE_H
#define ERRCODE_H

#include "error_codes.h"

/* Error codes of the control socket as an enum; the texts are in common/lists/error_codes.h. */
enum errcode {
#define E(id, text, exit) ERR_##id,
	ERROR_CODES(E)
#undef E
	ERR_COUNT
};

const char *errcode_text(enum errcode e);		/* "no-netmap" */
enum errcode errcode_parse(const char *text);		/* ERR_COUNT: another text */

#endif
