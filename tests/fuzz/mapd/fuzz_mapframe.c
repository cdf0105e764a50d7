/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mapframe.h"

/*
 * Map frames whole and in small pieces: the same frames, bytes and end; all limits kept.  The first byte: zstd or
 * plain, the pieces; 0xff lets frames be as large as the windows of single segments that are too wide, 0xfe has a
 * reader that stops.
 */
struct sink {
	uint64_t bytes, sum;
	unsigned begun, ended;
	uint64_t frame, most;
	int stops;
};

static int
on_begin(void *arg, uint32_t n)
{
	struct sink *s = arg;

	if (n == 0 || n > 100000 || s->begun != s->ended)
		abort();
	s->begun++;
	s->frame = 0;
	return 0;
}

static int
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct sink *s = arg;

	s->frame += n;
	if (n == 0 || s->begun != s->ended + 1 || s->frame > s->most)
		abort();
	if (s->stops)
		return -1;
	for (size_t i = 0; i < n; i++)
		s->sum = s->sum * 31 + p[i];
	s->bytes += n;
	return 0;
}

static int
on_end(void *arg)
{
	struct sink *s = arg;

	s->ended++;
	return 0;
}

static int
run(const uint8_t *p, size_t n, size_t piece, int zstd, struct sink *s)
{
	static const struct mapframe_ops ops = { on_begin, on_data, on_end };
	struct mapframe_config cfg = { 100000, s->most, zstd };
	struct mapframe *m = mapframe_new(&cfg, &ops, s);
	int rc = 0, inside;

	for (size_t at = 0; at < n && rc == 0; at += piece)
		rc = mapframe_feed(m, p + at, n - at < piece ? n - at : piece);
	inside = mapframe_inside(m);
	if (rc == 0 && (rc = mapframe_eof(m)) != (inside ? -1 : 0))
		abort();
	if ((rc == -1) != (mapframe_error(m)[0] != '\0') || (rc == 0 && mapframe_over_limit(m)))
		abort();
	mapframe_free(m);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sink one = { .bytes = 0 }, two = { .bytes = 0 };
	int a, b;

	if (size < 1)
		return 0;
	one.most = two.most = data[0] == 0xff ? 64u << 20 : 4000000;
	one.stops = two.stops = data[0] == 0xfe;
	a = run(data + 1, size - 1, size, data[0] & 1, &one);
	b = run(data + 1, size - 1, (size_t)(data[0] >> 1) + 1, data[0] & 1, &two);
	if (a != b || one.begun != two.begun || one.ended != two.ended)
		abort();
	if (a == 0 && (one.bytes != two.bytes || one.sum != two.sum))
		abort();
	return 0;
}
