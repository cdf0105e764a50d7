/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cachefile.h"
#include "cacheplan.h"
#include "log.h"
#include "msgs.h"
#include "unit.h"
#include "util_dir.h"
#include "util_quiet.h"

/* --- when --- */

#define MINUTE 60000

static void
first_at_once_then_every_minute(void **state)
{
	struct cacheplan pl;

	(void)state;
	cacheplan_init(&pl, MINUTE);
	assert_int_equal(cacheplan_wait(&pl, 1000), -1);
	cacheplan_changed(&pl, 1);
	assert_int_equal(cacheplan_wait(&pl, 1000), 0);
	cacheplan_begun(&pl);
	cacheplan_changed(&pl, 2);
	assert_int_equal(cacheplan_wait(&pl, 1000), -1); /* one at a time */
	cacheplan_done(&pl, 3000, 1, 500);
	assert_true(cacheplan_unsaved(&pl));
	assert_int_equal(cacheplan_wait(&pl, 3000), MINUTE);
	assert_int_equal(cacheplan_wait(&pl, 3000 + MINUTE - 1), 1);
	assert_int_equal(cacheplan_wait(&pl, 3000 + MINUTE), 0);
	cacheplan_begun(&pl);
	cacheplan_done(&pl, 70000, 2, 500);
	assert_int_equal(cacheplan_wait(&pl, 1000000), -1); /* all is saved, however long ago */
	cacheplan_changed(&pl, 2);
	assert_int_equal(cacheplan_wait(&pl, 1000000), -1);
	cacheplan_changed(&pl, 3);
	assert_int_equal(cacheplan_wait(&pl, 1000000), 0);
}

static void
large_files_less_often(void **state)
{
	struct cacheplan pl;

	(void)state;
	cacheplan_init(&pl, MINUTE);
	cacheplan_changed(&pl, 1);
	cacheplan_begun(&pl);
	cacheplan_done(&pl, 0, 1, 18u << 20);
	cacheplan_changed(&pl, 2);
	assert_int_equal(cacheplan_wait(&pl, 0), 18 * MINUTE);
	cacheplan_flush(&pl);
	assert_int_equal(cacheplan_wait(&pl, 0), 0);
}

static void
on_demand(void **state)
{
	struct cacheplan pl;

	(void)state;
	cacheplan_init(&pl, MINUTE);
	cacheplan_flush(&pl);
	assert_int_equal(cacheplan_wait(&pl, 0), -1);
	cacheplan_changed(&pl, 1);
	cacheplan_begun(&pl);
	cacheplan_done(&pl, 0, 1, 1);
	cacheplan_flush(&pl); /* all is saved: the next change waits as ever */
	cacheplan_changed(&pl, 2);
	assert_int_equal(cacheplan_wait(&pl, 0), MINUTE);
	cacheplan_flush(&pl);
	assert_int_equal(cacheplan_wait(&pl, 0), 0);
	cacheplan_begun(&pl);
	cacheplan_changed(&pl, 3);
	cacheplan_flush(&pl); /* while one is written: another follows */
	cacheplan_done(&pl, 10, 2, 1);
	assert_int_equal(cacheplan_wait(&pl, 10), 0);
	cacheplan_begun(&pl);
	cacheplan_failed(&pl, 20, 0); /* but a failure is not repeated at once */
	assert_int_equal(cacheplan_wait(&pl, 20), MINUTE);
}

static void
failures_and_lies(void **state)
{
	struct cacheplan pl;

	(void)state;
	cacheplan_init(&pl, MINUTE);
	cacheplan_changed(&pl, 5);
	cacheplan_begun(&pl);
	cacheplan_failed(&pl, 0, 0);
	assert_int_equal(cacheplan_wait(&pl, 0), MINUTE);
	assert_true(cacheplan_unsaved(&pl));
	cacheplan_begun(&pl);
	cacheplan_nothing(&pl, 0, 0);
	assert_int_equal(cacheplan_wait(&pl, 0), -1);
	cacheplan_changed(&pl, 6);
	assert_int_equal(cacheplan_wait(&pl, 0), CACHEPLAN_NOTHING_MS);
	cacheplan_begun(&pl);
	cacheplan_nothing(&pl, 0, 64u << 20); /* nothing, but the disk is full of it */
	cacheplan_changed(&pl, 7);
	assert_int_equal(cacheplan_wait(&pl, 0), CACHEPLAN_NOTHING_MS + 64 * MINUTE);
	cacheplan_begun(&pl);
	cacheplan_done(&pl, 0, UINT64_MAX, 1); /* a Seq from the future */
	cacheplan_changed(&pl, 8);
	assert_true(cacheplan_unsaved(&pl));
	cacheplan_lost(&pl);
	assert_int_equal(cacheplan_wait(&pl, 1000000), -1);
	cacheplan_changed(&pl, 9);
	assert_int_equal(cacheplan_wait(&pl, 1000000), 0);
}

/* --- the file --- */

struct rig {
	struct dir d;
	struct state_store *ss;
	struct cachefile cf;
};

static void
rig_open(struct rig *r)
{
	char err[300];

	dir_make(&r->d);
	r->ss = state_open(r->d.path, 0, err, sizeof(err));
	assert_non_null(r->ss);
	cachefile_init(&r->cf, r->ss);
}

static void
rig_close(struct rig *r)
{
	cachefile_abort(&r->cf);
	state_close(r->ss);
	dir_remove(&r->d);
}

static void
write_new(struct rig *r, const char *text)
{
	char err[300];
	int fd = cachefile_create(&r->cf, err, sizeof(err));

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* What the cache file holds, or NULL. */
static const char *
contents(struct rig *r)
{
	static char text[100];

	if (!dir_has(&r->d, CACHEFILE_NAME))
		return NULL;
	(void)dir_read(&r->d, CACHEFILE_NAME, text, sizeof(text));
	return text;
}

static void
file_old_or_new(void **state)
{
	struct rig r;
	char err[300], path[512];
	struct stat st;
	uint64_t size;
	int fd;

	(void)state;
	rig_open(&r);
	assert_int_equal(cachefile_open(&r.cf, &size, err, sizeof(err)), -1);
	assert_int_equal(errno, ENOENT);
	write_new(&r, "one");
	assert_null(contents(&r));
	assert_int_equal(cachefile_commit(&r.cf, 3, err, sizeof(err)), 0);
	assert_string_equal(contents(&r), "one");
	assert_int_equal(stat(dir_path(&r.d, CACHEFILE_NAME, path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	write_new(&r, "twotwo");
	assert_string_equal(contents(&r), "one");
	cachefile_abort(&r.cf);
	assert_false(dir_has(&r.d, CACHEFILE_TEMP));
	write_new(&r, "twotwo");
	write_new(&r, "three"); /* begun again */
	assert_int_equal(cachefile_commit(&r.cf, 5, err, sizeof(err)), 0);
	assert_string_equal(contents(&r), "three");
	assert_false(dir_has(&r.d, CACHEFILE_TEMP));
	fd = cachefile_open(&r.cf, &size, err, sizeof(err));
	assert_int_not_equal(fd, -1);
	assert_int_equal(size, 5);
	assert_int_equal(write(fd, "x", 1), -1); /* for reading only */
	close(fd);
	write_new(&r, "four");
	assert_int_equal(cachefile_remove(&r.cf, err, sizeof(err)), 1);
	assert_null(contents(&r));
	assert_false(dir_has(&r.d, CACHEFILE_TEMP));
	assert_int_equal(cachefile_remove(&r.cf, err, sizeof(err)), 0);
	dir_write(&r.d, CACHEFILE_TEMP, "left", 4, 0600); /* by a life that was cut short */
	cachefile_init(&r.cf, r.ss);
	assert_false(dir_has(&r.d, CACHEFILE_TEMP));
	rig_close(&r);
}

/* mapd says one thing and has done another: the old one stays. */
static void
what_mapd_says_is_checked(void **state)
{
	struct rig r;
	char err[300], path[512];
	int fd;

	(void)state;
	rig_open(&r);
	write_new(&r, "good");
	assert_int_equal(cachefile_commit(&r.cf, 4, err, sizeof(err)), 0);
	write_new(&r, "bad");
	assert_int_equal(cachefile_commit(&r.cf, 4, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "does not have the size"));
	write_new(&r, "");
	assert_int_equal(cachefile_commit(&r.cf, 0, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "empty"));
	write_new(&r, "bad");
	assert_int_equal(chmod(dir_path(&r.d, CACHEFILE_TEMP, path), 0644), 0);
	assert_int_equal(cachefile_commit(&r.cf, 3, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "can be accessed by other users"));
	fd = cachefile_create(&r.cf, err, sizeof(err));
	assert_int_equal(ftruncate(fd, (off_t)IPC_CACHE_MAX + 1), 0);
	close(fd);
	assert_int_equal(cachefile_commit(&r.cf, (uint64_t)IPC_CACHE_MAX + 1, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "larger"));
	assert_int_equal(cachefile_commit(&r.cf, 3, err, sizeof(err)), -1); /* none was begun */
	assert_string_equal(contents(&r), "good");
	assert_false(dir_has(&r.d, CACHEFILE_TEMP));
	rig_close(&r);
}

static void
what_is_not_read(void **state)
{
	struct rig r;
	char err[300], path[512], other[512];
	uint64_t size;

	(void)state;
	rig_open(&r);
#define REFUSED(what) \
	do { \
		err[0] = '\0'; \
		assert_int_equal(cachefile_open(&r.cf, &size, err, sizeof(err)), -1); \
		assert_int_not_equal(errno, ENOENT); \
		if (strstr(err, what) == NULL) \
			fail_msg("\"%s\", not \"%s\"", err, what); \
		assert_int_equal(cachefile_remove(&r.cf, err, sizeof(err)), 1); \
	} while (0)
	dir_write(&r.d, CACHEFILE_NAME, "x", 1, 0640);
	REFUSED("can be accessed by other users");
	dir_write(&r.d, CACHEFILE_NAME, "", 0, 0600);
	REFUSED("empty");
	assert_int_equal(mkfifo(dir_path(&r.d, CACHEFILE_NAME, path), 0600), 0);
	REFUSED("not a regular file");
	assert_int_equal(symlink("state", dir_path(&r.d, CACHEFILE_NAME, path)), 0);
	REFUSED("symbolic link");
	dir_write(&r.d, CACHEFILE_NAME, "x", 1, 0600);
	assert_int_equal(link(dir_path(&r.d, CACHEFILE_NAME, path), dir_path(&r.d, "other", other)), 0);
	REFUSED("more than one hard link");
	dir_write(&r.d, CACHEFILE_NAME, "x", 1, 0600);
	assert_int_equal(truncate(dir_path(&r.d, CACHEFILE_NAME, path), (off_t)IPC_CACHE_MAX + 1), 0);
	REFUSED("larger");
	if (geteuid() == 0) {
		dir_write(&r.d, CACHEFILE_NAME, "x", 1, 0600);
		assert_int_equal(chown(dir_path(&r.d, CACHEFILE_NAME, path), 65534, 0), 0);
		REFUSED("another user");
	}
#undef REFUSED
	rig_close(&r);
}

/* --- each call failing, and the process ending before and after each --- */

enum call { CALL_CREATE, CALL_FSYNC, CALL_RENAME, CALL_UNLINK, CALL_COUNT };
static struct {
	enum call call;
	int at, seen, die; /* die: 1 before, 2 after the call */
} plan;

static int
struck(enum call c)
{
	if (plan.call != c || ++plan.seen != plan.at)
		return 0;
	if (plan.die == 1)
		_exit(0);
	errno = EIO;
	return plan.die == 0;
}

static int
after(enum call c, int rv)
{
	if (plan.call == c && plan.seen == plan.at && plan.die == 2)
		_exit(0);
	return rv;
}

static int
my_create(int dirfd, const char *name, int flags)
{
	return struck(CALL_CREATE) ? -1 : after(CALL_CREATE, openat(dirfd, name, flags, 0600));
}

static int
my_fsync(int fd)
{
	return struck(CALL_FSYNC) ? -1 : after(CALL_FSYNC, fsync(fd));
}

static int
my_rename(int ofd, const char *o, int nfd, const char *n)
{
	return struck(CALL_RENAME) ? -1 : after(CALL_RENAME, renameat(ofd, o, nfd, n));
}

static int
my_unlink(int dirfd, const char *name, int flag)
{
	return struck(CALL_UNLINK) ? -1 : after(CALL_UNLINK, unlinkat(dirfd, name, flag));
}

static const struct state_io faulty = { .create = my_create,
	.fsync = my_fsync,
	.renameat = my_rename,
	.unlinkat = my_unlink };

/* One write and one removal.  Returns whether the write was reported good; *removed: the removal, too. */
static int
start_and_stop(struct rig *r, int *removed)
{
	char err[300];
	int fd, ok;

	if ((fd = cachefile_create(&r->cf, err, sizeof(err))) == -1) {
		*removed = -1;
		return 0;
	}
	assert_int_equal(write(fd, "new", 3), 3);
	close(fd);
	ok = cachefile_commit(&r->cf, 3, err, sizeof(err)) == 0;
	*removed = -1;
	if (plan.call == CALL_UNLINK)
		*removed = cachefile_remove(&r->cf, err, sizeof(err));
	return ok;
}

/* On a read-only file system unlinkat(2) is EROFS, also for a name that is not there. */
static int
read_only_unlink(int dirfd, const char *name, int flag)
{
	(void)dirfd;
	(void)name;
	(void)flag;
	errno = EROFS;
	return -1;
}

/* G4 of the faults: no error for a cache that does not exist. */
static void
nothing_to_remove_is_no_fault(void **state)
{
	static const struct state_io read_only = { .unlinkat = read_only_unlink };
	char err[300] = "";
	struct rig r;

	(void)state;
	rig_open(&r);
	state_set_io(r.ss, &read_only);
	assert_int_equal(cachefile_remove(&r.cf, err, sizeof(err)), 0);
	assert_string_equal(err, "");
	state_set_io(r.ss, NULL);
	write_new(&r, "old");
	assert_int_equal(cachefile_commit(&r.cf, 3, err, sizeof(err)), 0);
	state_set_io(r.ss, &read_only);
	assert_int_equal(cachefile_remove(&r.cf, err, sizeof(err)), -1); /* one that exists must be removed */
	assert_non_null(strstr(err, "cannot remove"));
	state_set_io(r.ss, NULL);
	rig_close(&r);
}

static void
every_call_fails(void **state)
{
	enum call c;
	int at, fired = 0;

	(void)state;
	for (c = 0; c < CALL_COUNT; c++)
		for (at = 1; at < 8; at++) {
			struct rig r;
			int ok, removed;

			rig_open(&r);
			write_new(&r, "old");
			assert_int_equal(cachefile_commit(&r.cf, 3, (char[300]){ 0 }, 300), 0);
			plan.call = c;
			plan.at = at;
			plan.seen = plan.die = 0;
			state_set_io(r.ss, &faulty);
			ok = start_and_stop(&r, &removed);
			fired += plan.seen >= at;
			state_set_io(r.ss, NULL);
			if (removed == 1)
				assert_null(contents(&r));
			else if (ok)
				assert_string_equal(contents(&r), "new");
			else /* all but a failure of the very last step leave the old one */
				assert_true(c == CALL_FSYNC && at == 2 ? strcmp(contents(&r), "new") == 0
								       : strcmp(contents(&r), "old") == 0);
			rig_close(&r);
		}
	assert_in_range(fired, 6, 20);
}

static void
every_call_is_the_last(void **state)
{
	enum call c;
	int at, die;

	(void)state;
	for (c = 0; c < CALL_COUNT; c++)
		for (at = 1; at < 6; at++)
			for (die = 1; die <= 2; die++) {
				struct rig r;
				const char *text;
				uint64_t size;
				char err[300];
				int fd, removed, status;
				pid_t pid;

				rig_open(&r);
				write_new(&r, "old");
				assert_int_equal(cachefile_commit(&r.cf, 3, err, sizeof(err)), 0);
				if ((pid = fork()) == 0) {
					plan.call = c;
					plan.at = at;
					plan.seen = 0;
					plan.die = die;
					state_set_io(r.ss, &faulty);
					(void)start_and_stop(&r, &removed);
					_exit(0);
				}
				assert_int_equal(waitpid(pid, &status, 0), pid);
				cachefile_init(&r.cf, r.ss); /* the next start */
				assert_false(dir_has(&r.d, CACHEFILE_TEMP));
				text = contents(&r);
				assert_true(text == NULL ? c == CALL_UNLINK
							 : strcmp(text, "old") == 0 || strcmp(text, "new") == 0);
				if (text != NULL) {
					fd = cachefile_open(&r.cf, &size, err, sizeof(err));
					assert_int_not_equal(fd, -1);
					close(fd);
				}
				rig_close(&r);
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_at_once_then_every_minute),
		cmocka_unit_test(large_files_less_often),
		cmocka_unit_test(on_demand),
		cmocka_unit_test(failures_and_lies),
		cmocka_unit_test(file_old_or_new),
		cmocka_unit_test(what_mapd_says_is_checked),
		cmocka_unit_test(what_is_not_read),
		cmocka_unit_test(nothing_to_remove_is_no_fault),
		cmocka_unit_test(every_call_fails),
		cmocka_unit_test(every_call_is_the_last),
	};

	log_nothing();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
