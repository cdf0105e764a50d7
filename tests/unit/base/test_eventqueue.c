/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "eventqueue.h"
#include "unit.h"

#define MAX      100
#define KEPT_MAX 200

static int
put(struct eventqueue *q, size_t n, int keep, size_t unsent)
{
	struct notice *t;
	char text[512];
	int rv = 0;

	memset(text, keep ? 'k' : 'c', sizeof(text));
	assert_non_null(t = notice_new(text, n, keep));
	if (keep)
		rv = eventqueue_keep(q, t, unsent);
	else
		eventqueue_change(q, t, unsent);
	notice_unref(t);
	return rv;
}

/* The kinds of the events that wait, which are removed; each has the next number. */
static void
waiting(struct eventqueue *q, const char *kinds)
{
	char head[EVENT_TEXT_MAX], want[60];
	struct notice *t;
	uint64_t seq = q->seq;

	for (; *kinds != '\0'; kinds++) {
		assert_non_null(t = eventqueue_next(q, head));
		assert_int_equal(t->text[0], *kinds);
		assert_int_equal(t->refs, 1);
		snprintf(want, sizeof(want), "{\"v\":1,\"seq\":%llu,\"time\":\"", (unsigned long long)++seq);
		assert_memory_equal(head, want, strlen(want));
		notice_unref(t);
	}
	assert_null(eventqueue_next(q, head));
	assert_true(eventqueue_empty(q));
	assert_int_equal(q->bytes, 0);
	assert_int_equal(q->kept, 0);
	assert_int_equal(q->seq, seq);
}

static void
test_order(void **state)
{
	struct eventqueue q;

	(void)state;
	eventqueue_init(&q, MAX, KEPT_MAX, 7);
	put(&q, 10, 1, 0);
	put(&q, 20, 0, 0);
	put(&q, 30, 1, 0);
	put(&q, 40, 0, 0); /* 100 bytes in all: not too much */
	assert_int_equal(q.bytes, 100);
	assert_int_equal(q.kept, 40);
	assert_false(q.want_full);
	waiting(&q, "kckc");
	assert_int_equal(q.seq, 11);
}

/* One event in two queues. */
static void
test_shared(void **state)
{
	struct notice *t = notice_new("shared", 6, 1);
	struct eventqueue a, b;

	(void)state;
	eventqueue_init(&a, MAX, KEPT_MAX, 0);
	eventqueue_init(&b, MAX, KEPT_MAX, 0);
	assert_int_equal(eventqueue_keep(&a, t, 0), 0);
	assert_int_equal(eventqueue_keep(&b, t, 0), 0);
	assert_int_equal(t->refs, 3);
	eventqueue_free(&a);
	assert_true(eventqueue_empty(&a));
	notice_unref(t);
	assert_int_equal(t->refs, 1);
	waiting(&b, "s");
}

/* Changes that wait are lost together; what else waits is not; what happens until the map is sent is counted. */
static void
test_lags(void **state)
{
	char line[2 * EVENT_TEXT_MAX];
	struct eventqueue q;
	size_t n;

	(void)state;
	eventqueue_init(&q, MAX, KEPT_MAX, 0);
	q.was_full = 1;
	put(&q, 50, 0, 0);
	put(&q, 10, 1, 0);
	put(&q, 30, 0, 0);
	assert_int_equal(eventqueue_lagged(&q, line), 0);
	put(&q, 1, 0, 10); /* 101 with what is unsent */
	assert_int_equal(q.dropped, 3);
	assert_true(q.want_full);
	put(&q, 1, 0, 0);
	eventqueue_change(&q, NULL, 0);
	waiting(&q, "k");
	n = eventqueue_lagged(&q, line);
	assert_int_equal(n, strlen(line));
	assert_non_null(strstr(line, "\"seq\":2,"));
	assert_string_equal(strstr(line, "\"event\""), "\"event\":\"lagged\",\"dropped\":5}\n");
	assert_int_equal(eventqueue_lagged(&q, line), 0);
	q.want_full = 0;
	put(&q, 1, 0, 0);
	waiting(&q, "c");
	assert_int_equal(q.seq, 3);
}

/* A watcher that has no map yet was promised no change. */
static void
test_first_map(void **state)
{
	struct eventqueue q;

	(void)state;
	eventqueue_init(&q, MAX, KEPT_MAX, 0);
	q.want_full = 1;
	put(&q, 10, 0, 0);
	assert_int_equal(q.dropped, 0);
	waiting(&q, "");
}

static void
test_too_large(void **state)
{
	struct eventqueue q;

	(void)state;
	eventqueue_init(&q, MAX, KEPT_MAX, 0);
	put(&q, 10, 0, 0);
	eventqueue_change(&q, NULL, 0);
	assert_int_equal(q.dropped, 2);
	assert_true(q.want_full);
	waiting(&q, "");
}

/* What must not be lost has a limit of its own, past which the watcher is disconnected; changes make room for it. */
static void
test_kept(void **state)
{
	struct eventqueue q;

	(void)state;
	eventqueue_init(&q, MAX, KEPT_MAX, 0);
	put(&q, 10, 0, 0);
	assert_int_equal(put(&q, 91, 1, 0), 0);
	assert_int_equal(q.dropped, 1);
	assert_int_equal(put(&q, 109, 1, 1000), 0); /* what is unsent does not count here */
	assert_int_equal(q.kept, KEPT_MAX);
	assert_int_equal(put(&q, 1, 1, 0), -1);
	assert_int_equal(q.kept, KEPT_MAX);
	waiting(&q, "kk");
	assert_int_equal(put(&q, KEPT_MAX, 1, 0), 0);
	assert_int_equal(q.dropped, 1); /* none was lost by that one */
	eventqueue_free(&q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_order), cmocka_unit_test(test_shared),
		cmocka_unit_test(test_lags), cmocka_unit_test(test_first_map), cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_kept) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
