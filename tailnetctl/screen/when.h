/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef WHEN_H
#define WHEN_H

#include <stdint.h>

/* Spans of time and dates for people.  Pure. */
#define WHEN_MAX	48
char	*span_text(double seconds, char out[WHEN_MAX]);			/* "12 s" "5 min" "3 h" "29 d" "4 y" */
char	*when_text(int64_t t, int64_t now, char out[WHEN_MAX]);		/* "5 min ago" "in 3 h" "now" */
char	*date_text(int64_t t, char out[WHEN_MAX]);				/* "2027-01-02 03:04" local time */

#endif
