/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "health.h"
#include "log.h"
#include "timefmt.h"

#define LOG_MS 60000

static const struct {
	const char *name, *severity, *sentence, *remedy;
} codes[HEALTH_COUNT] = {
#define H(id, code, severity, sentence, remedy) [HEALTH_##id] = { code, severity, sentence, remedy },
	HEALTH_CODES(H)
#undef H
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

const char *
health_remedy(enum health_code c)
{
	return codes[c].remedy;
}

int
health_raise(struct health *h, enum health_code c, const char *text)
{
	if (text == NULL)
		text = codes[c].sentence;
	if (h->h[c].on && strncmp(h->h[c].text, text, sizeof(h->h[c].text) - 1) == 0)
		return 0;
	h->h[c].on = 1;
	snprintf(h->h[c].text, sizeof(h->h[c].text), "%s", text);
	return 1;
}

/* The server can toggle it at any rate: log it at most once a minute. */
int
health_log(struct health *h, enum health_code c, const char *text)
{
	uint64_t now = time_mono_ms();

	if (!health_raise(h, c, text))
		return 0;
	if (h->h[c].logged_ms == 0 || now - h->h[c].logged_ms >= LOG_MS) {
		h->h[c].logged_ms = now;
		log_warnx("%s: %s (%s)", health_name(c), h->h[c].text, health_remedy(c));
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

int
health_set(struct health *h, enum health_code c, int on)
{
	return on ? health_log(h, c, NULL) : health_clear(h, c);
}
