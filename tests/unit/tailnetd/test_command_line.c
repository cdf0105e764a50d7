/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "command_line.h"
#include "unit.h"

/* How the parent reads a line (interface.md 3). */
static struct command_line
read_line(const char *text)
{
	static char line[512];
	struct command_line cl;

	snprintf(line, sizeof(line), "%s", text);
	assert_int_equal(command_line_read(&cl, line, strlen(line)), 0);
	return cl;
}

static void
names_and_arguments(void **state)
{
	struct command_line cl = read_line(" \tlogin  interactive\tauth-key=k ");

	(void)state;
	assert_int_equal(cl.id, COMMAND_login);
	assert_int_equal(cl.n, 2);
	assert_string_equal(cl.args[0], "interactive");
	assert_string_equal(cl.args[1], "auth-key=k");
	assert_true(command_line_fits(&cl));
	cl = read_line("login a b c d");
	assert_int_equal(cl.n, 4);
	assert_false(command_line_fits(&cl));
	cl = read_line("server-key");
	assert_int_equal(cl.id, COMMAND_server_key);
	assert_int_equal(cl.n, 0);
	cl = read_line("statu");
	assert_int_equal(cl.id, COMMAND_COUNT);
	assert_string_equal(cl.name, "statu");
	cl = read_line("");
	assert_int_equal(cl.id, COMMAND_COUNT);
}

static void
not_text(void **state)
{
	char control[] = "status\x01", utf8[] = "status \xff", nul[] = "status\0x";
	struct command_line cl;

	(void)state;
	assert_int_equal(command_line_read(&cl, control, strlen(control)), -1);
	assert_int_equal(command_line_read(&cl, utf8, strlen(utf8)), -1);
	assert_int_equal(command_line_read(&cl, nul, 8), -1);
}

static void
more_arguments_than_places(void **state)
{
	char line[4 * COMMAND_ARGS + 16] = "status";
	struct command_line cl;
	int i;

	(void)state;
	for (i = 0; i < 2 * COMMAND_ARGS; i++)
		strlcat(line, " x", sizeof(line));
	assert_int_equal(command_line_read(&cl, line, strlen(line)), 0);
	assert_int_equal(cl.n, COMMAND_ARGS);
	assert_false(command_line_fits(&cl));
}

static void
whole_tails(void **state)
{
	struct command_line cl = read_line("set  hostinfo {\"a\": \"b  c\"} ");

	(void)state;
	assert_int_equal(cl.n, 1);
	assert_string_equal(cl.args[0], "hostinfo {\"a\": \"b  c\"} ");
	cl = read_line("set ");
	assert_int_equal(cl.n, 0);
	cl = read_line("peers  limit=1 \t after=2 ");
	assert_int_equal(cl.n, 2);
	assert_string_equal(cl.args[0], "limit=1 \t after=2");
	cl = read_line("peer");
	assert_false(command_line_fits(&cl));
	cl = read_line("peer a b");
	assert_false(command_line_fits(&cl));
	cl = read_line("netmap x");
	assert_false(command_line_fits(&cl));
}

/* Only this line requests the private key. */
static void
private_key(void **state)
{
	static const char *const others[] = { "wgconf", "wgconf Private", "wgconf private private", "wgconf privat",
		"wgconf 'private'", "hosts private", "netmap private" };
	struct command_line cl = read_line("wgconf \t private ");
	size_t i;

	(void)state;
	assert_true(cl.private);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		cl = read_line(others[i]);
		assert_false(cl.private);
	}
}

/* The text that is passed to mapd unsplit cannot request anything that needs a right (decision 4 of the house). */
static void
table(void **state)
{
	unsigned i, k;

	(void)state;
	for (i = 0; i < COMMAND_COUNT; i++) {
		const struct command *c = &command_table[i];

		assert_true(c->min <= c->max && c->max < COMMAND_ARGS);
		assert_true(c->tail != COMMAND_QUERY || c->class == IPC_CLASS_R);
		assert_true(c->tail != COMMAND_WHOLE || c->max == 1);
		assert_int_equal(c->max > 0, *c->usage != '\0');
		for (k = 0; k < i; k++)
			assert_string_not_equal(c->name, command_table[k].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_arguments),
		cmocka_unit_test(not_text),
		cmocka_unit_test(more_arguments_than_places),
		cmocka_unit_test(whole_tails),
		cmocka_unit_test(private_key),
		cmocka_unit_test(table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
