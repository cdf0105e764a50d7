/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/wait.h>

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "timefmt.h"
#include "unit.h"

static int
parses(const char *s, struct wtime *t)
{
	return time_parse(s, strlen(s), t) == 0;
}

static void
same_text(const char *in, const char *out)
{
	char text[TIME_TEXT_MAX];
	struct wtime t;

	assert_true(parses(in, &t));
	assert_string_equal(time_format(t, text), out);
}

static void
test_round_trip(void **state)
{
	static const char *const same[] = { "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000001Z",
		"1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00Z", "2000-02-29T12:00:00Z",
		"2024-02-29T23:59:59.123456789Z", "2027-01-02T03:04:05Z", "2100-03-01T00:00:00Z",
		"9999-12-31T23:59:59.999999999Z" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		same_text(same[i], same[i]);
}

static void
test_values(void **state)
{
	struct wtime t;

	(void)state;
	assert_true(parses("1970-01-01T00:00:00Z", &t));
	assert_int_equal(t.sec, 0);
	assert_true(parses("2001-09-09T01:46:40.25Z", &t));
	assert_int_equal(t.sec, 1000000000);
	assert_int_equal(t.nsec, 250000000);
	assert_true(parses(GO_ZERO_TIME_TEXT, &t));
	assert_true(time_is_none(t));
	assert_int_equal(t.sec, TIME_GO_ZERO);
	assert_true(parses("0001-01-01T00:00:00.1Z", &t));
	assert_false(time_is_none(t));
	assert_true(parses("1900-03-01T00:00:00Z", &t));
	assert_int_equal(t.sec, -2203891200);
}

static void
test_every_day_agrees_with_counting(void **state)
{
	char text[TIME_TEXT_MAX], before[TIME_TEXT_MAX] = "";
	struct wtime t = TIME_NONE, back;
	int64_t day;

	(void)state;
	for (day = 0; day < 3652059; day++) { /* every day from year 1 to 9999 */
		t.sec = TIME_GO_ZERO + day * 86400;
		time_format(t, text);
		assert_true(strcmp(before, text) < 0);
		assert_true(parses(text, &back));
		assert_int_equal(back.sec, t.sec);
		memcpy(before, text, sizeof(before));
	}
	assert_string_equal(text, "9999-12-31T00:00:00Z");
}

static void
test_offsets_and_fractions(void **state)
{
	(void)state;
	same_text("2027-01-02T03:04:05+00:00", "2027-01-02T03:04:05Z");
	same_text("2027-01-01T01:30:00+02:00", "2026-12-31T23:30:00Z");
	same_text("2026-12-31T23:30:00-00:45", "2027-01-01T00:15:00Z");
	same_text("2027-01-02T03:04:05.120000000Z", "2027-01-02T03:04:05.12Z");
	same_text("2027-01-02T03:04:05.1234567899999Z", "2027-01-02T03:04:05.123456789Z");
	same_text("2027-01-02T03:04:05.000Z", "2027-01-02T03:04:05Z");
}

static void
test_refused(void **state)
{
	static const char *const bad[] = { "", "2027", "2027-01-02", "2027-01-02T03:04Z", "2027-01-02T03:04:05",
		"2027-01-02 03:04:05Z", "2027-01-02t03:04:05z", "2027-13-01T00:00:00Z", "2027-00-01T00:00:00Z",
		"2027-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2027-01-32T00:00:00Z", "2027-01-00T00:00:00Z",
		"2027-01-02T24:00:00Z", "2027-01-02T03:60:05Z", "2027-01-02T03:04:60Z", "2027-01-02T03:04:05.Z",
		"2027-01-02T03:04:05,5Z", "2027-01-02T03:04:05ZZ", "2027-01-02T03:04:05+24:00",
		"2027-01-02T03:04:05+0100", "2027-01-02T03:04:05+01:60", "0000-12-31T00:00:00Z",
		"0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "-001-01-01T00:00:00Z",
		"+2027-01-02T03:04:05Z", "2027-01-02T03:04:05Z ", "20a7-01-02T03:04:05Z" };
	struct wtime t = { 7, 7 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parses(bad[i], &t))
			fail_msg("accepted %s", bad[i]);
	assert_int_equal(t.sec, 7);
	assert_int_equal(time_parse("2027-01-02T03:04:05Z\0", 21, &t), -1);
	assert_int_equal(time_parse("2027-01-02T03:04:05Zjunk", 20, &t), 0);
}

static void
test_out_of_range_is_clamped(void **state)
{
	char text[TIME_TEXT_MAX];

	(void)state;
	assert_string_equal(time_format((struct wtime){ INT64_MAX, 0 }, text), "9999-12-31T23:59:59Z");
	assert_string_equal(time_format((struct wtime){ INT64_MIN, 0 }, text), GO_ZERO_TIME_TEXT);
}

static void
test_order_and_clocks(void **state)
{
	uint64_t ms = time_mono_ms(), us = time_mono_us();

	(void)state;
	assert_int_equal(time_cmp((struct wtime){ 1, 5 }, (struct wtime){ 1, 5 }), 0);
	assert_int_equal(time_cmp((struct wtime){ 1, 5 }, (struct wtime){ 1, 6 }), -1);
	assert_int_equal(time_cmp((struct wtime){ 2, 0 }, (struct wtime){ 1, 6 }), 1);
	assert_true(us / 1000 >= ms && us / 1000 - ms < 10000);
	assert_true(time_boot_ms() >= ms);
	assert_true(time_wall().sec > 1700000000);
}

#ifdef CLONE_NEWTIME
/* A time namespace, in which the host looks as if it had been suspended for 1000 s. */
static int
suspend_once(void)
{
	static const char offset[] = "boottime 1000 0\n";
	int fd, rv = -1;

	if (unshare(CLONE_NEWTIME) == -1 || (fd = open("/proc/self/timens_offsets", O_WRONLY)) == -1)
		return -1;
	if (write(fd, offset, sizeof(offset) - 1) == (ssize_t)sizeof(offset) - 1)
		rv = 0;
	close(fd);
	return rv;
}

/* rows: ERR-06 */
static void
test_boot_counts_suspend(void **state)
{
	uint64_t before = time_boot_ms() - time_mono_ms();
	int status;
	pid_t pid;

	(void)state;
	if (suspend_once() == -1) {
		print_message("not permitted to make a time namespace\n");
		skip();
	}
	if ((pid = fork()) == 0) /* it is for children only */
		_exit(time_boot_ms() - time_mono_ms() - before > 990000 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_every_day_agrees_with_counting),
		cmocka_unit_test(test_offsets_and_fractions),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_out_of_range_is_clamped),
		cmocka_unit_test(test_order_and_clocks),
#ifdef CLONE_NEWTIME
		cmocka_unit_test(test_boot_counts_suspend),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
