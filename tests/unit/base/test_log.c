/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "unit.h"

struct seen {
	int lines;
	enum log_level level;
	char text[LOG_LINE_MAX + 1];
};

static void
keep(void *arg, enum log_level level, const char *text)
{
	struct seen *s = arg;

	s->lines++;
	s->level = level;
	assert_true(strlen(text) <= LOG_LINE_MAX);
	strlcpy(s->text, text, sizeof(s->text));
	errno = EDOM;
}

static void
test_levels_and_errno(void **state)
{
	struct seen s = { 0 };

	(void)state;
	log_init("unit", LOG_L_WARN);
	log_to_sink(keep, &s);
	errno = ENOENT;
	log_info("not logged");
	assert_int_equal(s.lines, 0);
	log_warn("open %s", "x");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(s.text, "open x: No such file or directory");
	assert_int_equal(s.level, LOG_L_WARN);
	log_errorx("plain");
	assert_string_equal(s.text, "plain");
	log_set_level(LOG_L_DEBUG);
	log_debug("d%d", 1);
	assert_int_equal(s.lines, 3);
	assert_int_equal(log_get_level(), LOG_L_DEBUG);
	errno = ENOENT;
	log_write_as("child", 7, LOG_L_WARN, "logged");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(s.text, "child[7]: logged");
}

static void
test_lines_are_safe_and_bounded(void **state)
{
	struct seen s = { 0 };
	char big[4000];

	(void)state;
	log_init("unit", LOG_L_INFO);
	log_to_sink(keep, &s);
	log_info("a\n\x1b[31m%s", "\xff");
	assert_string_equal(s.text, "a\\x0a\\x1b[31m\\xff");
	memset(big, '\x1b', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_write(LOG_L_INFO, big);
	assert_int_equal(strlen(s.text), LOG_LINE_MAX);
	log_info("%s", big);
	assert_int_equal(strlen(s.text), LOG_LINE_MAX);
}

static void
test_level_names(void **state)
{
	enum log_level l;

	(void)state;
	assert_int_equal(log_level_parse("debug", &l), 0);
	assert_int_equal(l, LOG_L_DEBUG);
	assert_string_equal(log_level_name(LOG_L_ERROR), "error");
	assert_int_equal(log_level_parse("Debug", &l), -1);
	assert_int_equal(log_level_parse("", &l), -1);
}

static void
test_fatal_goes_to_stderr_and_exits(void **state)
{
	char out[200] = "", want[100];
	int p[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	if ((pid = fork()) == 0) {
		dup2(p[1], STDERR_FILENO);
		log_init("kid", LOG_L_ERROR);
		errno = EACCES;
		fatal(71, "sandbox %d", 7);
	}
	close(p[1]);
	assert_true(read(p[0], out, sizeof(out) - 1) > 0);
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 71);
	snprintf(want, sizeof(want), "kid[%ld]: error: sandbox 7: Permission denied\n", (long)pid);
	assert_string_equal(out, want);
}

/* A pipe that is not read: the writer continues, and later says how much was lost. */
static void
test_nobody_reads(void **state)
{
	char page[4096], out[8192];
	int p[2], status, i;
	ssize_t n;
	pid_t pid;

	(void)state;
	memset(page, 'x', sizeof(page));
	assert_int_equal(pipe(p), 0);
	assert_int_equal(fcntl(p[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(p[1], F_SETFL, O_NONBLOCK), 0);
	while (write(p[1], page, sizeof(page)) > 0)
		continue;
	assert_int_equal(fcntl(p[1], F_SETFL, 0), 0);
	if ((pid = fork()) == 0) {
		alarm(5);
		dup2(p[1], STDERR_FILENO);
		log_init("kid", LOG_L_INFO);
		for (i = 0; i < 1000; i++)
			log_info("line %d", i);
		while (read(p[0], out, sizeof(out)) == (ssize_t)sizeof(out))
			continue;
		log_info("the last");
		log_info("and one more");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	n = read(p[0], out, sizeof(out) - 1);
	assert_true(n > 0);
	out[n] = '\0';
	assert_non_null(strstr(out, "warn: 1000 log lines left out: the log was not read\nkid["));
	assert_non_null(strstr(out, "info: the last\nkid["));
	close(p[0]);
	close(p[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels_and_errno),
		cmocka_unit_test(test_lines_are_safe_and_bounded),
		cmocka_unit_test(test_level_names),
		cmocka_unit_test(test_fatal_goes_to_stderr_and_exits),
		cmocka_unit_test(test_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
