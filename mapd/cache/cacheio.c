/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>
#include <zstd.h>

#include "cacheio.h"
#include "mapframe.h"
#include "mem.h"

#define LEVEL     3 /* of zstd: a tenth of the text, at some 200 MB/s */
#define OUT_CHUNK 65536
#define SUM_LEN   32
#define FRAME_LEN 4 /* mapframe.h wants the body's length first */

static const char magic[16] = "tailnetd-netmap";

enum { AT_FORMAT = 16, AT_HEAD_LEN = 20, AT_SEC = 24, AT_NSEC = 32, AT_PROFILE = 40, AT_NODE = 72, AT_MACHINE = 104 };
_Static_assert(AT_MACHINE + KEY_LEN == CACHE_HEAD && IPC_PROFILE_LEN == 32 && KEY_LEN == 32, "the head's layout");
_Static_assert(8 + SUM_LEN == CACHE_TAIL, "the tail's layout");

static void
put_le(uint8_t *p, uint64_t v, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t
get_le(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* A zeroed structure with a hash in it, which libsodium wants on a boundary that calloc(3) does not promise. */
static void *
zeroed(size_t size)
{
	void *p = aligned_alloc(_Alignof(crypto_generichash_state), size);

	if (p == NULL)
		mem_exhausted();
	return memset(p, 0, size);
}

/* --- writing --- */

struct cachewriter {
	int fd;
	uint64_t size, max;
	ZSTD_CCtx *z;
	crypto_generichash_state sum;
	enum ipc_cache_result result;
	char why[128];
	uint8_t out[OUT_CHUNK];
};

static int
write_failed(struct cachewriter *w, enum ipc_cache_result result, const char *why)
{
	w->result = result;
	snprintf(w->why, sizeof(w->why), "%s", why);
	return -1;
}

static int
emit(struct cachewriter *w, const uint8_t *p, size_t n)
{
	if (n > w->max - w->size)
		return write_failed(w, IPC_CACHE_TOO_LARGE, "the network map is too large for a cache");
	crypto_generichash_update(&w->sum, p, n);
	while (n > 0) {
		ssize_t k = write(w->fd, p, n);

		if (k == -1 && errno == EINTR)
			continue;
		if (k <= 0)
			return write_failed(w, IPC_CACHE_FAILED, k == 0 ? "nothing was written" : strerror(errno));
		p += k;
		n -= (size_t)k;
		w->size += (uint64_t)k;
	}
	return 0;
}

struct cachewriter *
cachewriter_new(int fd, const struct cache_owner *owner, struct wtime received, uint64_t max)
{
	struct cachewriter *w = zeroed(sizeof(*w));
	uint8_t head[CACHE_HEAD] = { 0 };

	if ((w->z = ZSTD_createCCtx()) == NULL ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(w->z, ZSTD_c_compressionLevel, LEVEL)))
		mem_exhausted();
	w->fd = fd;
	w->max = max;
	w->result = IPC_CACHE_OK;
	crypto_generichash_init(&w->sum, NULL, 0, SUM_LEN);
	memcpy(head, magic, sizeof(magic));
	put_le(head + AT_FORMAT, CACHE_FORMAT, 4);
	put_le(head + AT_HEAD_LEN, CACHE_HEAD, 4);
	put_le(head + AT_SEC, (uint64_t)received.sec, 8);
	put_le(head + AT_NSEC, (uint64_t)received.nsec, 4);
	memcpy(head + AT_PROFILE, owner->profile, IPC_PROFILE_LEN);
	memcpy(head + AT_NODE, owner->node_key.b, KEY_LEN);
	memcpy(head + AT_MACHINE, owner->machine_key.b, KEY_LEN);
	(void)emit(w, head, sizeof(head)); /* a failure is found by the next call */
	return w;
}

void
cachewriter_free(struct cachewriter *w)
{
	if (w == NULL)
		return;
	ZSTD_freeCCtx(w->z);
	close(w->fd);
	free(w);
}

static int
compress(struct cachewriter *w, const void *p, size_t n, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { p, n, 0 };
	size_t left;

	if (w->result != IPC_CACHE_OK)
		return -1;
	do {
		ZSTD_outBuffer to = { w->out, sizeof(w->out), 0 };

		left = ZSTD_compressStream2(w->z, &to, &in, how);
		if (ZSTD_isError(left))
			return write_failed(w, IPC_CACHE_FAILED, ZSTD_getErrorName(left));
		if (emit(w, w->out, to.pos) == -1)
			return -1;
	} while (how == ZSTD_e_end ? left != 0 : in.pos < in.size);
	return 0;
}

int
cachewriter_put(struct cachewriter *w, const void *p, size_t n)
{
	return compress(w, p, n, ZSTD_e_continue);
}

int
cachewriter_end(struct cachewriter *w)
{
	uint8_t tail[CACHE_TAIL];

	if (compress(w, NULL, 0, ZSTD_e_end) == -1)
		return -1;
	put_le(tail, w->size - CACHE_HEAD, 8);
	crypto_generichash_update(&w->sum, tail, 8);
	crypto_generichash_final(&w->sum, tail + 8, SUM_LEN);
	crypto_generichash_init(&w->sum, NULL, 0, SUM_LEN);
	return emit(w, tail, sizeof(tail));
}

uint64_t
cachewriter_size(const struct cachewriter *w)
{
	return w->size;
}

enum ipc_cache_result
cachewriter_result(const struct cachewriter *w, const char **why)
{
	*why = w->why;
	return w->result;
}

/* --- reading --- */

struct cachereader {
	struct ingest *ingest;
	struct cache_owner owner;
	uint64_t size, off; /* of the file; read so far */
	struct mapframe *frame;
	crypto_generichash_state sum;
	struct wtime received;
	uint8_t part[CACHE_HEAD]; /* the bytes received of head or tail */
	size_t have;
	int whole; /* the message is staged */
	enum ipc_cache_result result;
	char why[INGEST_ERR_MAX + 40];
};

static int
refuse(struct cachereader *r, enum ipc_cache_result result, const char *what, const char *why)
{
	r->result = result;
	snprintf(r->why, sizeof(r->why), "%s%s", what, why);
	ingest_discard(r->ingest);
	return -1;
}

static int
damaged(struct cachereader *r, const char *why)
{
	return refuse(r, IPC_CACHE_BAD, "damaged: ", why);
}

static int
frame_begin(void *arg, uint32_t wire_len)
{
	struct cachereader *r = arg;

	(void)wire_len;
	ingest_begin(r->ingest);
	return 0;
}

static int
frame_data(void *arg, const uint8_t *p, size_t n)
{
	struct cachereader *r = arg;

	return ingest_data(r->ingest, p, n);
}

static int
frame_end(void *arg)
{
	struct cachereader *r = arg;

	return ingest_end(r->ingest);
}

struct cachereader *
cachereader_new(struct ingest *g, const struct cache_owner *owner, uint64_t size, uint64_t max_decoded)
{
	static const struct mapframe_ops ops = { .begin = frame_begin, .data = frame_data, .end = frame_end };
	struct mapframe_config limits = { .max_wire = IPC_CACHE_MAX, .max_decoded = max_decoded, .zstd = 1 };
	struct cachereader *r = zeroed(sizeof(*r));

	if ((r->frame = mapframe_new(&limits, &ops, r)) == NULL)
		mem_exhausted();
	r->ingest = g;
	r->owner = *owner;
	r->size = size;
	r->result = IPC_CACHE_OK;
	crypto_generichash_init(&r->sum, NULL, 0, SUM_LEN);
	return r;
}

void
cachereader_free(struct cachereader *r)
{
	if (r == NULL)
		return;
	mapframe_free(r->frame);
	free(r);
}

static int
check_head(struct cachereader *r)
{
	const uint8_t *h = r->part;
	uint8_t len[FRAME_LEN];
	char text[40];
	size_t used;

	if (memcmp(h, magic, sizeof(magic)) != 0)
		return refuse(r, IPC_CACHE_BAD, "not a netmap cache", "");
	if (get_le(h + AT_FORMAT, 4) != CACHE_FORMAT) {
		snprintf(text, sizeof(text), "format %u", (unsigned)get_le(h + AT_FORMAT, 4));
		return refuse(r, IPC_CACHE_BAD, "unsupported version: ", text);
	}
	r->received = (struct wtime){ (int64_t)get_le(h + AT_SEC, 8), (int32_t)get_le(h + AT_NSEC, 4) };
	if (get_le(h + AT_HEAD_LEN, 4) != CACHE_HEAD || r->received.nsec < 0 || r->received.nsec > 999999999)
		return damaged(r, "head");
	if (memcmp(h + AT_PROFILE, r->owner.profile, IPC_PROFILE_LEN) != 0)
		return refuse(r, IPC_CACHE_FOREIGN, "of another control server", "");
	if (memcmp(h + AT_NODE, r->owner.node_key.b, KEY_LEN) != 0 ||
	    memcmp(h + AT_MACHINE, r->owner.machine_key.b, KEY_LEN) != 0)
		return refuse(r, IPC_CACHE_FOREIGN, "of another node key", "");
	put_le(len, r->size - CACHE_HEAD - CACHE_TAIL, FRAME_LEN);
	return mapframe_feed_one(r->frame, len, sizeof(len), &used) == -1 ? damaged(r, mapframe_error(r->frame)) : 0;
}

/* The staged message is applied only after this. */
static int
check_tail(struct cachereader *r)
{
	uint8_t sum[SUM_LEN];

	crypto_generichash_update(&r->sum, r->part, 8);
	crypto_generichash_final(&r->sum, sum, sizeof(sum));
	if (get_le(r->part, 8) != r->size - CACHE_HEAD - CACHE_TAIL || memcmp(sum, r->part + 8, SUM_LEN) != 0)
		return damaged(r, "checksum");
	return r->whole ? 1 : damaged(r, "there is no network map in it");
}

/* Head or tail: *used of n bytes were used; 1 = r->part has all `want` bytes. */
static int
gather(struct cachereader *r, size_t want, const uint8_t *p, size_t n, size_t *used)
{
	*used = n < want - r->have ? n : want - r->have;
	memcpy(r->part + r->have, p, *used);
	r->have += *used;
	if (r->have < want)
		return 0;
	r->have = 0;
	return 1;
}

static int
body(struct cachereader *r, const uint8_t *p, size_t n)
{
	const char *why;
	size_t used;
	int rv;

	if ((rv = mapframe_feed_one(r->frame, p, n, &used)) == -1) {
		why = ingest_error(r->ingest);
		return damaged(r, why[0] != '\0' ? why : mapframe_error(r->frame));
	}
	r->whole |= rv == 1;
	return 0;
}

/* The part that begins at r->off: *used of n bytes were used. */
static int
feed_part(struct cachereader *r, const uint8_t *p, size_t n, size_t *used)
{
	uint64_t tail_at = r->size - CACHE_TAIL;
	int rv;

	if (r->off < CACHE_HEAD) {
		rv = gather(r, CACHE_HEAD, p, n, used);
		crypto_generichash_update(&r->sum, p, *used);
		return rv == 1 ? check_head(r) : 0;
	}
	if (r->off < tail_at) {
		*used = n < tail_at - r->off ? n : (size_t)(tail_at - r->off);
		crypto_generichash_update(&r->sum, p, *used);
		return body(r, p, *used);
	}
	return gather(r, CACHE_TAIL, p, n, used) == 1 ? check_tail(r) : 0;
}

int
cachereader_feed(struct cachereader *r, const uint8_t *p, size_t n)
{
	size_t used;
	int rv;

	if (r->result != IPC_CACHE_OK)
		return -1;
	if (r->size < CACHE_HEAD + CACHE_TAIL + 1)
		return damaged(r, "too short");
	while (n > 0) {
		if (r->off >= r->size)
			return damaged(r, "longer than when it was opened");
		if ((rv = feed_part(r, p, n, &used)) == -1)
			return -1;
		r->off += used;
		p += used;
		n -= used;
		if (rv == 1 && n == 0)
			return 1;
	}
	return 0;
}

struct wtime
cachereader_received(const struct cachereader *r)
{
	return r->received;
}

enum ipc_cache_result
cachereader_result(const struct cachereader *r, const char **why)
{
	*why = r->why;
	return r->result;
}
