/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "health.h"
#include "log.h"
#include "timefmt.h"

#define TOLD_MS 60000

static const struct {
	const char *name, *severity;
} codes[HEALTH_COUNT] = {
	[HEALTH_SERVER_KEY_CHANGED] = { "server-key-changed", "high" },
	[HEALTH_STATE_NOT_SAVED] = { "state-not-saved", "high" },
	[HEALTH_STATE_RECOVERED] = { "state-recovered", "medium" },
	[HEALTH_CHILD_CRASH] = { "child-crash", "high" },
	[HEALTH_SANDBOX_DEGRADED] = { "sandbox-degraded", "medium" },
	[HEALTH_CLOCK_WRONG] = { "clock-wrong", "medium" },
	[HEALTH_KEY_EXPIRED] = { "node-key-expired", "high" },
	[HEALTH_SERVER_LIMIT] = { "server-limit", "medium" },
	[HEALTH_NOT_APPROVED] = { "machine-not-approved", "medium" },
	[HEALTH_OUT_OF_MEMORY] = { "out-of-memory", "high" },
};

const char *
health_name(enum health_code c)
{
	return codes[c].name;
}

const char *
health_severity(enum health_code c)
{
	return codes[c].severity;
}

int
health_raise(struct health *h, enum health_code c, const char *text)
{
	if (h->h[c].on && strncmp(h->h[c].text, text, sizeof(h->h[c].text) - 1) == 0)
		return 0;
	h->h[c].on = 1;
	snprintf(h->h[c].text, sizeof(h->h[c].text), "%s", text);
	return 1;
}

/* A server can have it come and go as fast as it likes: the log hears of it once a minute. */
int
health_tell(struct health *h, enum health_code c, const char *text)
{
	uint64_t now = time_mono_ms();

	if (!health_raise(h, c, text))
		return 0;
	if (h->h[c].told_ms == 0 || now - h->h[c].told_ms >= TOLD_MS) {
		h->h[c].told_ms = now;
		log_warnx("%s: %s", health_name(c), text);
	}
	return 1;
}

int
health_clear(struct health *h, enum health_code c)
{
	int was = h->h[c].on;

	h->h[c].on = 0;
	h->h[c].text[0] = '\0';
	return was;
}
