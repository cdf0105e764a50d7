/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "mapframe.h"
#include "mem.h"
#include "zframe.h"

#define OUT_CHUNK  16384
#define KEEP_MAX   (256u * 1024) /* a larger decoder is given back after the frame */
#define WINDOW_MAX ((uint64_t)1 << MAPFRAME_WINDOW_LOG)

enum zstate { Z_HEADER, Z_BODY, Z_SKIP };

struct mapframe {
	struct mapframe_config cfg;
	struct mapframe_ops ops;
	void *arg;
	uint8_t prefix[4];
	size_t have;            /* of prefix; 4: in the body */
	uint64_t left;          /* wire bytes of the body still to come */
	uint64_t wire, decoded; /* of this frame, so far */
	enum zstate zstate;
	uint8_t hdr[ZFRAME_HDR_MAX];
	size_t hdr_have;
	uint64_t skip;
	ZSTD_DCtx *z;
	int limit; /* the error is that one was passed */
	char error[128];
};

static int __attribute__((format(printf, 2, 3))) fail(struct mapframe *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->error, sizeof(m->error), fmt, ap);
	va_end(ap);
	ZSTD_freeDCtx(m->z);
	m->z = NULL;
	return -1;
}

#define over_limit(m, ...) ((m)->limit = 1, fail((m), __VA_ARGS__))

struct mapframe *
mapframe_new(const struct mapframe_config *cfg, const struct mapframe_ops *ops, void *arg)
{
	struct mapframe *m = xcalloc(1, sizeof(*m));

	m->cfg = *cfg;
	m->ops = *ops;
	m->arg = arg;
	return m;
}

void
mapframe_free(struct mapframe *m)
{
	if (m == NULL)
		return;
	ZSTD_freeDCtx(m->z);
	free(m);
}

int
mapframe_over_limit(const struct mapframe *m)
{
	return m->limit;
}

const char *
mapframe_error(const struct mapframe *m)
{
	return m->error;
}

/* --- decoded bytes --- */

static int
give(struct mapframe *m, const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	m->decoded += n;
	if (m->decoded > m->cfg.max_decoded)
		return over_limit(m, "a map frame holds more than %llu decoded bytes",
		    (unsigned long long)m->cfg.max_decoded);
	if (m->decoded > MAPFRAME_RATIO_FREE && (m->decoded - MAPFRAME_RATIO_FREE) / MAPFRAME_RATIO_MAX > m->wire)
		return over_limit(m, "a map frame is compressed more than %d to 1", MAPFRAME_RATIO_MAX);
	if (m->ops.data(m->arg, p, n) != 0)
		return fail(m, "stopped by its reader");
	return 0;
}

/* --- zstd --- */

static int
check_header(struct mapframe *m, struct zframe *z)
{
	if (z->dict != 0)
		return fail(m, "a map frame wants a zstd dictionary");
	if (z->content != ZFRAME_UNKNOWN && z->content > m->cfg.max_decoded - m->decoded)
		return over_limit(m, "a map frame announces %llu decoded bytes", (unsigned long long)z->content);
	if (z->window <= WINDOW_MAX)
		return 0;
	if (z->window != z->content)
		return over_limit(m, "a map frame wants a zstd window of %llu bytes", (unsigned long long)z->window);
	z->hdr_len = zframe_set_window(m->hdr, MAPFRAME_WINDOW_LOG);
	return 0;
}

/* Feeds the library; *used of n bytes were used.  Returns -1, or whether the zstd frame is complete. */
static int
decode(struct mapframe *m, const uint8_t *p, size_t n, size_t *used)
{
	uint8_t out[OUT_CHUNK];
	ZSTD_inBuffer in = { p, n, 0 };
	ZSTD_outBuffer to;
	size_t rc;

	do {
		to = (ZSTD_outBuffer){ out, sizeof(out), 0 };
		rc = ZSTD_decompressStream(m->z, &to, &in);
		if (ZSTD_isError(rc) && ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
			mem_exhausted();
		if (ZSTD_isError(rc))
			return fail(m, "a map frame does not decompress: %s", ZSTD_getErrorName(rc));
		if (give(m, out, to.pos) == -1)
			return -1;
	} while (rc != 0 && (in.pos < in.size || to.pos == to.size));
	*used = in.pos;
	return rc == 0;
}

static int
make_decoder(struct mapframe *m)
{
	if (m->z == NULL && (m->z = ZSTD_createDCtx()) == NULL)
		mem_exhausted();
	ZSTD_DCtx_reset(m->z, ZSTD_reset_session_only);
	if (ZSTD_isError(ZSTD_DCtx_setParameter(m->z, ZSTD_d_windowLogMax, MAPFRAME_WINDOW_LOG)))
		return fail(m, "zstd refuses the window limit");
	return 0;
}

/* A zstd header byte by byte. */
static int
header_bytes(struct mapframe *m, const uint8_t *p, size_t n, size_t *used)
{
	struct zframe z;
	size_t need;

	for (*used = 0;;) {
		if ((need = zframe_need(m->hdr, m->hdr_have)) == 0)
			return fail(m, "a map frame is not zstd");
		if (need == m->hdr_have)
			break;
		if (*used == n)
			return 0;
		m->hdr[m->hdr_have++] = p[(*used)++];
	}
	zframe_parse(m->hdr, &z);
	m->hdr_have = 0;
	if (z.skippable) {
		m->skip = z.content;
		m->zstate = m->skip > 0 ? Z_SKIP : Z_HEADER;
		return 0;
	}
	if (check_header(m, &z) == -1 || make_decoder(m) == -1)
		return -1;
	m->zstate = Z_BODY;
	return decode(m, m->hdr, z.hdr_len, &need) == -1 ? -1 : 0;
}

static int
zstd_bytes(struct mapframe *m, const uint8_t *p, size_t n)
{
	size_t used;
	int rc;

	while (n > 0) {
		switch (m->zstate) {
		case Z_HEADER:
			if (header_bytes(m, p, n, &used) == -1)
				return -1;
			break;
		case Z_SKIP:
			used = n < m->skip ? n : (size_t)m->skip;
			m->skip -= used;
			if (m->skip == 0)
				m->zstate = Z_HEADER;
			break;
		default:
			if ((rc = decode(m, p, n, &used)) == -1)
				return -1;
			if (rc == 1)
				m->zstate = Z_HEADER;
			break;
		}
		p += used;
		n -= used;
	}
	return 0;
}

/* --- frames --- */

static int
begin(struct mapframe *m)
{
	m->left = (uint64_t)m->prefix[0] | (uint64_t)m->prefix[1] << 8 | (uint64_t)m->prefix[2] << 16 |
	    (uint64_t)m->prefix[3] << 24;
	m->wire = m->decoded = 0;
	m->hdr_have = 0;
	m->zstate = Z_HEADER;
	if (m->left == 0)
		return fail(m, "a map frame of length 0");
	if (m->left > m->cfg.max_wire)
		return over_limit(m, "a map frame announces %llu bytes, at most %llu are allowed",
		    (unsigned long long)m->left, (unsigned long long)m->cfg.max_wire);
	if (m->ops.begin(m->arg, (uint32_t)m->left) != 0)
		return fail(m, "stopped by its reader");
	return 0;
}

static int
end(struct mapframe *m)
{
	if (m->cfg.zstd && (m->zstate != Z_HEADER || m->hdr_have != 0))
		return fail(m, "a map frame ends inside its zstd data");
	if (m->z != NULL && ZSTD_sizeof_DCtx(m->z) > KEEP_MAX) {
		ZSTD_freeDCtx(m->z);
		m->z = NULL;
	}
	m->have = 0;
	if (m->ops.end(m->arg) != 0)
		return fail(m, "stopped by its reader");
	return 0;
}

int
mapframe_feed_one(struct mapframe *m, const uint8_t *p, size_t n, size_t *used)
{
	size_t take;

	*used = 0;
	if (m->error[0] != '\0')
		return -1;
	while (*used < n) {
		if (m->have < sizeof(m->prefix)) {
			m->prefix[m->have++] = p[(*used)++];
			if (m->have == sizeof(m->prefix) && begin(m) == -1)
				return -1;
			continue;
		}
		take = n - *used < m->left ? n - *used : (size_t)m->left;
		m->left -= take;
		m->wire += take;
		if ((m->cfg.zstd ? zstd_bytes(m, p + *used, take) : give(m, p + *used, take)) == -1)
			return -1;
		*used += take;
		if (m->left == 0)
			return end(m) == -1 ? -1 : 1;
	}
	return 0;
}

int
mapframe_feed(struct mapframe *m, const uint8_t *p, size_t n)
{
	size_t used;

	do {
		if (mapframe_feed_one(m, p, n, &used) == -1)
			return -1;
		p += used;
		n -= used;
	} while (n > 0);
	return 0;
}

int
mapframe_inside(const struct mapframe *m)
{
	return m->have > 0;
}

int
mapframe_eof(struct mapframe *m)
{
	if (m->error[0] != '\0')
		return -1;
	return m->have == 0 ? 0 : fail(m, "the map stream ends inside a frame");
}
