/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "util_ipc.h"

/* OpenBSD counts the descriptors in flight of the whole system; beyond that sendmsg(2) is EMFILE. */
static int sends_full;

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (sends_full > 0 && m->msg_controllen > 0) {
		sends_full--;
		errno = EMFILE;
		return -1;
	}
	return syscall(SYS_sendmsg, fd, m, flags);
}

static uint8_t blank[IPC_MAX_MSG + 64];

/* rows: PRIV-04 */
static void
test_rate_of_a_child(void **state)
{
	struct {
		struct raw_hdr h;
		struct ipc_empty none;
	} m = { { IPC_PONG, 0, sizeof(struct ipc_empty), 1, GENERATION }, { 0 } };
	struct rig r = { 0 };
	int i;

	(void)state;
	rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
	ipc_set_state(r.c, IPC_S_IDLE);
	for (i = 0; i < 1900; i++) {
		raw_write(r.raw, &m, sizeof(m), NULL, 0);
		if (i % 50 == 0)
			rig_turn(&r);
	}
	rig_turn(&r);
	assert_int_equal(r.handled, 1900);
	assert_int_equal(r.closed, 0);
	for (i = 0; i < 20000 && !r.closed; i++) {
		raw_write(r.raw, &m, sizeof(m), NULL, 0);
		if (i % 50 == 0)
			rig_turn(&r);
	}
	assert_int_equal(r.violation, 1);
	assert_non_null(strstr(r.why, "a second"));
	assert_in_range(r.handled, 2000, 12000);
	rig_close(&r);
}

static void
test_parent_may_be_fast(void **state)
{
	struct {
		struct raw_hdr h;
		struct ipc_empty none;
	} m = { { IPC_PING, 0, sizeof(struct ipc_empty), 1, GENERATION }, { 0 } };
	struct rig r = { 0 };
	int i;

	(void)state;
	rig_open(&r, IPC_CHILD_SIDE, IPC_MAPD);
	ipc_set_state(r.c, IPC_S_IDLE);
	for (i = 0; i < 10000; i++) {
		raw_write(r.raw, &m, sizeof(m), NULL, 0);
		if (i % 50 == 0)
			rig_turn(&r);
	}
	rig_turn(&r);
	assert_int_equal(r.handled, 10000);
	rig_close(&r);
}

/* rows: PRIV-04 */
static void
test_too_many_descriptors_in_flight(void **state)
{
	struct ipc_empty none = { 0 };
	struct rig r = { 0 };
	int i;

	(void)state;
	rig_open(&r, IPC_PARENT_SIDE, IPC_AUTHD);
	sends_full = 3;
	assert_int_equal(ipc_send(r.c, IPC_CA, 0, &none, sizeof(none), open("/dev/null", O_RDONLY)), 0);
	for (i = 0; i < 100 && (sends_full > 0 || ipc_queued(r.c) > 0); i++) {
		rig_turn(&r);
		usleep(5000);
	}
	assert_int_equal(sends_full, 0);
	assert_int_equal(ipc_queued(r.c), 0); /* tried again until there was room */
	assert_int_equal(r.closed, 0);
	rig_close(&r);
}

/* rows: PRIV-04 */
static void
test_child_that_never_reads(void **state)
{
	struct ipc_chunk m;
	struct rig r = { 0 };
	size_t len = offsetof(struct ipc_chunk, data) + sizeof(m.data), sent = 0;
	int rv = 0, before = open_descriptors();

	(void)state;
	memset(&m, 0, sizeof(m));
	m.data_len = sizeof(m.data);
	m.total = sizeof(m.data);
	rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
	while (rv == 0 && sent < 64 * 1024 * 1024) {
		assert_int_equal(r.closed, 0);
		rv = ipc_send(r.c, IPC_HOSTINFO, 1, &m, len, -1);
		sent += len;
	}
	assert_int_equal(rv, -1);
	assert_int_equal(r.closed, 0); /* never from within ipc_send */
	assert_in_range(ipc_queued(r.c), 256 * 1024, 256 * 1024 + 2 * IPC_MAX_MSG);
	assert_int_equal(ipc_send(r.c, IPC_QUERY, 1, memset(blank, 0, sizeof(blank)), ipc_head_len(IPC_QUERY),
			     open("/dev/null", O_RDONLY)),
	    -1);
	rig_turn(&r);
	assert_int_equal(r.closed, 1);
	assert_int_equal(r.violation, 0); /* what we have queued ourselves breaks no rule of the other end */
	assert_non_null(strstr(r.why, "does not read"));
	rig_close(&r);
	assert_int_equal(open_descriptors(), before);
}

struct text {
	struct buf b;
	uint32_t total;
	int complete;
};

static int
add_chunk(void *arg, const struct ipc_msg *m)
{
	struct text *t = arg;
	int rv = ipc_chunk_add(&t->b, &t->total, m->payload, 1024 * 1024);

	if (rv == 1)
		t->complete++;
	return rv == -1 ? -1 : 0;
}

static void
no_end(void *arg, int violation, const char *why)
{
	(void)arg;
	fail_msg("closed: %d %s", violation, why);
}

/* rows: PRIV-04 */
static void
test_long_texts_travel_in_pieces(void **state)
{
	static const size_t sizes[] = { 0, 1, IPC_CHUNK - 1, IPC_CHUNK, IPC_CHUNK + 1, 65536, 1024 * 1024 };
	struct ipc_handlers h = { .on = { [IPC_EVENT] = add_chunk, [IPC_PONG] = add_chunk }, .closed = no_end };
	char *text = malloc(1024 * 1024);
	size_t i, j;

	(void)state;
	for (i = 0; i < 1024 * 1024; i++)
		text[i] = (char)('a' + i % 23);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct event_base *base = event_base_new();
		struct text t = { 0 };
		struct ipc *p, *c;
		int sv[2];

		buf_init(&t.b, 1024 * 1024);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
		p = ipc_new(base, sv[0], IPC_PARENT_SIDE, IPC_MAPD, 3, &h, NULL);
		c = ipc_new(base, sv[1], IPC_CHILD_SIDE, IPC_MAPD, 0, &h, &t);
		ipc_set_state(c, IPC_S_BUSY);
		assert_int_equal(ipc_send_chunks(p, IPC_EVENT, 5, text, sizes[i]), 0);
		for (j = 0; j < 1000 && !t.complete; j++)
			event_base_loop(base, EVLOOP_NONBLOCK);
		assert_int_equal(t.complete, 1);
		assert_int_equal(buf_len(&t.b), sizes[i]);
		if (sizes[i] > 0)
			assert_memory_equal(buf_ptr(&t.b), text, sizes[i]);
		assert_int_equal(ipc_queued(p), 0);
		ipc_free(p);
		ipc_free(c);
		event_base_free(base);
		buf_free(&t.b);
	}
	free(text);
}

static void
test_pieces_out_of_order(void **state)
{
	struct ipc_chunk m;
	struct buf b;
	uint32_t total = 0;

	(void)state;
	memset(&m, 0, sizeof(m));
	buf_init(&b, 100000);
	m.total = 20000;
	m.data_len = IPC_CHUNK;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 19999), -1); /* over the receiver's limit */
	m.off = 1;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), -1); /* does not begin at the beginning */
	m.off = 0;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), 0);
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), -1); /* twice */
	m.off = IPC_CHUNK;
	m.total = 20001;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), -1); /* another total */
	m.total = 20000;
	m.data_len = 0;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), -1); /* no progress */
	m.data_len = IPC_CHUNK;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), 0);
	m.off = 2 * IPC_CHUNK;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), -1); /* past the total */
	m.data_len = 20000 - 2 * IPC_CHUNK;
	assert_int_equal(ipc_chunk_add(&b, &total, &m, 100000), 1);
	buf_free(&b);
}

/* A child learns its generation from HELLO; what it had to say before waits. */
static void
test_child_learns_its_generation(void **state)
{
	struct ipc_handlers h = { .on = { [IPC_PONG] = add_chunk, [IPC_HELLO] = add_chunk }, .closed = no_end };
	struct event_base *base = event_base_new();
	struct ipc_hello hello;
	struct raw_hdr got, hdr = { IPC_HELLO, 0, sizeof(hello), 0, 91 };
	struct ipc_log l;
	struct text t = { 0 };
	struct ipc *c;
	int sv[2];

	(void)state;
	memset(&l, 0, sizeof(l));
	memset(&hello, 0, sizeof(hello));
	buf_init(&t.b, 1024 * 1024);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
	c = ipc_new(base, sv[0], IPC_CHILD_SIDE, IPC_AUTHD, 0, &h, &t);
	assert_int_equal(ipc_send(c, IPC_LOG, 0, &l, ipc_head_len(IPC_LOG), -1), 0);
	ipc_flush(c, 1000);
	assert_int_equal(read(sv[1], &got, sizeof(got)), -1);
	raw_write(sv[1], &hdr, sizeof(hdr), NULL, 0);
	raw_write(sv[1], &hello, sizeof(hello), NULL, 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(read(sv[1], &got, sizeof(got)), sizeof(got));
	assert_int_equal(got.type, IPC_LOG);
	assert_int_equal(got.generation, 91);
	ipc_free(c);
	close(sv[1]);
	event_base_free(base);
	buf_free(&t.b);
}

static void
test_flush_is_bounded(void **state)
{
	struct ipc_chunk m;
	struct rig r = { 0 };
	char sink[4096];
	size_t total = 0;
	ssize_t n;
	int i;

	(void)state;
	memset(&m, 0, sizeof(m));
	rig_open(&r, IPC_PARENT_SIDE, IPC_MAPD);
	m.data_len = sizeof(m.data);
	for (i = 0; i < 40; i++)
		assert_int_equal(ipc_send(r.c, IPC_HOSTINFO, 1, &m, offsetof(struct ipc_chunk, data) + sizeof(m.data),
				     -1),
		    0);
	assert_true(ipc_queued(r.c) > 0);
	ipc_flush(r.c, 20); /* no reader: returns */
	assert_true(ipc_queued(r.c) > 0);
	fcntl(r.raw, F_SETFL, O_NONBLOCK);
	while (ipc_queued(r.c) > 0) {
		while ((n = read(r.raw, sink, sizeof(sink))) > 0)
			total += (size_t)n;
		ipc_flush(r.c, 1000);
	}
	while ((n = read(r.raw, sink, sizeof(sink))) > 0)
		total += (size_t)n;
	assert_int_equal(total, 40 * (16 + offsetof(struct ipc_chunk, data) + sizeof(m.data)));
	rig_close(&r);
}

/* The number of copies of the 32 bytes in this process's writable memory. */
static int
occurrences(const uint8_t *masked)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC), found = 0;
	unsigned long from, to, at;
	static uint8_t page[65536];
	char line[512], mode[8];
	size_t i, j;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' || to - from > (64ul << 20))
			continue;
		for (at = from; at < to; at += 4096) {
			ssize_t n = pread(mem, page, 4096 + 32, (off_t)at);

			for (i = 0; n >= 32 && i + 32 <= (size_t)n && i < 4096; i++) {
				for (j = 0; j < 32 && page[i + j] == (uint8_t)(masked[j] ^ 0x5a); j++)
					;
				found +=
				    j == 32 && !(at + i >= (uintptr_t)page && at + i < (uintptr_t)page + sizeof(page));
			}
		}
	}
	fclose(maps);
	close(mem);
	explicit_bzero(page, sizeof(page));
	return found;
}

static int
swallow(void *arg, const struct ipc_msg *m)
{
	(void)m;
	(*(int *)arg)++;
	return 0;
}

static void
test_secrets_leave_nothing_behind(void **state)
{
	struct ipc_handlers h = { .on = { [IPC_HS_KEYS] = swallow, [IPC_PONG] = swallow }, .closed = no_end };
	struct event_base *base = event_base_new();
	uint8_t masked[32];
	struct ipc_hs_keys k;
	struct ipc *p, *c;
	int sv[2], i, got = 0;

	(void)state;
	for (i = 0; i < 32; i++)
		masked[i] = (uint8_t)(arc4random() | 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	p = ipc_new(base, sv[0], IPC_PARENT_SIDE, IPC_AUTHD, 1, &h, &got);
	c = ipc_new(base, sv[1], IPC_CHILD_SIDE, IPC_AUTHD, 0, &h, &got);
	ipc_set_state(c, IPC_S_BUSY);
	memset(&k, 0, sizeof(k));
	for (i = 0; i < 32; i++)
		k.tx[i] = masked[i] ^ 0x5a;
	assert_true(occurrences(masked) >= 1);
	assert_int_equal(ipc_send(p, IPC_HS_KEYS, 1, &k, sizeof(k), -1), 0); /* which wipes k, too */
	for (i = 0; i < 8; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(got, 1);
	assert_int_equal(occurrences(masked), 0);
	ipc_free(p);
	ipc_free(c);
	event_base_free(base);
}

/*
 * Descriptors and long messages mixed, more than the socket takes at once: each arrives with its message, none stays
 * open here.
 */
struct catch
{
	ino_t expect[64];
	int got, wrong, plain;
};

static int
catch_descriptor(void *arg, const struct ipc_msg *m)
{
	struct catch *k = arg;
	struct stat st;

	if (m->type == IPC_CA) {
		k->wrong += fstat(m->fd, &st) == -1 || m->id >= 64 || st.st_ino != k->expect[m->id];
		k->got++;
		close(m->fd);
	} else {
		k->plain++;
	}
	return 0;
}

static void
test_descriptors_to_the_child(void **state)
{
	struct ipc_handlers h = { .on = { [IPC_CA] = catch_descriptor, [IPC_HOSTINFO] = catch_descriptor },
		.closed = no_end };
	struct event_base *base = event_base_new();
	struct ipc_empty none = { 0 };
	struct catch k;
	struct ipc_chunk m;
	struct stat st;
	struct ipc *p, *c;
	int sv[2], i, fd[2], before;

	(void)state;
	memset(&k, 0, sizeof(k));
	memset(&m, 0, sizeof(m));
	m.data_len = sizeof(m.data);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	p = ipc_new(base, sv[0], IPC_PARENT_SIDE, IPC_AUTHD, 1, &h, NULL);
	c = ipc_new(base, sv[1], IPC_CHILD_SIDE, IPC_AUTHD, 0, &h, &k);
	ipc_set_state(c, IPC_S_IDLE);
	before = open_descriptors();
	for (i = 0; i < 64; i++) {
		assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
		assert_int_equal(fstat(fd[0], &st), 0);
		k.expect[i] = st.st_ino;
		assert_int_equal(ipc_send(p, IPC_CA, (uint32_t)i, &none, sizeof(none), fd[0]), 0);
		assert_int_equal(ipc_send(p, IPC_CA, (uint32_t)i, &none, sizeof(none), fd[1]), 0);
		if (i % 2 == 0)
			assert_int_equal(ipc_send(p, IPC_HOSTINFO, 0, &m,
					     offsetof(struct ipc_chunk, data) + sizeof(m.data), -1),
			    0);
	}
	assert_true(ipc_queued(p) > 0);
	for (i = 0; i < 1000 && (k.got < 128 || k.plain < 32); i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(k.got, 128);
	assert_int_equal(k.plain, 32);
	assert_int_equal(k.wrong, 0);
	assert_int_equal(open_descriptors(), before);
	ipc_free(p);
	ipc_free(c);
	event_base_free(base);
}

/*
 * A message with a descriptor of which only the beginning fits, and the next one right behind it: wherever the cut
 * is.
 */
static void
test_descriptor_of_half_a_message(void **state)
{
	struct ipc_handlers h = { .on = { [IPC_CA] = catch_descriptor, [IPC_HOSTINFO] = catch_descriptor },
		.closed = no_end };
	struct ipc_empty none = { 0 };
	struct ipc_chunk m;
	size_t head = offsetof(struct ipc_chunk, data), cut, left, n;
	int before = open_descriptors();

	(void)state;
	for (cut = 1; cut < 20; cut++) {
		struct event_base *base = event_base_new();
		struct catch k;
		struct stat st;
		struct ipc *p, *c;
		int sv[2], i, fd;

		memset(&k, 0, sizeof(k));
		memset(&m, 0, sizeof(m));
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
		p = ipc_new(base, sv[0], IPC_PARENT_SIDE, IPC_AUTHD, 1, &h, NULL);
		c = ipc_new(base, sv[1], IPC_CHILD_SIDE, IPC_AUTHD, 0, &h, &k);
		ipc_set_state(c, IPC_S_IDLE);
		for (left = 2 * IPC_MAX_MSG - cut; left > 0; left -= n + head + 16) {
			n = left - head - 16 < 8000 ? left - head - 16 : 6000;
			m.data_len = (uint16_t)n;
			assert_int_equal(ipc_send(p, IPC_HOSTINFO, 0, &m, head + n, -1), 0);
		}
		for (i = 0; i < 3; i++) {
			assert_int_not_equal(fd = open("/dev/null", O_RDONLY | O_CLOEXEC), -1);
			assert_int_equal(fstat(fd, &st), 0);
			k.expect[i] = st.st_ino;
			assert_int_equal(ipc_send(p, IPC_CA, (uint32_t)i, &none, sizeof(none), fd), 0);
		}
		assert_int_equal(ipc_queued(p), 0);
		for (i = 0; i < 50; i++)
			event_base_loop(base, EVLOOP_NONBLOCK);
		assert_int_equal(k.got, 3);
		assert_int_equal(k.wrong, 0);
		ipc_free(p);
		ipc_free(c);
		event_base_free(base);
	}
	assert_int_equal(open_descriptors(), before);
}

/* What waits with a descriptor is closed with the channel; a dead other end is no violation. */
static void
test_waiting_descriptors_are_closed(void **state)
{
	struct ipc_empty none = { 0 };
	struct ipc_chunk m;
	struct rig r = { 0 };
	int i, before = open_descriptors();

	(void)state;
	memset(&m, 0, sizeof(m));
	m.data_len = sizeof(m.data);
	rig_open(&r, IPC_PARENT_SIDE, IPC_AUTHD);
	while (ipc_queued(r.c) == 0)
		assert_int_equal(ipc_send(r.c, IPC_HOSTINFO, 0, &m, offsetof(struct ipc_chunk, data) + sizeof(m.data),
				     -1),
		    0);
	for (i = 0; i < 10; i++)
		assert_int_equal(ipc_send(r.c, IPC_CA, 0, &none, sizeof(none), open("/dev/null", O_RDONLY)), 0);
	assert_true(open_descriptors() >= before + 10);
	close(r.raw);
	r.raw = -1;
	rig_turn(&r);
	assert_int_equal(r.closed, 1);
	assert_int_equal(r.violation, 0);
	assert_int_equal(ipc_send_chunks(r.c, IPC_HOSTINFO, 0, "{}", 2), -1);
	rig_close(&r);
	assert_int_equal(open_descriptors(), before);
}

static void
test_texts(void **state)
{
	struct ipc_browse m;
	char s[sizeof(m.url) + 1];

	(void)state;
	memset(&m, 0, sizeof(m));
	IPC_SET(&m, url, "https://x/", 10);
	assert_int_equal(m.url_len, 10);
	assert_true(IPC_OK(&m, url));
	IPC_STR(&m, url, s);
	assert_string_equal(s, "https://x/");
	m.url_len = sizeof(m.url) + 1;
	assert_false(IPC_OK(&m, url));
	assert_false(ipc_text_ok("a\nb", 3, 10));
	assert_false(ipc_text_ok("a\x7f", 2, 10));
	assert_false(ipc_text_ok("\xc2\x9b", 2, 10)); /* C1: CSI */
	assert_true(ipc_text_ok("\xc2\xa0", 2, 10));
	assert_false(ipc_text_ok("\xff", 1, 10));
	assert_false(ipc_text_ok("a\0b", 3, 10));
	assert_int_equal(ipc_text_put(s, 4, "abc\xc3\xa4", 5), 3); /* never half a character */
	assert_string_equal(ipc_type_name(IPC_HS_BEGIN), "HS_BEGIN");
	assert_string_equal(ipc_type_name(IPC_NTYPES), "?");
	assert_int_equal(ipc_head_len(IPC_LOG), offsetof(struct ipc_log, data));
	assert_int_equal(ipc_head_len(IPC_DIAL), sizeof(struct ipc_dial));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate_of_a_child),
		cmocka_unit_test(test_parent_may_be_fast),
		cmocka_unit_test(test_too_many_descriptors_in_flight),
		cmocka_unit_test(test_child_that_never_reads),
		cmocka_unit_test(test_long_texts_travel_in_pieces),
		cmocka_unit_test(test_pieces_out_of_order),
		cmocka_unit_test(test_child_learns_its_generation),
		cmocka_unit_test(test_flush_is_bounded),
		cmocka_unit_test(test_secrets_leave_nothing_behind),
		cmocka_unit_test(test_descriptors_to_the_child),
		cmocka_unit_test(test_descriptor_of_half_a_message),
		cmocka_unit_test(test_waiting_descriptors_are_closed),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
