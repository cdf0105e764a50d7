/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/wait.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "exits.h"
#include "log.h"
#include "mem.h"
#include "unit.h"

/* No allocator gives as much; volatile, so that the compiler does not know. */
static volatile size_t too_much = SIZE_MAX / 4;

#ifdef SANITIZED
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}
#endif

static int lines;

/* A sink that runs out of memory itself: what sends a line over a channel does. */
static void
needs_memory(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
	free(xmalloc(too_much));
}

static int
end_of(void (*fn)(void))
{
	int status;
	pid_t pid;

	if ((pid = fork()) == 0) {
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
by_malloc(void)
{
	free(xmalloc(too_much));
}

static void
by_calloc(void)
{
	free(xcalloc(too_much, 2));
}

static void
by_realloc(void)
{
	free(xrealloc(xmalloc(8), too_much));
}

/* The product fits by being cut: 2^63 + 1 times 2. */
static void
by_overflow(void)
{
	free(xreallocarray(NULL, SIZE_MAX / 2 + 2, (too_much & 0) + 2));
}

static void
by_buf(void)
{
	struct buf b;

	mem_policy(MEM_END);
	buf_init(&b, SIZE_MAX);
	buf_reserve(&b, too_much);
}

static void
with_a_sink_that_needs_memory(void)
{
	log_to_sink(needs_memory, NULL);
	by_malloc();
}

/* Exits with 10 and the number of its lines; a sanitizer's own are not counted. */
static void
says_so_once(void)
{
	static const char says[] = "error: out of memory\n";
	char text[4096] = "", *at = text;
	size_t len = 0;
	ssize_t n;
	int fds[2];

	/* What was logged is known to the child alone, which has ended then: ask a grandchild's pipe. */
	if (pipe(fds) == -1)
		_exit(1);
	if (fork() == 0) {
		dup2(fds[1], STDERR_FILENO);
		log_init("mem", LOG_L_INFO);
		by_malloc();
	}
	close(fds[1]);
	while (len < sizeof(text) - 1 && (n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	for (; (at = strstr(at, says)) != NULL; at += sizeof(says) - 1)
		lines++;
	_exit(10 + lines);
}

static void
test_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(end_of(by_malloc), EXIT_MEMORY);
	assert_int_equal(end_of(by_calloc), EXIT_MEMORY);
	assert_int_equal(end_of(by_realloc), EXIT_MEMORY);
	assert_int_equal(end_of(by_overflow), EXIT_MEMORY);
	assert_int_equal(end_of(by_buf), EXIT_MEMORY);
	assert_int_equal(end_of(with_a_sink_that_needs_memory), EXIT_MEMORY);
	assert_int_equal(end_of(says_so_once), 11);
}

/* The parent's policy: the same failure is an error of the call, and the buffer is as before. */
static void
test_fails_the_call(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_puts(&b, "kept"), 0);
	errno = 0;
	assert_null(buf_reserve(&b, too_much));
	assert_int_equal(errno, ENOMEM);
	assert_true(b.failed);
	assert_int_equal(buf_len(&b), 4);
	buf_free(&b);
	errno = 0;
	assert_int_equal(mem_failed(), -1);
	assert_int_equal(errno, ENOMEM);
}

static void
test_gives_memory(void **state)
{
	uint8_t *p;
	char *s;

	(void)state;
	p = xcalloc(3, 100);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(p[i], 0);
	memset(p, 7, 300);
	p = xreallocarray(p, 100, 10);
	assert_int_equal(p[299], 7);
	free(p);
	free(xmalloc(0));
	free(xcalloc(0, 8));
	free(xrealloc(NULL, 0));
	s = xstrdup("text");
	assert_string_equal(s, "text");
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends_the_process),
		cmocka_unit_test(test_fails_the_call),
		cmocka_unit_test(test_gives_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
