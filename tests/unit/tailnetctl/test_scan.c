/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd_peers.h"
#include "cmd_watch.h"
#include "ctl.h"
#include "events.h"
#include "jget.h"
#include "scan.h"
#include "sock.h"
#include "texts.h"
#include "timefmt.h"
#include "unit.h"

/* A source that delivers the text in pieces of `step` bytes. */
static pid_t
feed(struct source *s, const char *text, size_t n, size_t step)
{
	int p[2];
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	if ((pid = fork()) == 0) {
		close(p[0]);
		while (n > 0) {
			size_t piece = n < step ? n : step;

			if (write(p[1], text, piece) != (ssize_t)piece)
				_exit(1);
			text += piece;
			n -= piece;
		}
		_exit(0);
	}
	close(p[1]);
	source_init(s, p[0], 10000);
	return pid;
}

static void
done(struct source *s, pid_t pid)
{
	source_close(s);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int
collect(void *arg, const char *name, struct source *s)
{
	struct buf *b = arg;

	buf_printf(b, "%s=", name);
	if (scan_value(s, b) != 1)
		return -1;
	return buf_putc(b, ';') == -1 ? -1 : 1;
}

/* The members of text, in one string; "-" when it is refused. */
static void
members_are(const char *text, const char *want)
{
	struct source s;
	struct buf b;
	size_t step;
	pid_t pid;

	for (step = 1; step < 100; step = step * 2 + 1) {
		pid = feed(&s, text, strlen(text), step);
		buf_init(&b, 10000);
		if (*want == '-') {
			assert_int_equal(scan_object(&s, collect, &b), -1);
			assert_int_equal(s.err, EPROTO);
			assert_true(s.why[0] != '\0');
		} else {
			assert_int_equal(scan_object(&s, collect, &b), 1);
			buf_putc(&b, '\0');
			assert_string_equal((char *)buf_ptr(&b), want);
			assert_int_equal(scan_value(&s, NULL), 0);
		}
		buf_free(&b);
		done(&s, pid);
	}
}

static void
test_members(void **state)
{
	(void)state;
	members_are("{}", "");
	members_are(" {\"a\" : 1 , \"b\":{\"x\":[\"}\",\"\\\"]\"]},\"c\":\"\\\\\" "
		    ",\"d\":[[],{}],\"e\":null,\"f\":-1.5e3}\n",
	    "a=1;b={\"x\":[\"}\",\"\\\"]\"]};c=\"\\\\\";d=[[],{}];e=null;f=-1.5e3;");
	members_are("{\"a\":1", "-");
	members_are("{\"a\":", "-");
	members_are("{\"a\"", "-");
	members_are("{\"a", "-");
	members_are("{\"a\":[1,2}", "-");
	members_are("{\"a\":\"x", "-");
	members_are("{a:1}", "-");
	members_are("{\"a\" 1}", "-");
	members_are("{\"a\":1 \"b\":2}", "-");
	members_are("{\"a\":,}", "-");
	members_are("{,}", "-");
	members_are("[1]", "-");
	members_are("", "-");
	members_are("x", "-");
}

static void
test_values_one_after_the_other(void **state)
{
	static const char text[] = "{\"a\":1}\n[2]\n\"three\"\n4\nnull\n";
	struct json_object *o;
	struct source s;
	pid_t pid = feed(&s, text, sizeof(text) - 1, 3);
	int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		assert_int_equal(scan_json(&s, &o), 1);
		assert_int_equal(o == NULL, i == 4);
		json_object_put(o);
	}
	assert_int_equal(scan_json(&s, &o), 0);
	done(&s, pid);
}

/* A value larger than what is kept is refused when wanted, and skipped in constant memory when not. */
static void
test_huge_value(void **state)
{
	size_t n = SCAN_VALUE_MAX + 100;
	char *text = malloc(n + 8);
	struct json_object *o;
	struct source s;
	pid_t pid;

	(void)state;
	memset(text, 'x', n + 8);
	text[0] = '"';
	text[n] = '"';
	memcpy(text + n + 1, " [7]   ", 7);
	pid = feed(&s, text, n + 8, 100000);
	assert_int_equal(scan_value(&s, NULL), 1);
	assert_int_equal(scan_json(&s, &o), 1);
	assert_int_equal(json_object_array_length(o), 1);
	json_object_put(o);
	done(&s, pid);
	pid = feed(&s, text, n + 8, 100000);
	assert_int_equal(scan_json(&s, &o), -1);
	assert_int_equal(s.err, EPROTO);
	done(&s, pid);
	free(text);
}

static void
test_silence_ends(void **state)
{
	struct source s;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	source_init(&s, p[0], 20);
	assert_int_equal(scan_value(&s, NULL), -1);
	assert_int_equal(s.err, ETIMEDOUT);
	source_close(&s);
	close(p[1]);
	assert_int_equal(pipe(p), 0);
	source_init(&s, p[0], -1);
	s.deadline_ms = time_mono_ms() + 20;
	assert_int_equal(write(p[1], "{\"a\":", 5), 5);
	assert_int_equal(scan_value(&s, NULL), -1);
	assert_int_equal(s.err, ETIMEDOUT);
	source_close(&s);
	close(p[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_values_one_after_the_other),
		cmocka_unit_test(test_huge_value),
		cmocka_unit_test(test_silence_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
