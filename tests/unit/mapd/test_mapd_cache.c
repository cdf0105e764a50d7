/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exits.h"
#include "mapd.h"
#include "timefmt.h"
#include "util_mapd.h"

/* --- the cache --- */

static int
cache_fd(void)
{
	char path[] = "/tmp/tailnetd-unit.XXXXXX";
	int fd = mkstemp(path);

	assert_int_not_equal(fd, -1);
	unlink(path);
	return fd;
}

static struct fp_msg *
cache_write(struct fakeparent *fp, uint32_t id, int fd, int key)
{
	struct ipc_cache_write w;

	memset(&w, 0, sizeof(w));
	memset(&w.node_key, key, sizeof(w.node_key));
	fp_send(fp, IPC_CACHE_WRITE, id, &w, sizeof(w), fd);
	return fp_wait(fp, IPC_CACHE_WRITTEN);
}

static void
cache_load(struct fakeparent *fp, uint32_t id, int fd, int key, uint64_t size)
{
	struct ipc_cache_load l;

	memset(&l, 0, sizeof(l));
	memset(&l.node_key, key, sizeof(l.node_key));
	memset(&l.machine_key, 0x33, sizeof(l.machine_key));
	l.seq_base = 70;
	l.size = size;
	lseek(fd, 0, SEEK_SET);
	fp_send(fp, IPC_CACHE_LOAD, id, &l, sizeof(l), fd);
}

/* A cache as a mapd that is live writes it. */
static int
make_cache(uint64_t *size)
{
	struct fakeparent fp;
	struct fp_msg *m;
	int fd = cache_fd();

	live_stream(&fp, 120000);
	m = cache_write(&fp, 900, dup(fd), 0x44); /* of another key */
	assert_int_equal(m->u.cache.result, IPC_CACHE_NOTHING);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	m = cache_write(&fp, 901, dup(fd), 0x11);
	assert_int_equal(m->id, 901);
	assert_int_equal(m->u.cache.result, IPC_CACHE_OK);
	assert_int_equal(m->u.cache.seq, 1);
	*size = m->u.cache.size;
	assert_int_equal(lseek(fd, 0, SEEK_END), *size);
	fp_stop(&fp);
	return fd;
}

static void
test_cache_until_the_server_sends(void **state)
{
	struct fakeparent fp;
	struct fs_stream *poll, *lite;
	struct fp_msg *m;
	uint64_t size;
	int fd = make_cache(&size), other = cache_fd();

	(void)state;
	fp_start_ready(&fp, &mapd_role);
	send_params(&fp, 1, 41641);
	cache_load(&fp, 7, dup(fd), 0x11, size);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->id, 7);
	assert_int_equal(m->u.cache.result, IPC_CACHE_OK);
	assert_int_equal(m->u.cache.size, size);
	assert_in_range(time_wall().sec - m->u.cache.received, 0, 60);
	m = fp_wait(&fp, IPC_SELF);
	assert_int_equal(m->id, IPC_ID_NONE); /* of no map session: it moves nothing */
	m = fp_wait(&fp, IPC_DELTAS);
	assert_int_equal(m->u.deltas.source, IPC_SRC_CACHED);
	assert_int_equal(m->u.deltas.seq, 71);
	m = cache_write(&fp, 8, other, 0x11); /* what is cached is not written again */
	assert_int_equal(m->u.cache.result, IPC_CACHE_NOTHING);
	send_start(&fp, 50, 0x11, 0);
	lite = wait_lite(&fp, fp_server(&fp, 0), 0);
	poll = wait_poll(&fp, fp.servers[0]);
	fs_answer(fp.servers[0], lite, "200", NULL, "", 0, 1);
	fs_answer(fp.servers[0], poll, "200", NULL, "", 0, 0);
	wait_stream(&fp, IPC_STREAM_OPEN);
	assert_null(fp_try(&fp, IPC_SELF, 50));
	send_frame(fp.servers[0], poll, FULL_MAP);
	m = fp_wait(&fp, IPC_SELF); /* the same node: reported again, now by the session */
	assert_int_equal(m->id, 50);
	while ((m = fp_wait(&fp, IPC_DELTAS))->u.deltas.source != IPC_SRC_LIVE)
		assert_int_equal(m->u.deltas.source, IPC_SRC_CACHED);
	cache_load(&fp, 9, dup(fd), 0x11, size);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->u.cache.result, IPC_CACHE_NOTHING);
	fp_send_empty(&fp, IPC_CACHE_FORGET, 0); /* concerns a cached one only */
	fp_send_empty(&fp, IPC_PING, 1);
	fp_wait(&fp, IPC_PONG);
	assert_null(fp_try(&fp, IPC_DELTAS, 20));
	close(fd);
	fp_stop(&fp);
}

static void
test_cache_is_forgotten(void **state)
{
	struct fakeparent fp;
	struct fp_msg *m;
	uint64_t size;
	int fd = make_cache(&size);

	(void)state;
	fp_start_ready(&fp, &mapd_role);
	cache_load(&fp, 7, dup(fd), 0x11, size);
	while ((m = fp_wait(&fp, IPC_DELTAS))->u.deltas.source != IPC_SRC_CACHED)
		;
	fp_send_empty(&fp, IPC_CACHE_FORGET, 0);
	m = fp_wait(&fp, IPC_DELTAS);
	assert_int_equal(m->u.deltas.source, IPC_SRC_NONE);
	assert_int_equal(m->u.deltas.peers, 0);
	fp_wait(&fp, IPC_CACHE_LOADED);
	cache_load(&fp, 8, fd, 0x11, size); /* answered exactly once, whatever arrives first */
	fp_send_empty(&fp, IPC_CACHE_FORGET, 0);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->id, 8);
	assert_null(fp_try(&fp, IPC_CACHE_LOADED, 50));
	fp_stop(&fp);
}

static void
test_cache_that_is_none(void **state)
{
	struct fakeparent fp;
	struct fp_msg *m;
	uint64_t size;
	int fd = make_cache(&size), null;

	(void)state;
	fp_start_ready(&fp, &mapd_role);
	cache_load(&fp, 7, dup(fd), 0x44, size);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->u.cache.result, IPC_CACHE_FOREIGN);
	assert_true(IPC_OK(&m->u.cache, err) && m->u.cache.err_len > 0);
	cache_load(&fp, 8, dup(fd), 0x11, size + 1);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->u.cache.result, IPC_CACHE_BAD);
	null = open("/dev/null", O_RDONLY);
	cache_load(&fp, 9, null, 0x11, size);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->u.cache.result, IPC_CACHE_BAD);
	cache_load(&fp, 10, open("/", O_RDONLY), 0x11, size);
	m = fp_wait(&fp, IPC_CACHE_LOADED);
	assert_int_equal(m->u.cache.result, IPC_CACHE_FAILED);
	m = cache_write(&fp, 11, open("/dev/full", O_WRONLY), 0x11);
	assert_int_equal(m->u.cache.result, IPC_CACHE_NOTHING);
	assert_null(fp_try(&fp, IPC_DELTAS, 20));
	close(fd);
	fp_stop(&fp);
}

/* Two at a time, no id, a size above the limit: such a parent is not ours. */
static void
test_cache_rules(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct fakeparent fp;

		fp_start_ready(&fp, &mapd_role);
		if (i == 0)
			cache_load(&fp, 0, cache_fd(), 0x11, 1000);
		else if (i == 1)
			cache_load(&fp, 1, cache_fd(), 0x11, (uint64_t)IPC_CACHE_MAX + 1);
		else
			cache_load(&fp, 1, cache_fd(), 0, 1000);
		assert_int_equal(fp_reap(&fp), EXIT_VIOLATION);
		fp_free(&fp);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cache_until_the_server_sends),
		cmocka_unit_test(test_cache_is_forgotten),
		cmocka_unit_test(test_cache_that_is_none),
		cmocka_unit_test(test_cache_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
