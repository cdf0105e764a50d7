/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#include "build.h"
#include "exits.h"
#include "resolver.h"

/* Runs one look-up for a parent of that build in a process of its own; the exit code, and what it wrote. */
static int
look_up_for(const char *build, const char *arg, char out[2048], int pipe_out)
{
	char full[400];
	int p[2], status, null;
	ssize_t n, len = 0;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	fflush(NULL);
	assert_true((pid = fork()) != -1);
	if (pid == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 2);
		snprintf(full, sizeof(full), "%s:%s", build, arg != NULL ? arg : "");
		_exit(resolver_run(arg != NULL ? full : NULL, pipe_out ? p[1] : null));
	}
	close(p[1]);
	while ((n = read(p[0], out + len, 2047 - (size_t)len)) > 0)
		len += n;
	out[len] = '\0';
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int
look_up(const char *arg, char out[2048], int pipe_out)
{
	return look_up_for(build_id, arg, out, pipe_out);
}

static void
test_another_build(void **state)
{
	char other[BUILD_ID_LEN + 1], out[2048];

	(void)state;
	snprintf(other, sizeof(other), "%s", build_id);
	other[BUILD_ID_LEN - 1] ^= 1;
	assert_int_equal(look_up_for(other, "::0:127.0.0.1", out, 1), EXIT_BUILD);
	assert_string_equal(out, "error resolver and tailnetd are not of one build: install them together\n");
	other[BUILD_ID_LEN - 1] = '\0';
	assert_int_equal(look_up_for(other, "::0:127.0.0.1", out, 1), EXIT_BYHAND);
}

static void
test_by_hand(void **state)
{
	static const char *const args[] = { NULL, "", "localhost", "::", "::0", "::0:", "::2:localhost", ":::localhost",
		"1::0:localhost", "x:y:0:localhost", "-1:-1:0:localhost", "::0:a b", "::0:a/b", "::0:\x01",
		"4294967295:1:0:localhost" };
	char out[2048], *longname;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		assert_int_equal(look_up(args[i], out, 1), EXIT_BYHAND);
		assert_string_equal(out, "");
	}
	assert_int_equal(look_up("::0:127.0.0.1", out, 0), EXIT_BYHAND); /* no pipe */
	longname = calloc(1, 300);
	memset(longname, 'a', 299);
	memcpy(longname, "::0:", 4);
	assert_int_equal(look_up(longname, out, 1), EXIT_BYHAND);
	free(longname);
}

static void
test_addresses(void **state)
{
	char out[2048];

	(void)state;
	assert_int_equal(look_up("::0:127.0.0.1", out, 1), EXIT_OK);
	assert_string_equal(out, "4 127.0.0.1\n");
	assert_int_equal(look_up("::0:2001:db8::7", out, 1), EXIT_OK);
	assert_string_equal(out, "6 2001:db8::7\n");
	assert_int_equal(look_up("::0:localhost", out, 1), EXIT_OK);
	assert_true(strstr(out, "4 127.0.0.1\n") != NULL || strstr(out, "6 ::1\n") != NULL);
}

static void
test_not_found(void **state)
{
	char out[2048];

	(void)state;
	assert_int_equal(look_up("::0:no..such..name", out, 1), EXIT_STARTUP);
	assert_memory_equal(out, "error ", 6);
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_build),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
