/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "unit.h"

static void
test_limit(void **state)
{
	struct buf b;
	char big[400];

	(void)state;
	memset(big, 'x', sizeof(big));
	buf_init(&b, 300);
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(buf_put(&b, big, 300), 0);
	errno = 0;
	assert_int_equal(buf_putc(&b, 'y'), -1);
	assert_int_equal(errno, ENOBUFS);
	assert_true(b.failed);
	assert_int_equal(buf_len(&b), 300);
	buf_consume(&b, 1);
	assert_int_equal(buf_putc(&b, 'y'), 0);
	buf_reset(&b);
	assert_false(b.failed);
	assert_int_equal(buf_put(&b, big, 301), -1);
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_int_equal(buf_len(&b), 0);
	buf_free(&b);
	assert_int_equal(b.max, 300);
}

static void
test_printf_of_any_length(void **state)
{
	struct buf b;
	char word[1024];
	int n;

	(void)state;
	memset(word, 'w', sizeof(word));
	for (n = 0; n < 1000; n++) {
		buf_init(&b, (size_t)n + 2);
		assert_int_equal(buf_printf(&b, "<%.*s>", n, word), 0);
		assert_int_equal(buf_len(&b), n + 2);
		assert_int_equal(buf_ptr(&b)[n + 1], '>');
		assert_int_equal(buf_printf(&b, "%s", "z"), -1);
		assert_int_equal(buf_len(&b), n + 2);
		buf_free(&b);
	}
}

/* Random appends and takes against a plain model. */
static void
test_queue_keeps_order(void **state)
{
	struct buf b;
	uint32_t rnd = 12345;
	uint64_t in = 0, out = 0;
	size_t i, n;
	int step;

	(void)state;
	buf_init(&b, 5000);
	for (step = 0; step < 20000; step++) {
		rnd = rnd * 1664525 + 1013904223;
		n = rnd >> 20;
		if (rnd & 0x8000) {
			uint8_t *p = buf_reserve(&b, n);

			if (p == NULL) {
				assert_true(in - out + n > 5000);
				b.failed = 0;
				continue;
			}
			for (i = 0; i < n; i++)
				p[i] = (uint8_t)(in++ * 31);
			buf_commit(&b, n);
		} else {
			if (n > buf_len(&b))
				n = buf_len(&b);
			for (i = 0; i < n; i++)
				assert_int_equal(buf_ptr(&b)[i], (uint8_t)(out++ * 31));
			buf_consume(&b, n);
			if (rnd & 0x4000)
				buf_shrink(&b);
		}
		assert_int_equal(buf_len(&b), in - out);
	}
	assert_true(b.cap <= 2 * 5000 + 4096);
	buf_free(&b);
}

static void
test_shrink(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	buf_shrink(&b);
	assert_non_null(buf_reserve(&b, 90000));
	assert_int_equal(buf_puts(&b, "hello"), 0);
	buf_consume(&b, 2);
	buf_shrink(&b);
	assert_true(b.cap < 100);
	assert_memory_equal(buf_ptr(&b), "llo", 3);
	buf_consume(&b, 3);
	buf_shrink(&b);
	assert_null(b.mem);
	assert_int_equal(buf_puts(&b, "again"), 0);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_printf_of_any_length),
		cmocka_unit_test(test_queue_keeps_order),
		cmocka_unit_test(test_shrink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
