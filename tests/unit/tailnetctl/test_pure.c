/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "authkey.h"
#include "cmd_login.h"
#include "cmd_peers.h"
#include "cmd_status.h"
#include "ctl.h"
#include "jsonparse.h"
#include "out.h"
#include "scan.h"
#include "sock.h"
#include "table.h"
#include "when.h"
#include "width.h"
#include "words.h"
#include "timefmt.h"
#include "unit.h"

static void
test_prefixes(void **state)
{
	static const char *const words[] = { "peer", "peers", "pause", "processes", "status" };
	char err[200];

	(void)state;
#define MATCH(s) word_match(s, words, 5, sizeof(words[0]), "command", err, sizeof(err))
	assert_int_equal(MATCH("status"), 4);
	assert_int_equal(MATCH("s"), 4);
	assert_int_equal(MATCH("peer"), 0);
	assert_int_equal(MATCH("peers"), 1);
	assert_int_equal(MATCH("pa"), 2);
	assert_int_equal(MATCH("pee"), -2);
	assert_string_equal(err, "command 'pee' may be: peer peers");
	assert_int_equal(MATCH("statusx"), -1);
	assert_string_equal(err, "unknown command 'statusx'; there are: peer peers pause processes status");
	assert_int_equal(MATCH(""), -1);
#undef MATCH
}

/* Every command can be had by its name, and the table is a table of structs. */
static void
test_command_table(void **state)
{
	char err[600];
	size_t i;

	(void)state;
	for (i = 0; i < ctl_ncommands; i++)
		assert_int_equal(word_match(ctl_commands[i].name, ctl_commands, ctl_ncommands, sizeof(ctl_commands[0]),
				     "command", err, sizeof(err)),
		    i);
	assert_int_equal(word_match("rec", ctl_commands, ctl_ncommands, sizeof(ctl_commands[0]), "command", err,
			     sizeof(err)) >= 0,
	    1);
}

static int
line_of(const char *verb, int argc, const char *const *args, char *out, size_t outsize)
{
	char *argv[4];
	const char *why;
	struct buf b;
	int i, r;

	for (i = 0; i < argc; i++)
		argv[i] = strdup(args[i]);
	buf_init(&b, 1000);
	if ((r = words_line(&b, verb, argc, argv, 40, &why)) == 0)
		snprintf(out, outsize, "%.*s", (int)buf_len(&b), (char *)buf_ptr(&b));
	else
		strlcpy(out, why, outsize);
	buf_free(&b);
	for (i = 0; i < argc; i++)
		free(argv[i]);
	return r;
}

static void
test_request_line(void **state)
{
	char out[100];

	(void)state;
	assert_int_equal(line_of("peers", 2, (const char *[]){ "limit=3", "after=7" }, out, sizeof(out)), 0);
	assert_string_equal(out, "peers limit=3 after=7\n");
	assert_int_equal(line_of("peer", 1, (const char *[]){ "a\nshutdown" }, out, sizeof(out)), -1);
	assert_int_equal(line_of("peer", 1, (const char *[]){ "" }, out, sizeof(out)), -1);
	assert_int_equal(line_of("peer", 1, (const char *[]){ "1234567890123456789012345678901234" }, out, sizeof(out)),
	    0);
	assert_int_equal(line_of("peer", 1, (const char *[]){ "12345678901234567890123456789012345" }, out,
			     sizeof(out)),
	    -1);
}

static void
test_spans(void **state)
{
	static const struct {
		double s;
		const char *text;
	} rows[] = { { -5, "0 s" }, { 0, "0 s" }, { 0.9, "0 s" }, { 119.9, "119 s" }, { 120, "2 min" },
		{ 7199, "119 min" }, { 7200, "2 h" }, { 172799, "47 h" }, { 172800, "2 d" }, { 63115199, "730 d" },
		{ 63115200, "2 y" }, { 1e300, "31688 y" } };
	char out[WHEN_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(span_text(rows[i].s, out), rows[i].text);
	assert_string_equal(when_text(1000, 1000, out), "now");
	assert_string_equal(when_text(1000, 1300, out), "5 min ago");
	assert_string_equal(when_text(1000 + 7 * 86400, 1000, out), "in 7 d");
	assert_string_equal(when_text(INT64_MIN, INT64_MAX, out), "31688 y ago");
	setenv("TZ", "UTC", 1);
	tzset();
	assert_string_equal(date_text(1798859045, out), "2027-01-02 03:04");
	assert_string_equal(date_text(INT64_MAX, out), "?");
}

/*
 * JSON in two pieces cut anywhere: what a terminal obeys or shows in another order is escaped, and so is what is no
 * UTF-8, as from a compromised mapd (A8 of the faults).  The rest is unchanged.
 */
static void
test_json_is_made_safe(void **state)
{
	static const char in[] =
	    "{\"a\":\"x\x7f\xc2\x9by\xc2\x80\xc2\xa0\xc2\xbf\xc3\x9b\xe2\x82\x9b\xc2\x9f\x7f\xc2\xa9\"}\n"
	    "\x1b[2J\x07\t\r\x9b\xc2z\xe2\x82z\xf0\x9f\x98\x80\xf0\x9f\x98z\xff\xc0\x80\xed\xa0\x80\xe2\x80\xae"
	    "\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c\xe2\x80\xa8\n\xe2\x80";
	static const char want[] =
	    "{\"a\":\"x\\u007f\\u009by\\u0080\xc2\xa0\xc2\xbf\xc3\x9b\xe2\x82\x9b\\u009f\\u007f\xc2\xa9\"}\n"
	    "\\u001b[2J\\u0007\t\\u000d\\ufffd\\ufffdz\\ufffd\\ufffdz\xf0\x9f\x98\x80\\ufffd\\ufffd\\ufffdz\\ufffd"
	    "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\u202e\\u2066\\u200f\\u061c\\u2028\n\\ufffd\\ufffd";
	size_t cut, more, size, n = sizeof(in) - 1;

	(void)state;
	for (cut = 0; cut <= n; cut++) {
		for (more = 0; more < 4 && cut + more <= n; more++) {
			char *text = NULL;
			FILE *f = open_memstream(&text, &size);
			struct json_out j = { 0 };

			out_json(f, &j, in, cut);
			out_json(f, &j, in + cut, more);
			out_json(f, &j, in + cut + more, n - cut - more);
			out_json_end(f, &j);
			fclose(f);
			assert_string_equal(text, want);
			free(text);
		}
	}
}

static void
test_table(void **state)
{
	static const char *const heads[] = { "NAME", "N", "REST" };
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct table t;

	(void)state;
	table_init(&t, f, heads, 3, 1 << 1);
	table_str(&t, "\xc3\xa9\xe2\x82\xac");
	table_str(&t, "1");
	table_str(&t, "x");
	table_str(&t, "longer\x1b");
	table_str(&t, "12345");
	table_str(&t, "");
	assert_int_equal(table_end(&t), 0);
	fclose(f);
	assert_string_equal(text,
	    "NAME            N  REST\n"
	    "\xc3\xa9\xe2\x82\xac              1  x\n"
	    "longer\\x1b  12345\n");
	free(text);
}

/* What a table of one or two columns looks like on a terminal of max columns (0: in a pipe). */
static char *
table_of(const char *const *cells, size_t ncols, size_t n, size_t max)
{
	char *text = NULL;
	size_t size, i;
	FILE *f = open_memstream(&text, &size);
	struct table t;

	table_init(&t, f, cells, ncols, 0);
	t.max = max;
	for (i = ncols; i < n; i++)
		table_str(&t, cells[i]);
	assert_int_equal(table_end(&t), 0);
	fclose(f);
	return text;
}

/* H4 of the faults: characters of two columns and of none, and nothing is cut in a pipe. */
static void
test_table_widths(void **state)
{
	static const char *const cells[] = { "NAME", "OS", "\xe4\xb8\xad\xe6\x96\x87", "a", "\xf0\x9f\x98\x80x", "b",
		"e\xcc\x81t\xc3\xa9", "c" };
	static const char *const names[] = { "NAME", "ROUTES",
		"a-name-of-more-than-sixty-four-characters-as-a-server-may-give-one.tail12345.ts.net",
		"10.0.0.0/8 10.1.0.0/16 10.2.0.0/16", "b", "" };
	char *text;

	(void)state;
	text = table_of(cells, 2, 8, 0);
	assert_string_equal(text,
	    "NAME  OS\n"
	    "\xe4\xb8\xad\xe6\x96\x87  a\n"
	    "\xf0\x9f\x98\x80x   b\n"
	    "e\xcc\x81t\xc3\xa9   c\n");
	free(text);
	text = table_of(names, 2, 6, 0);
	assert_non_null(strstr(text,
	    "\na-name-of-more-than-sixty-four-characters-as-a-server-may-give-one.tail12345.ts.net  "
	    "10.0.0.0/8 10.1.0.0/16 10.2.0.0/16\n"));
	free(text);
	text = table_of(names, 2, 6, 60);
	assert_string_equal(text,
	    "NAME                                    ROUTES\n"
	    "a-name-of-more-than-sixty-four-char...  10.0.0.0/8\n"
	    "                                        10.1.0.0/16\n"
	    "                                        10.2.0.0/16\n"
	    "b\n");
	free(text);
	text = table_of(cells, 2, 8, 5); /* narrower than anything that can be done about it */
	assert_non_null(strstr(text, "\xe4\xb8\xad\xe6\x96\x87  a\n"));
	free(text);
}

static void
test_width(void **state)
{
	static const struct {
		const char *s;
		size_t width, max, fits;
	} v[] = { { "", 0, 0, 0 }, { "abc", 3, 2, 2 }, { "\xe4\xb8\xad\xe6\x96\x87", 4, 3, 3 },
		{ "\xe4\xb8\xad\xe6\x96\x87", 4, 4, 6 }, { "e\xcc\x81x", 2, 1, 3 }, { "\xf0\x9f\x98\x80", 2, 1, 0 },
		{ "\xc2\xa0", 1, 1, 2 } };
	char *text = NULL;
	size_t i, size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		assert_int_equal(width_of(v[i].s, strlen(v[i].s)), v[i].width);
		assert_int_equal(width_fit(v[i].s, strlen(v[i].s), v[i].max), v[i].fits);
	}
	width_wrap(f, "one two  three averylongword x", 4, 2, 12);
	fputc('|', f);
	width_wrap(f, "one two  three", 4, 2, 0);
	fclose(f);
	assert_string_equal(text, "one two\n  three\n  averylongword\n  x|one two  three");
	free(text);
}

static void
test_table_prints_in_blocks(void **state)
{
	static const char *const heads[] = { "A", "B" };
	char *text = NULL, wide[2000], *line;
	size_t size, i, lines = 0;
	FILE *f = open_memstream(&text, &size);
	struct table t;

	(void)state;
	memset(wide, 'w', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	table_init(&t, f, heads, 2, 0);
	for (i = 0; i < 20000; i++) {
		table_str(&t, wide);
		table_str(&t, "b");
		assert_true(buf_len(&t.text) <= TABLE_BYTES);
	}
	assert_int_equal(table_end(&t), 0);
	fclose(f);
	for (line = text; *line != '\0'; line = strchr(line, '\n') + 1)
		lines++;
	assert_int_equal(lines, 20001);
	line = strchr(text, '\n') + 1;
	assert_memory_equal(line, wide, sizeof(wide) - 1);
	assert_memory_equal(line + sizeof(wide) - 1, "  b\n", 4);
	free(text);
}

static struct json_object *
parse(const char *s)
{
	char err[200];
	struct json_object *o = json_parse(s, strlen(s), NULL, err, sizeof(err));

	if (o == NULL)
		fail_msg("%s", err);
	return o;
}

/* As interface.md 8 says: the first that holds of 7, 5, 6; missing or odd members count as the bad case. */
#define SYNCED(more) "{\"loggedIn\":true,\"synced\":true,\"netmapSource\":\"live\",\"url\":\"\"" more "}"

static void
test_status_exit(void **state)
{
	static const struct {
		const char *st;
		int exit;
	} rows[] = {
		{ "{\"loggedIn\":true,\"synced\":true,\"netmapSource\":\"live\",\"url\":\"\",\"expiry\":\"\"}",
		    CTL_OK },
		{ "{\"loggedIn\":true,\"synced\":true,\"netmapSource\":\"live\",\"expiry\":\"2026-01-08T00:00:01Z\"}",
		    CTL_OK },
		{ "{\"loggedIn\":true,\"synced\":true,\"netmapSource\":\"live\",\"expiry\":\"2026-01-08T00:00:00Z\"}",
		    CTL_EXPIRY },
		{ "{\"loggedIn\":true,\"synced\":true,\"netmapSource\":\"live\",\"expiry\":\"2025-01-01T00:00:00Z\"}",
		    CTL_EXPIRY },
		{ "{\"loggedIn\":false,\"keyExpired\":true,\"url\":\"https://x\"}", CTL_EXPIRY },
		{ "{\"loggedIn\":false,\"synced\":false,\"netmapSource\":\"none\"}", CTL_LOGIN },
		{ "{\"loggedIn\":true,\"synced\":true,\"netmapSource\":\"live\",\"url\":\"https://x\"}", CTL_LOGIN },
		{ "{\"loggedIn\":false,\"nodeKey\":\"nodekey:1\",\"goal\":{\"wantLoggedIn\":true}}", CTL_SYNC },
		{ "{\"loggedIn\":false,\"nodeKey\":\"nodekey:1\",\"goal\":{\"wantLoggedIn\":true},\"url\":\"https://"
		  "x\"}",
		    CTL_LOGIN },
		{ "{\"loggedIn\":false,\"nodeKey\":\"nodekey:1\",\"goal\":null}", CTL_LOGIN },
		{ "{\"loggedIn\":false,\"nodeKey\":\"\",\"goal\":{\"wantLoggedIn\":true}}", CTL_LOGIN },
		{ "{\"loggedIn\":true,\"synced\":false,\"netmapSource\":\"stale\"}", CTL_SYNC },
		{ "{\"loggedIn\":true,\"synced\":true,\"netmapSource\":\"cached\"}", CTL_SYNC },
		{ "{\"loggedIn\":\"true\"}", CTL_LOGIN },
		{ "[]", CTL_LOGIN },
		{ SYNCED(",\"health\":[{\"severity\":\"medium\"},{\"severity\":\"low\"}]"), CTL_OK },
		{ SYNCED(",\"health\":[{\"severity\":\"medium\"},{\"severity\":\"high\"}]"), CTL_ERROR },
		{ SYNCED(",\"keyExpired\":true,\"health\":[{\"severity\":\"high\"}]"), CTL_EXPIRY },
		{ "{\"loggedIn\":true,\"synced\":false,\"health\":[{\"severity\":\"high\"}]}", CTL_SYNC },
		{ SYNCED(",\"health\":[null,{},3]"), CTL_OK },
	};
	struct json_object *st;
	struct wtime now;
	size_t i;

	(void)state;
	assert_int_equal(time_parse("2026-01-01T00:00:00Z", 20, &now), 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		st = parse(rows[i].st);
		if (status_exit(st, now.sec) != rows[i].exit)
			fail_msg("row %zu: %d", i, status_exit(st, now.sec));
		json_object_put(st);
	}
}

static void
test_error_codes(void **state)
{
	(void)state;
	assert_int_equal(ctl_error_code("denied"), CTL_DENIED);
	assert_int_equal(ctl_error_code("usage"), CTL_USAGE);
	assert_int_equal(ctl_error_code("unknown-command"), CTL_USAGE);
	assert_int_equal(ctl_error_code("not-logged-in"), CTL_LOGIN);
	assert_int_equal(ctl_error_code("no-netmap"), CTL_SYNC);
	assert_int_equal(ctl_error_code("timeout"), CTL_TIMEOUT);
	assert_int_equal(ctl_error_code("busy"), CTL_ERROR);
	assert_int_equal(ctl_error_code("whatever"), CTL_ERROR);
}

static void
test_state_text(void **state)
{
	struct json_object *st = parse("{\"state\":\"state:authenticated\",\"loggedIn\":true,\"paused\":true,\"peers\":"
				       "3,\"netmapSource\":\"stale\"}");
	char text[100];

	(void)state;
	status_state(st, text, sizeof(text));
	assert_string_equal(text, "authenticated, paused, 3 peers stale");
	status_state(st, text, 20);
	assert_string_equal(text, "authenticated, paus");
	json_object_object_add(st, "peers", json_object_new_int(1));
	status_state(st, text, sizeof(text));
	assert_string_equal(text, "authenticated, paused, 1 peer stale");
	json_object_put(st);
}

static int
args_of(const char *line, struct login_args *a)
{
	static char copy[400];
	char *argv[10], *p = copy, *w, err[400];
	int argc = 0;

	strlcpy(copy, line, sizeof(copy));
	while ((w = strsep(&p, " ")) != NULL && *w != '\0')
		argv[argc++] = w;
	return login_args_parse(argc, argv, a, err, sizeof(err));
}

/* An auth key is never read from argv. */
static void
test_login_arguments(void **state)
{
	static const char *const refused[] = { "auth-key=x", "AUTH-KEY=x", "--auth-key=x", "--auth-key x",
		"tskey-auth-abc", "interactive auth-key=", "--auth-key-file", "--timeout 0", "--timeout x", "--timeout",
		"--bogus", "e i x" };
	struct login_args a;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (args_of(refused[i], &a) != -1)
			fail_msg("accepted %s", refused[i]);
	assert_int_equal(args_of("int eph --no-wait --qr --timeout 30 --auth-key-file /x/y", &a), 0);
	assert_true(a.interactive && a.ephemeral && a.no_wait && a.qr && a.timeout_s == 30);
	assert_string_equal(a.key_file, "/x/y");
	assert_int_equal(args_of("--auth-key-file -", &a), 0);
	assert_string_equal(a.key_file, "-");
	assert_false(a.interactive);
}

static enum login_step
step(struct login_progress *p, const char *st, int finished)
{
	struct json_object *o = parse(st);
	enum login_step s = login_step(p, o, finished);

	json_object_put(o);
	return s;
}

static void
test_login_progress(void **state)
{
	struct login_progress p = { 0 };

	(void)state;
	/* Logged in already, by the old key: nothing is done yet. */
	assert_int_equal(step(&p, "{\"loggedIn\":true,\"goal\":null}", 0), LOGIN_GOES_ON);
	assert_int_equal(step(&p, "{\"loggedIn\":true,\"goal\":{}}", 0), LOGIN_GOES_ON);
	assert_int_equal(step(&p, "{\"loggedIn\":true,\"goal\":{},\"url\":\"https://a\"}", 0), LOGIN_GOES_ON);
	assert_int_equal(p.new_url, 1);
	assert_int_equal(
	    step(&p, "{\"loggedIn\":true,\"goal\":{},\"url\":\"https://a\",\"err\":\"e\",\"errSource\":\"map\"}", 0),
	    LOGIN_GOES_ON);
	assert_int_equal(p.new_url, 0);
	assert_int_equal(p.new_err, 0);
	assert_int_equal(
	    step(&p, "{\"loggedIn\":true,\"goal\":{},\"url\":\"https://b\",\"err\":\"e\",\"errSource\":\"auth\"}", 0),
	    LOGIN_GOES_ON);
	assert_int_equal(p.new_url, 1);
	assert_int_equal(p.new_err, 1);
	assert_int_equal(step(&p, "{\"loggedIn\":true,\"goal\":null,\"url\":\"\"}", 0), LOGIN_DONE);

	memset(&p, 0, sizeof(p));
	assert_int_equal(step(&p, "{\"loggedIn\":true,\"goal\":null}", 1), LOGIN_DONE);

	memset(&p, 0, sizeof(p));
	assert_int_equal(step(&p, "{\"loggedIn\":false,\"goal\":null,\"authCantContinue\":true}", 0), LOGIN_GOES_ON);
	assert_int_equal(step(&p, "{\"loggedIn\":false,\"goal\":{},\"url\":\"https://a\",\"authCantContinue\":true}",
			     0),
	    LOGIN_GOES_ON);
	assert_int_equal(step(&p, "{\"loggedIn\":false,\"goal\":null,\"authCantContinue\":true}", 0), LOGIN_GIVEN_UP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_command_table),
		cmocka_unit_test(test_request_line),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_json_is_made_safe),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_table_widths),
		cmocka_unit_test(test_table_prints_in_blocks),
		cmocka_unit_test(test_status_exit),
		cmocka_unit_test(test_error_codes),
		cmocka_unit_test(test_state_text),
		cmocka_unit_test(test_login_arguments),
		cmocka_unit_test(test_login_progress),
	};

	width_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
