/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef STATETEXT_H
#define STATETEXT_H

#include "state.h"

/*
 * The text of the state file, in memory that the caller has locked.  Between state.c, the files, and statetext.c, the
 * format.
 */
#define STATE_TEXT_MAX	65536
#define STATE_MAJOR	1

struct state_extra {			/* a line that this version does not know, as it was */
	struct state_extra *next;
	size_t	 len;
	char	 line[];
};

enum statetext_result { STATETEXT_OK, STATETEXT_CORRUPT, STATETEXT_NEWER, STATETEXT_NO_MEMORY };

/* Writes the whole file's text.  Its length, or 0 when it does not fit. */
size_t	 statetext_build(const struct state *st, const struct keyring *k, char text[STATE_TEXT_MAX]);
/* Fills st (from a zeroed one) and the keyring's slots.  Else both are left empty and err has a reason. */
enum statetext_result statetext_parse(const char *text, size_t n, struct state *st, struct keyring *k, char *err,
	    size_t errsize);

#endif
