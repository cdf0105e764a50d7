/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "cacheio.h"
#include "mapresp.h"

/*
 * A netmap cache from the disk.  Every second input gets a valid checksum, so that the code after the check is reached.
 * What is accepted can be written, and what was written is accepted again.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cache_owner owner; /* zeros, as in the seeds */

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* The netmap in it, or NULL. */
static struct netmap *
read_cache(const uint8_t *p, size_t size, size_t piece)
{
	struct netmap *nm = netmap_new();
	struct ingest *g = ingest_new(nm);
	struct cachereader *r = cachereader_new(g, &owner, size, 8u << 20);
	struct netmap_origin o = { owner.node_key, owner.machine_key, TIME_NONE };
	struct netmap_change ch;
	const char *why;
	size_t n, part;
	int rv = 0;

	for (n = size; n > 0 && rv == 0; p += part, n -= part) {
		part = n < piece ? n : piece;
		rv = cachereader_feed(r, p, part);
	}
	check((cachereader_result(r, &why) == IPC_CACHE_OK) == (rv != -1));
	check(rv != -1 || why[0] != '\0');
	o.received = cachereader_received(r);
	if (rv == 1)
		rv = ingest_restore(g, &o, (struct wtime){ 1800000000, 0 }, &ch);
	check((netmap_source(nm) == IPC_SRC_CACHED) == (rv == 1));
	cachereader_free(r);
	ingest_free(g);
	if (rv == 1)
		return nm;
	netmap_free(nm);
	return NULL;
}

static void
write_again(struct netmap *nm)
{
	static uint8_t copy[1u << 20];
	char path[] = "/tmp/fuzz-cache.XXXXXX";
	int fd = mkstemp(path), more;
	struct cachewriter *w;
	struct netmap *back;
	struct mapresp resp;
	struct pb text = { 0 };
	const char *why;
	ssize_t n;

	check(fd != -1);
	unlink(path);
	w = cachewriter_new(dup(fd), &owner, nm->cur->received, sizeof(copy));
	check(mapresp_begin(&resp, nm) == 0);
	do {
		text.n = 0;
		more = mapresp_more(&resp, &text, 500);
		(void)cachewriter_put(w, text.p, text.n);
	} while (more);
	(void)cachewriter_end(w);
	if (cachewriter_result(w, &why) == IPC_CACHE_OK) {
		n = pread(fd, copy, sizeof(copy), 0);
		check(n > 0 && (uint64_t)n == cachewriter_size(w));
		back = read_cache(copy, (size_t)n, 997);
		check(back != NULL && netmap_peers(back) == netmap_peers(nm));
		netmap_free(back);
	}
	mapresp_end(&resp);
	cachewriter_free(w);
	pb_free(&text);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct netmap *nm;
	uint8_t *p;
	unsigned i;

	if (size < 2 || size > 1u << 18 || (p = malloc(size)) == NULL)
		return 0;
	memcpy(p, data + 1, size - 1);
	size--;
	if ((data[0] & 1) && size > CACHE_HEAD + CACHE_TAIL) {
		for (i = 0; i < 8; i++)
			p[size - CACHE_TAIL + i] = (uint8_t)((size - CACHE_HEAD - CACHE_TAIL) >> (8 * i));
		crypto_generichash(p + size - 32, 32, p, size - 32, NULL, 0);
	}
	if ((nm = read_cache(p, size, 1 + data[0] / 2u * 50u)) != NULL) {
		write_again(nm);
		netmap_free(nm);
	}
	free(p);
	return 0;
}
