/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "statemount.h"
#include "unit.h"
#include "util_dir.h"

/* G1 of the faults: fstab(5) promises a file system for the state which is not mounted. */
static struct dir d;
static char err[1200];

/* One line of fstab; @ is the directory of the test. */
static int
missing(const char *line, const char *dir)
{
	char text[1024], path[512];
	int n = snprintf(text, sizeof(text), "# a comment\n\nLABEL=root / ext4 rw 0 1\n");

	assert_true(n > 0);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "%.*s%s%s", (int)strcspn(line, "@"), line,
	    strchr(line, '@') != NULL ? d.path : "", line + strcspn(line, "@") + (strchr(line, '@') != NULL));
	dir_write(&d, "fstab", text, (size_t)n, 0644);
	err[0] = '\0';
	return statemount_missing(dir_path(&d, "fstab", path), dir, err, sizeof(err));
}

static int
begin(void **unused)
{
	(void)unused;
	dir_make(&d);
	return 0;
}

static int
end(void **unused)
{
	(void)unused;
	dir_remove(&d);
	return 0;
}

/* rows: PERS-04 */
static void
test_not_mounted(void **unused)
{
	char at[512];

	(void)unused;
	dir_path(&d, "tailnetd", at);
	assert_int_equal(mkdir(at, 0700), 0);
	assert_int_equal(missing("LABEL=state @/tailnetd ext4 rw,noatime 0 2\n", at), 1);
	assert_non_null(strstr(err, at));
	assert_non_null(strstr(err, "is not mounted"));
	assert_int_equal(missing("LABEL=state @/tailnetd/ ext4 noauto 0 2\n", at), 1);
	assert_int_equal(missing("LABEL=state @ ffs rw,nodev 1 2\n", at), 1); /* above it */
	assert_int_equal(missing("LABEL=state @/\\164ailnetd ext4 rw 0 2\n", at), 1);
	assert_int_equal(missing("LABEL=state @/tailnetd ext4 rw", at), 1); /* no newline at the end */
	assert_int_equal(rmdir(at), 0);
}

/* rows: PERS-01 */
static void
test_nothing_is_missing(void **unused)
{
	static const char *const lines[] = { "LABEL=state @/tailnetd2 ext4 rw 0 2\n",
		"LABEL=state @/tail ext4 rw 0 2\n", "/srv/state @/tailnetd none bind 0 0\n",
		"/srv/state @/tailnetd auto rw,rbind,x 0 0\n", "/swap @/tailnetd swap sw 0 0\n",
		"#LABEL=state @/tailnetd ext4 rw 0 2\n", "LABEL=state @/tailnetd ext4\n",
		"LABEL=state @/tailnetd/netmap ext4 rw 0 2\n", "@\n" };
	char at[512];
	size_t i;

	(void)unused;
	dir_path(&d, "tailnetd", at);
	assert_int_equal(mkdir(at, 0700), 0);
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (missing(lines[i], at))
			fail_msg("%s: %s", lines[i], err);
	assert_int_equal(statemount_missing("/nonexistent/fstab", at, err, sizeof(err)), 0);
	/* A mount point that is one: /proc is a device of its own. */
	assert_int_equal(missing("proc /proc proc rw 0 0\n", "/proc/self"), 0);
	assert_int_equal(rmdir(at), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_not_mounted, begin, end),
		cmocka_unit_test_setup_teardown(test_nothing_is_missing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
