/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "when.h"

/* Each unit serves up to twice the next one: 119 s, 2 min .. 119 min, 2 h .. 47 h, 2 d .. */
char *
span_text(double seconds, char out[WHEN_MAX])
{
	static const struct {
		double until, unit;
		const char *name;
	} units[] = { { 120, 1, "s" }, { 7200, 60, "min" }, { 172800, 3600, "h" }, { 2 * 365.25 * 86400, 86400, "d" } };
	size_t i;

	if (!(seconds > 0))
		seconds = 0;
	if (seconds > 1e12)
		seconds = 1e12;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (seconds < units[i].until) {
			snprintf(out, WHEN_MAX, "%" PRId64 " %s", (int64_t)(seconds / units[i].unit), units[i].name);
			return out;
		}
	}
	snprintf(out, WHEN_MAX, "%" PRId64 " y", (int64_t)(seconds / (365.25 * 86400)));
	return out;
}

char *
when_text(int64_t t, int64_t now, char out[WHEN_MAX])
{
	char span[WHEN_MAX];

	if (t == now) {
		strlcpy(out, "now", WHEN_MAX);
		return out;
	}
	span_text(t > now ? (double)t - (double)now : (double)now - (double)t, span);
	snprintf(out, WHEN_MAX, t > now ? "in %.32s" : "%.32s ago", span);
	return out;
}

char *
date_text(int64_t t, char out[WHEN_MAX])
{
	time_t tt = (time_t)t;
	struct tm tm;

	if (localtime_r(&tt, &tm) == NULL || strftime(out, WHEN_MAX, "%Y-%m-%d %H:%M", &tm) == 0)
		strlcpy(out, "?", WHEN_MAX);
	return out;
}
