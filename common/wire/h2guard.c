/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "h2.h"
#include "h2guard.h"
#include "mem.h"

#define EARNED_MAX \
	1000 /* lite updates of the largest Hostinfo that a server takes before it answers one frame of them */

void
h2guard_init(struct h2guard *g)
{
	memset(g, 0, sizeof(*g));
	g->ring = xcalloc(H2_BUDGET, sizeof(*g->ring));
}

void
h2guard_free(struct h2guard *g)
{
	free(g->ring);
	g->ring = NULL;
}

static const char *
over(struct h2guard *g, const char *why)
{
	g->limit = 1;
	return why;
}

const char *
h2guard_count(struct h2guard *g, uint64_t now_ms)
{
	if (g->count == H2_BUDGET && now_ms - g->ring[g->at] < H2_BUDGET_MS)
		return over(g, "the server sends too many HTTP/2 control frames");
	g->ring[g->at] = now_ms;
	g->at = (g->at + 1) % H2_BUDGET;
	if (g->count < H2_BUDGET)
		g->count++;
	return NULL;
}

void
h2guard_sent(struct h2guard *g)
{
	if (g->earned < EARNED_MAX)
		g->earned += 2;
}

static const char *
check_frame(struct h2guard *g, uint64_t now_ms)
{
	uint8_t type = g->hdr[3];

	g->left = (uint32_t)g->hdr[0] << 16 | (uint32_t)g->hdr[1] << 8 | g->hdr[2];
	g->continuations = type == NGHTTP2_CONTINUATION ? g->continuations + 1 : 0;
	switch (type) {
	case NGHTTP2_DATA: return g->left > 0 ? NULL : h2guard_count(g, now_ms);
	case NGHTTP2_HEADERS: return NULL;
	case NGHTTP2_CONTINUATION:
		return g->continuations > H2_MAX_CONTINUATION ? over(g, "too many HTTP/2 CONTINUATION frames") : NULL;
	case NGHTTP2_PUSH_PROMISE: return "the server pushes, which was switched off";
	case NGHTTP2_SETTINGS:
		if (g->left > H2_MAX_SETTINGS * 6)
			return over(g, "too many HTTP/2 SETTINGS entries");
		return h2guard_count(g, now_ms);
	case NGHTTP2_WINDOW_UPDATE:
		if (g->earned == 0)
			return h2guard_count(g, now_ms);
		g->earned--;
		return NULL;
	default: return h2guard_count(g, now_ms);
	}
}

int
h2guard_next(struct h2guard *g, const uint8_t **p, size_t *n, const uint8_t **part, size_t *len, uint64_t now_ms,
    const char **why)
{
	size_t take;

	if (*n == 0)
		return 0;
	if (g->left > 0) {
		take = *n < g->left ? *n : g->left;
		g->left -= (uint32_t)take;
		*part = *p;
		*len = take;
		*p += take;
		*n -= take;
		return 1;
	}
	take = sizeof(g->hdr) - g->have < *n ? sizeof(g->hdr) - g->have : *n;
	memcpy(g->hdr + g->have, *p, take);
	g->have += take;
	*p += take;
	*n -= take;
	if (g->have < sizeof(g->hdr))
		return 0;
	g->have = 0;
	*part = g->hdr;
	*len = sizeof(g->hdr);
	return (*why = check_frame(g, now_ms)) == NULL ? 1 : -1;
}
