/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cachecodec.h"
#include "cacheio.h"
#include "ingest.h"
#include "mapresp.h"
#include "mem.h"
#include "text.h"
#include "timer.h"

#define READ_PIECE  (32u << 10) /* compressed, of a turn */
#define WRITE_PIECE (64u << 10) /* text, of a turn: less than a millisecond */

struct cache {
	struct cache_context ctx;
	struct timer turn;

	uint32_t load_id; /* IPC_ID_NONE: nothing is being read */
	int load_fd;
	struct netmap_origin origin;
	struct ingest *ingest;
	struct cachereader *reader;
	uint64_t have; /* bytes read */

	uint32_t write_id;
	struct cachewriter *writer;
	struct mapresp resp;
	struct pb text;
	uint64_t seq;   /* of what is being written */
	unsigned fulls; /* whole maps received meanwhile */
};

static void
answer(struct cache *c, enum ipc_type type, uint32_t id, struct ipc_cache_done *d, const char *why)
{
	char safe[IPC_ERR_MAX + 1];

	text_sanitize(why, strlen(why), safe, sizeof(safe));
	IPC_SET(d, err, safe, strlen(safe));
	ipc_send(c->ctx.ipc, type, id, d, sizeof(*d), -1);
}

/* --- reading --- */

static void
load_over(struct cache *c, enum ipc_cache_result result, const char *why)
{
	struct ipc_cache_done d;
	uint32_t id = c->load_id;

	memset(&d, 0, sizeof(d));
	d.result = (uint32_t)result;
	d.size = c->have;
	d.received = c->origin.received.sec;
	c->load_id = IPC_ID_NONE;
	close(c->load_fd);
	answer(c, IPC_CACHE_LOADED, id, &d, why);
	cachereader_free(c->reader); /* not before: why may point into it */
	c->reader = NULL;
	ingest_free(c->ingest);
	c->ingest = NULL;
}

int
cache_load(struct cache *c, uint32_t id, const struct ipc_cache_load *m, int fd, uint64_t max_decoded)
{
	struct cache_owner owner;

	if (id == IPC_ID_NONE || c->load_id != IPC_ID_NONE || m->size > IPC_CACHE_MAX || key_is_zero(&m->node_key)) {
		close(fd);
		return -1;
	}
	netmap_seq_base(c->ctx.netmap, m->seq_base);
	memcpy(owner.profile, m->profile, sizeof(owner.profile));
	owner.node_key = c->origin.node_key = m->node_key;
	owner.machine_key = c->origin.machine_key = m->machine_key;
	c->origin.received = TIME_NONE;
	c->load_id = id;
	c->load_fd = fd;
	c->have = 0;
	if (netmap_source(c->ctx.netmap) != IPC_SRC_NONE) {
		load_over(c, IPC_CACHE_NOTHING, "there is a network map already");
		return 0;
	}
	c->ingest = ingest_new(c->ctx.netmap);
	c->reader = cachereader_new(c->ingest, &owner, m->size, max_decoded);
	timer_set_ms(&c->turn, 0);
	return 0;
}

static void
loaded(struct cache *c)
{
	struct netmap_change ch;

	memset(&ch, 0, sizeof(ch));
	c->origin.received = cachereader_received(c->reader);
	if (ingest_restore(c->ingest, &c->origin, time_wall(), &ch) != 1) {
		load_over(c, IPC_CACHE_BAD, ingest_error(c->ingest));
		return;
	}
	load_over(c, IPC_CACHE_OK, "");
	c->ctx.changed(c->ctx.arg, &ch);
}

static void
read_some(struct cache *c)
{
	uint8_t piece[READ_PIECE];
	enum ipc_cache_result result;
	const char *why;
	ssize_t n;

	if ((n = read(c->load_fd, piece, sizeof(piece))) == -1) {
		if (errno != EINTR)
			load_over(c, IPC_CACHE_FAILED, strerror(errno));
		return;
	}
	if (n == 0) {
		load_over(c, IPC_CACHE_BAD, "damaged: shorter than when it was opened");
		return;
	}
	c->have += (uint64_t)n;
	switch (cachereader_feed(c->reader, piece, (size_t)n)) {
	case 0: break;
	case 1: loaded(c); break;
	default:
		result = cachereader_result(c->reader, &why);
		ingest_discard(c->ingest);
		load_over(c, result, why);
		break;
	}
}

/* --- writing --- */

static void
write_over(struct cache *c, enum ipc_cache_result result, const char *why)
{
	struct ipc_cache_done d;
	uint32_t id = c->write_id;

	memset(&d, 0, sizeof(d));
	d.result = (uint32_t)result;
	d.size = c->writer != NULL ? cachewriter_size(c->writer) : 0;
	d.seq = c->seq;
	answer(c, IPC_CACHE_WRITTEN, id, &d, why);
	c->write_id = IPC_ID_NONE;
	cachewriter_free(c->writer);
	c->writer = NULL;
	mapresp_end(&c->resp);
	pb_free(&c->text);
}

int
cache_write(struct cache *c, uint32_t id, const struct ipc_cache_write *m, int fd)
{
	struct netmap *nm = c->ctx.netmap;
	enum ipc_source source = netmap_source(nm);
	struct cache_owner owner;

	if (id == IPC_ID_NONE || c->write_id != IPC_ID_NONE) {
		close(fd);
		return -1;
	}
	c->write_id = id;
	c->seq = netmap_seq(nm);
	c->fulls = 0;
	memset(&c->resp, 0, sizeof(c->resp));
	if ((source != IPC_SRC_LIVE && source != IPC_SRC_STALE) || !key_equal(&nm->cur->node_key, &m->node_key) ||
	    mapresp_begin(&c->resp, nm) == -1) {
		close(fd);
		write_over(c, IPC_CACHE_NOTHING, "there is no network map of this node key");
		return 0;
	}
	memcpy(owner.profile, m->profile, sizeof(owner.profile));
	owner.node_key = nm->cur->node_key;
	owner.machine_key = nm->cur->machine_key;
	c->writer = cachewriter_new(fd, &owner, nm->cur->received, IPC_CACHE_MAX);
	timer_set_ms(&c->turn, 0);
	return 0;
}

static void
write_some(struct cache *c)
{
	enum ipc_cache_result result;
	const char *why;
	int more;

	c->text.n = 0;
	more = mapresp_more(&c->resp, &c->text, WRITE_PIECE);
	if (cachewriter_put(c->writer, c->text.p, c->text.n) == -1 || (!more && cachewriter_end(c->writer) == -1)) {
		result = cachewriter_result(c->writer, &why);
		write_over(c, result, why);
	} else if (!more)
		write_over(c, IPC_CACHE_OK, "");
}

/* --- both --- */

static void
turn(void *arg)
{
	struct cache *c = arg;

	if (c->load_id != IPC_ID_NONE)
		read_some(c);
	if (c->write_id != IPC_ID_NONE)
		write_some(c);
	if (c->load_id != IPC_ID_NONE || c->write_id != IPC_ID_NONE)
		timer_set_ms(&c->turn, 0);
}

void
cache_cancel(struct cache *c)
{
	if (c->load_id != IPC_ID_NONE)
		load_over(c, IPC_CACHE_NOTHING, "cancelled");
	if (c->write_id != IPC_ID_NONE)
		write_over(c, IPC_CACHE_NOTHING, "cancelled");
}

void
cache_changed(struct cache *c, const struct netmap_change *ch)
{
	if (c->load_id != IPC_ID_NONE)
		load_over(c, IPC_CACHE_NOTHING, "the server's map arrived first");
	/* As for the readers: only one map older than the present one is kept. */
	if (c->write_id != IPC_ID_NONE && ch->full && ++c->fulls > 1)
		write_over(c, IPC_CACHE_FAILED, "the network map changes too often to be written");
}

struct cache *
cache_new(const struct cache_context *ctx)
{
	struct cache *c = xcalloc(1, sizeof(*c));

	c->ctx = *ctx;
	if (timer_init(&c->turn, ctx->base, turn, c) == -1)
		mem_exhausted();
	return c;
}

void
cache_free(struct cache *c)
{
	if (c == NULL)
		return;
	if (c->load_id != IPC_ID_NONE)
		close(c->load_fd);
	cachereader_free(c->reader);
	ingest_free(c->ingest);
	cachewriter_free(c->writer);
	if (c->write_id != IPC_ID_NONE)
		mapresp_end(&c->resp);
	pb_free(&c->text);
	timer_free(&c->turn);
	free(c);
}
