/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/resource.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#include "exits.h"
#include "ingest.h"
#include "mapd.h"
#include "mem.h"
#include "view.h"

/*
 * The largest map that the limits allow (security.md D15), with the RLIMIT_DATA that mapd has: it is accepted, and
 * replaced by another as large; one more is refused.  A map that needs more than RLIMIT_DATA ends the process.
 */
#define PEERS     (1L << 20)
#define MAP_BYTES ((size_t)512 << 20)
#define BIG       ((size_t)60000)

static const char head[] =
    "{\"Node\":{\"ID\":1,\"StableID\":\"self\",\"Name\":\"me.\",\"User\":1,\"Key\":\"nodekey:"
    "1111111111111111111111111111111111111111111111111111111111111111\",\"Addresses\":[\"100.64.0.1/32\"]},\"";

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			_exit(1); \
		} \
	} while (0)

/* Peers with ids from 2 on, the last one with `last` bytes of text, the others `text`.  The result of the apply. */
static int
put_peers(struct ingest *g, const char *member, long n, size_t text, size_t last)
{
	static char buf[BIG + 4096];
	struct netmap_change ch;
	unsigned mix;
	size_t len, pad;
	int r;

	ingest_begin(g);
	r = ingest_data(g, head, sizeof(head) - 1);
	len = (size_t)sprintf(buf, "%s\":[", member);
	for (long i = 0; i < n && r == 0; i++) {
		pad = i == n - 1 ? last : text;
		mix = (unsigned)i * 2654435761u;
		len += (size_t)sprintf(buf + len,
		    "%s{\"ID\":%ld,\"Name\":\"n%ld.\",\"User\":1,\"Key\":\"nodekey:%064lx\","
		    "\"Addresses\":[\"100.%u.%u.%u/32\"],\"CapMap\":{\"x\":[\"z%08x",
		    i > 0 ? "," : "", i + 2, i + 2, i + 2, 64 + (unsigned)(i >> 16 & 63), (unsigned)(i >> 8 & 255),
		    (unsigned)(i & 255), mix);
		memset(buf + len, 'g' + (int)(mix >> 28), pad);
		len += pad;
		len += (size_t)sprintf(buf + len, "\"]}}");
		r = ingest_data(g, buf, len);
		len = 0;
	}
	if (r == -1 || ingest_data(g, "]}", 2) == -1 || ingest_end(g) == -1)
		return -1;
	return ingest_apply(g, time_wall(), &ch);
}

static struct netmap *
session(struct netmap *nm)
{
	static const struct pubkey k = { { 1 } };

	if (nm == NULL)
		nm = netmap_new();
	else
		netmap_session_end(nm);
	netmap_session_begin(nm, &k, &k);
	return nm;
}

static size_t
bytes_of(const struct netmap *nm)
{
	return recset_live_bytes(nm->cur->peers->set);
}

/* How long the text of each peer may be, so that PEERS of them are just within MAP_BYTES. */
static size_t
longest_text(void)
{
	struct netmap *nm = session(NULL);
	struct ingest *g = ingest_new(nm);
	size_t one;

	MUST(put_peers(g, "Peers", 1000, 200, 200) == 1);
	one = bytes_of(nm) / 1000 + 1;
	ingest_free(g);
	netmap_free(nm);
	MUST(one < MAP_BYTES / PEERS);
	return 200 + MAP_BYTES / PEERS - one - 8; /* ids grow */
}

static void
the_largest(void)
{
	size_t text = longest_text(), whole;
	struct netmap *nm = session(NULL);
	struct ingest *g = ingest_new(nm);

	MUST(put_peers(g, "Peers", PEERS, text, text) == 1);
	whole = bytes_of(nm);
	MUST(recset_count(nm->cur->peers->set) == PEERS && whole > MAP_BYTES / 100 * 95);
	/* the next stream has another one: both exist until it is complete */
	(void)session(nm);
	MUST(put_peers(g, "Peers", PEERS, text - 1, text) == 1);
	whole = bytes_of(nm);
	MUST(put_peers(g, "Peers", PEERS + 1, 1, 1) == -1 && ingest_over_limit(g));
	MUST(put_peers(g, "PeersChanged", 1000, BIG, BIG) == -1 && ingest_over_limit(g));
	MUST(strstr(ingest_error(g), "memory limit") != NULL);
	MUST(recset_count(nm->cur->peers->set) == PEERS && bytes_of(nm) == whole);
	_exit(EXIT_OK);
}

/* max-map-decoded may raise the limit of the map above RLIMIT_DATA. */
static void
larger_than_memory(void)
{
	struct ingest *g = ingest_new(session(NULL));

	ingest_limits(g)->max_bytes = (size_t)4095 << 20;
	(void)put_peers(g, "Peers", 60000, BIG, BIG);
	_exit(1);
}

static int
end_of(void (*fn)(void))
{
	const struct sandbox_profile *sp = &mapd_profile;
	struct rlimit rl = { 0, 0 };
	int status;
	pid_t pid;
	size_t i;

	for (i = 0; i < sp->nrlimits; i++)
		if (sp->rlimits[i].resource == RLIMIT_DATA)
			rl.rlim_cur = rl.rlim_max = sp->rlimits[i].value;
	assert_true(rl.rlim_cur > 0);
	fflush(NULL);
	assert_true((pid = fork()) != -1);
	if (pid == 0) {
		mem_policy(MEM_END);
		if (setrlimit(RLIMIT_DATA, &rl) == 0)
			fn();
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
test_the_largest_map(void **state)
{
	(void)state;
	assert_int_equal(end_of(the_largest), EXIT_OK);
}

static void
test_a_map_larger_than_memory(void **state)
{
	(void)state;
	assert_int_equal(end_of(larger_than_memory), EXIT_MEMORY);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_largest_map),
		cmocka_unit_test(test_a_map_larger_than_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
