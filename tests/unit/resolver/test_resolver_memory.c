/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "exits.h"
#include "memfail.h"
#include "resolver.h"
#include "unit.h"

/*
 * The n-th allocation of a look-up fails: the process ends with EXIT_MEMORY and no answer (security.md
 * D8), unless libc can do without it.
 */

static int
look_up(const char *name, unsigned long n, char out[2048])
{
	char full[400];
	int p[2], status, null;
	ssize_t got, len = 0;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	fflush(NULL);
	memfail_at(n);
	assert_true((pid = fork()) != -1);
	if (pid == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 2);
		snprintf(full, sizeof(full), "%s:::0:%s", build_id, name);
		_exit(resolver_run(full, p[1]));
	}
	close(p[1]);
	while ((got = read(p[0], out + len, 2047 - (size_t)len)) > 0)
		len += got;
	out[len] = '\0';
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
every_allocation_of(const char *name, unsigned long least)
{
	char whole[2048], out[2048];
	unsigned long n, ended = 0;
	int code;

	assert_int_equal(look_up(name, 0, whole), EXIT_OK);
	for (n = 1; code = look_up(name, n, out), memfail_count() >= n; n++) {
		if (code == EXIT_OK && strcmp(out, whole) == 0)
			continue; /* libc can do without that one */
		if (code != EXIT_MEMORY || out[0] != '\0')
			fail_msg("%s, allocation %lu: exit %d, %s", name, n, code, out);
		ended++;
	}
	print_message("%s: %lu allocations, %lu ended it\n", name, n - 1, ended);
	assert_true(ended > least);
}

static void
test_every_allocation(void **state)
{
	(void)state;
	memfail_init();
	/*
	 * An address: no file, no name server.  For a name glibc 2.36 itself crashes in its name service where some
	 * allocations fail (docs/sandbox.md); the parent reports that as the end of the resolver that it is.
	 */
	every_allocation_of("192.0.2.1", 5);
	every_allocation_of("2001:db8::7", 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_allocation) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
