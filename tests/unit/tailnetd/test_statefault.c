/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "keyring.h"
#include "log.h"
#include "state.h"
#include "unit.h"
#include "util_dir.h"
#include "util_statebox.h"

/* A save with the n-th system call going wrong, or being the last one of the process. */
#define URL_A "https://a.example.com"
#define URL_B "https://b.example.com"

enum call { CALL_WRITE, CALL_FSYNC, CALL_LINK, CALL_RENAME, CALL_CREATE, CALL_UNLINK, CALL_COUNT };
enum fate { FATE_FAIL, FATE_SHORT, FATE_EINTR, FATE_DIE_BEFORE, FATE_DIE_AFTER, FATE_BUSY };

/* Set: a file system without hard links, as FAT: the spare is a copy. */
static int no_links;

/* Set: a file system that cannot sync a directory. */
static int no_dirsync;

/* The functions of struct state_io take no argument for the test. */
static struct plan {
	enum call call;
	enum fate fate;
	int at;   /* which of those calls, from 1; 0: none */
	int seen; /* how many there were */
	int fired;
} plan;

static int
struck(enum call c)
{
	if (plan.call != c || ++plan.seen != plan.at)
		return 0;
	plan.fired = 1;
	if (plan.fate == FATE_DIE_BEFORE)
		_exit(0);
	return plan.fate != FATE_DIE_AFTER;
}

static void
after(enum call c)
{
	if (plan.call == c && plan.seen == plan.at && plan.fate == FATE_DIE_AFTER)
		_exit(0);
}

static long
my_write(int fd, const void *p, size_t n)
{
	long rv;

	if (struck(CALL_WRITE)) {
		errno = plan.fate == FATE_EINTR ? EINTR : ENOSPC;
		return plan.fate == FATE_SHORT ? write(fd, p, n / 2) : -1;
	}
	rv = write(fd, p, plan.fate == FATE_SHORT && n > 7 ? 7 : n);
	after(CALL_WRITE);
	return rv;
}

static int
my_fsync(int fd)
{
	struct stat st;

	if (no_dirsync && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	if (struck(CALL_FSYNC)) {
		errno = EIO;
		return -1;
	}
	fsync(fd);
	after(CALL_FSYNC);
	return 0;
}

static int
my_linkat(int a, const char *o, int b, const char *n, int flag)
{
	int rv;

	if (struck(CALL_LINK)) {
		errno = EROFS;
		return -1;
	}
	if (no_links) {
		errno = EPERM;
		return -1;
	}
	rv = linkat(a, o, b, n, flag);
	after(CALL_LINK);
	return rv;
}

static int
my_renameat(int a, const char *o, int b, const char *n)
{
	int rv;

	if (struck(CALL_RENAME)) {
		errno = plan.fate == FATE_BUSY ? EBUSY : ENOSPC;
		return -1;
	}
	rv = renameat(a, o, b, n);
	after(CALL_RENAME);
	return rv;
}

static int
my_create(int dirfd, const char *name, int flags)
{
	int rv;

	if (struck(CALL_CREATE)) {
		errno = EMFILE;
		return -1;
	}
	rv = openat(dirfd, name, flags, 0600);
	after(CALL_CREATE);
	return rv;
}

static int
my_unlinkat(int dirfd, const char *name, int flag)
{
	int rv, saved;

	if (struck(CALL_UNLINK)) {
		errno = EROFS;
		return -1;
	}
	rv = unlinkat(dirfd, name, flag);
	saved = errno;
	after(CALL_UNLINK);
	errno = saved;
	return rv;
}

static const struct state_io faulty = { my_write, my_fsync, my_linkat, my_renameat, my_create, my_unlinkat };

static int
quiet(void **unused)
{
	(void)unused;
	log_init("test", LOG_L_ERROR);
	return sodium_init() == -1;
}

static const char *
describe(enum call c, enum fate f, int at, char out[64])
{
	static const char *const calls[] = { "write", "fsync", "linkat", "renameat", "create", "unlinkat" };
	static const char *const fates[] = { "fails", "is short", "EINTR", "ends before", "ends after" };

	snprintf(out, 64, "%s %d %s", calls[c], at, fates[f]);
	return out;
}

/* A first start, a node key on disk and the candidate that is to follow it. */
static void
box_new(struct box *b, const struct dir *d, struct pubkey *machine, struct pubkey *old, struct pubkey *new)
{
	assert_int_equal(box_load(b, d, URL_A, NULL), STATE_FRESH);
	assert_int_equal(keyring_generate(b->k, SLOT_NODE), 0);
	assert_int_equal(keyring_generate(b->k, SLOT_CANDIDATE), 0);
	assert_int_equal(state_save(b->ss, &b->st, b->k, b->err, sizeof(b->err)), 0);
	*machine = *keyring_public(b->k, SLOT_MACHINE);
	*old = *keyring_public(b->k, SLOT_NODE);
	*new = *keyring_public(b->k, SLOT_CANDIDATE);
}

/* A rotation: node becomes old, candidate becomes node. */
static void
rotate(struct box *b)
{
	keyring_copy(b->k, SLOT_OLD, SLOT_NODE);
	keyring_copy(b->k, SLOT_NODE, SLOT_CANDIDATE);
}

/* Set: the deaths begin with a damaged state and a good state.prev. */
static int damaged;

static int
usable(struct box *b, const struct dir *d)
{
	enum state_result r = box_load(b, d, URL_A, NULL);

	return r == STATE_OK || (damaged && r == STATE_RECOVERED);
}

static void
damage(const struct dir *d)
{
	char state[512], prev[512];

	assert_int_equal(rename(dir_path(d, "state", state), dir_path(d, "state.prev", prev)), 0);
	dir_write(d, "state", "garbage", 7, 0600);
}

/* What a new start finds: 0 = the identity before, 1 = the one after; anything else fails the test. */
static int
found(const struct dir *d, const struct pubkey *machine, const struct pubkey *old, const struct pubkey *new,
    const char *what)
{
	struct box b;
	int rv;

	if (!usable(&b, d))
		fail_msg("%s: %s", what, b.err);
	if (!key_equal(machine, keyring_public(b.k, SLOT_MACHINE)))
		fail_msg("%s: another machine key", what);
	rv = key_equal(new, keyring_public(b.k, SLOT_NODE));
	if (!rv && !key_equal(old, keyring_public(b.k, SLOT_NODE)))
		fail_msg("%s: neither identity", what);
	if (rv && !key_equal(old, keyring_public(b.k, SLOT_OLD)))
		fail_msg("%s: half a rotation", what);
	box_close(&b);
	return rv;
}

/* The unlink of a temporary file that is not there: of state.tmp first, and of the copy. */
static int
may_fail(enum call c, int at)
{
	return c == CALL_UNLINK && (at == 1 || (no_links && at == 3));
}

static void
says_the_step(enum call c, const char *err)
{
	static const char *const words[] = { "writing", "fsync of", "", "renaming", "making", "removing" };

	assert_non_null(strstr(err, "cannot save"));
	if (strstr(err, words[c]) == NULL && strstr(err, "copying it to") == NULL)
		fail_msg("which step? %s", err);
}

/* A failed save never destroys the spare: state.prev is a whole identity by itself. */
static void
spare_is_whole(const struct dir *d, const char *what)
{
	char text[16384], path[512];
	struct box b;
	size_t n;

	if (!dir_has(d, "state.prev"))
		fail_msg("%s: there is no state.prev", what);
	n = dir_read(d, "state", text, sizeof(text));
	assert_int_equal(unlink(dir_path(d, "state", path)), 0);
	if (box_load(&b, d, URL_A, NULL) != STATE_RECOVERED)
		fail_msg("%s: state.prev: %s", what, b.err);
	box_close(&b);
	dir_write(d, "state", text, n, 0600);
}

/* One save of a rotated identity under the plan.  Returns whether the plan's call came at all. */
static int
one_fault(enum call c, enum fate f, int at)
{
	struct dir d;
	struct box b;
	struct pubkey machine, old, new;
	char what[64];
	int rv = -1, fired, now;

	describe(c, f, at, what);
	dir_make(&d);
	box_new(&b, &d, &machine, &old, &new);
	rotate(&b);
	plan = (struct plan){ c, f, at, 0, 0 };
	state_set_io(b.ss, &faulty);
	b.err[0] = '\0';
	rv = state_save(b.ss, &b.st, b.k, b.err, sizeof(b.err));
	fired = plan.fired;
	if (rv == -1)
		says_the_step(c, b.err);
	box_close(&b);
	spare_is_whole(&d, what);

	now = found(&d, &machine, &old, &new, what);
	if (rv == 0 && !now)
		fail_msg("%s: success was reported, but the old identity is on the disk", what);
	if (rv == -1 && now && !(c == CALL_FSYNC && at == (no_links ? 3 : 2)))
		fail_msg("%s: failure was reported, but the new identity is on the disk", what);
	if (fired && f == FATE_FAIL && rv != -1 && c != CALL_LINK && !may_fail(c, at))
		fail_msg("%s: the failure went unnoticed", what);
	if (f == FATE_EINTR && c == CALL_WRITE)
		assert_int_equal(rv, 0);
	assert_false(dir_has(&d, "state.tmp") && rv == -1);
	dir_remove(&d);
	return fired;
}

static int
every_fault(void)
{
	int c, f, at, fired = 0;

	for (c = 0; c < CALL_COUNT; c++)
		for (f = FATE_FAIL; f <= (c == CALL_WRITE ? FATE_EINTR : FATE_FAIL); f++)
			for (at = 1; one_fault((enum call)c, (enum fate)f, at) && at < 20; at++)
				fired++;
	return fired;
}

/* rows: PERS-03 PERS-06 */
static void
test_every_call_failing(void **unused)
{
	(void)unused;
	assert_true(
	    every_fault() >= 12); /* write 1 in three ways (short: many), fsync 2, link, rename 2, create, unlink 3 */
	no_links = 1;
	assert_true(every_fault() >= 16);
	no_links = 0;
}

/* G2 of the faults: FAT has no hard links (EPERM); the spare is a copy with the mode of the state file. */
/* rows: PERS-03 PERS-06 */
static void
test_spare_without_links(void **unused)
{
	char before[16384], spare[16384], path[512];
	struct pubkey machine, old, new;
	struct stat st;
	struct dir d;
	struct box b;
	size_t n;

	(void)unused;
	dir_make(&d);
	box_new(&b, &d, &machine, &old, &new);
	n = dir_read(&d, "state", before, sizeof(before));
	rotate(&b);
	plan = (struct plan){ CALL_LINK, FATE_FAIL, 0, 0, 0 };
	no_links = 1;
	state_set_io(b.ss, &faulty);
	assert_int_equal(state_save(b.ss, &b.st, b.k, b.err, sizeof(b.err)), 0);
	no_links = 0;
	assert_int_equal(plan.seen, 1);
	assert_int_equal(dir_read(&d, "state.prev", spare, sizeof(spare)), n);
	assert_memory_equal(before, spare, n);
	assert_int_equal(stat(dir_path(&d, "state.prev", path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_false(dir_has(&d, "state.spare.tmp"));
	box_close(&b);
	dir_remove(&d);
}

/* G2: fsync of a directory is EINVAL on some network and FUSE file systems; the state is used all the same. */
/* rows: PERS-03 */
static void
test_directory_that_cannot_be_synced(void **unused)
{
	struct dir d;
	struct box b;
	struct pubkey machine;

	(void)unused;
	dir_make(&d);
	plan = (struct plan){ CALL_LINK, FATE_FAIL, 0, 0, 0 };
	no_dirsync = 1;
	if (box_load(&b, &d, URL_A, &faulty) != STATE_FRESH)
		fail_msg("%s", b.err);
	machine = *keyring_public(b.k, SLOT_MACHINE);
	box_close(&b);
	if (box_load(&b, &d, URL_B, &faulty) != STATE_FRESH)
		fail_msg("switch: %s", b.err);
	box_close(&b);
	if (box_load(&b, &d, URL_A, &faulty) != STATE_OK)
		fail_msg("back: %s", b.err);
	assert_true(key_equal(&machine, keyring_public(b.k, SLOT_MACHINE)));
	box_close(&b);
	no_dirsync = 0;
	dir_remove(&d);
}

/* A file that is a mount by itself cannot be replaced: the text says which step failed and what would help. */
static void
test_state_that_is_a_mount(void **unused)
{
	struct dir d;
	struct box b;
	struct pubkey machine, old, new;

	(void)unused;
	dir_make(&d);
	box_new(&b, &d, &machine, &old, &new);
	rotate(&b);
	plan = (struct plan){ CALL_RENAME, FATE_BUSY, 2, 0, 0 };
	state_set_io(b.ss, &faulty);
	assert_int_equal(state_save(b.ss, &b.st, b.k, b.err, sizeof(b.err)), -1);
	assert_non_null(strstr(b.err, "renaming state.tmp (a mount on the file itself? mount the directory instead)"));
	box_close(&b);
	spare_is_whole(&d, "a mount");
	dir_remove(&d);
}

/* A failed save is tried again in full, also when the rename had happened. */
static void
test_save_again_after_failure(void **unused)
{
	struct dir d;
	struct box b;
	struct pubkey machine, old, new;
	int at;

	(void)unused;
	for (at = 1; at <= 2; at++) {
		dir_make(&d);
		box_new(&b, &d, &machine, &old, &new);
		rotate(&b);
		plan = (struct plan){ CALL_FSYNC, FATE_FAIL, at, 0, 0 };
		state_set_io(b.ss, &faulty);
		assert_int_equal(state_save(b.ss, &b.st, b.k, b.err, sizeof(b.err)), -1);
		plan = (struct plan){ CALL_FSYNC, FATE_FAIL, 0, 0, 0 };
		assert_int_equal(state_save(b.ss, &b.st, b.k, b.err, sizeof(b.err)), 0);
		assert_int_equal(plan.seen, 2); /* file and directory */
		box_close(&b);
		assert_int_equal(found(&d, &machine, &old, &new, "second try"), 1);
		dir_remove(&d);
	}
}

static void
await(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* The process ends at that call.  Returns whether it did. */
static int
one_death(enum call c, enum fate f, int at)
{
	struct dir d;
	struct box b;
	struct pubkey machine, old, new;
	char what[64], text[PRIVKEY_TEXT_LEN];
	pid_t pid;
	int status;

	describe(c, f, at, what);
	dir_make(&d);
	box_new(&b, &d, &machine, &old, &new);
	assert_int_equal(keyring_export(b.k, SLOT_CANDIDATE, text), 0);
	box_close(&b);
	if (damaged)
		damage(&d);
	if ((pid = fork()) == 0) { /* secret memory is not inherited: the child makes its own */
		if (!usable(&b, &d) || keyring_import(b.k, SLOT_CANDIDATE, text, sizeof(text)) == -1)
			_exit(3);
		rotate(&b);
		plan = (struct plan){ c, f, at, 0, 0 };
		state_set_io(b.ss, &faulty);
		_exit(state_save(b.ss, &b.st, b.k, b.err, sizeof(b.err)) == 0 ? 1 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
	if (WEXITSTATUS(status) == 1)
		assert_int_equal(found(&d, &machine, &old, &new, what), 1);
	else
		found(&d, &machine, &old, &new, what);
	/* What a dead save left behind is no obstacle for the next one. */
	assert_true(usable(&b, &d));
	b.st.profile.paused = 1;
	assert_int_equal(state_save(b.ss, &b.st, b.k, b.err, sizeof(b.err)), 0);
	assert_false(dir_has(&d, "state.tmp"));
	box_close(&b);
	dir_remove(&d);
	return WEXITSTATUS(status) == 0;
}

/* Before and after each system call in turn; the number of deaths. */
static int
every_death(int (*one)(enum call, enum fate, int))
{
	int c, f, at, died = 0;

	for (c = 0; c < CALL_COUNT; c++)
		for (f = FATE_DIE_BEFORE; f <= FATE_DIE_AFTER; f++)
			for (at = 1; one((enum call)c, (enum fate)f, at) && at < 20; at++)
				died++;
	return died;
}

/* rows: PERS-03 PERS-04 ROT-05 */
static void
test_death_at_every_call(void **unused)
{
	(void)unused;
	assert_true(every_death(one_death) >= 16);
	damaged = 1; /* nothing is linked then: state.prev is all there is until the rename */
	assert_true(every_death(one_death) >= 12);
	damaged = 0;
	no_links = 1;
	assert_true(every_death(one_death) >= 20);
	no_links = 0;
}

/* Endless rotations until the kill: the file always has a whole identity. */
static void
rotate_forever(const struct dir *d)
{
	struct box b;

	if (box_load(&b, d, URL_A, NULL) != STATE_OK)
		_exit(3);
	for (;;) {
		keyring_copy(b.k, SLOT_OLD, SLOT_NODE);
		if (keyring_generate(b.k, SLOT_NODE) == -1 || state_save(b.ss, &b.st, b.k, b.err, sizeof(b.err)) == -1)
			_exit(4);
	}
}

/* rows: PERS-03 */
static void
test_kill_at_any_instant(void **unused)
{
	struct dir d;
	struct box b;
	struct pubkey machine;
	pid_t pid;
	int i;

	(void)unused;
	dir_make(&d);
	assert_int_equal(box_load(&b, &d, URL_A, NULL), STATE_FRESH);
	machine = *keyring_public(b.k, SLOT_MACHINE);
	box_close(&b);
	for (i = 0; i < 100; i++) {
		if ((pid = fork()) == 0)
			rotate_forever(&d);
		usleep(2000 + (useconds_t)randombytes_uniform(8000));
		kill(pid, SIGKILL);
		await(pid);
		if (box_load(&b, &d, URL_A, NULL) != STATE_OK)
			fail_msg("after kill %d: %s", i, b.err);
		assert_true(key_equal(&machine, keyring_public(b.k, SLOT_MACHINE)));
		box_close(&b);
	}
	dir_remove(&d);
}

/* Does any file there hold that text? */
static int
anywhere(const struct dir *d, const char *text, size_t n)
{
	static const char *const names[] = { "state", "state.prev", "state.tmp" };
	char buf[65536], path[512];
	size_t i, len;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		FILE *f = fopen(dir_path(d, names[i], path), "r");

		len = f == NULL ? 0 : fread(buf, 1, sizeof(buf), f);
		if (f != NULL)
			fclose(f);
		if (memmem(buf, len, text, n) != NULL)
			return 1;
	}
	return 0;
}

/* A logout under the plan: done means that no file has the key; not done, that the next save does what is left. */
static int
one_logout_fault(enum call c, enum fate f, int at)
{
	struct dir d;
	struct box b;
	char what[64], text[PRIVKEY_TEXT_LEN];
	int rv, fired;

	describe(c, f, at, what);
	dir_make(&d);
	assert_int_equal(box_load(&b, &d, URL_A, NULL), STATE_FRESH);
	assert_int_equal(keyring_generate(b.k, SLOT_NODE), 0);
	assert_int_equal(state_save(b.ss, &b.st, b.k, b.err, sizeof(b.err)), 0);
	assert_int_equal(keyring_export(b.k, SLOT_NODE, text), 0);
	assert_true(anywhere(&d, text, sizeof(text)));
	state_clear_profile(&b.st, b.k);
	b.st.profile.want_running = 0;
	plan = (struct plan){ c, f, at, 0, 0 };
	state_set_io(b.ss, &faulty);
	rv = state_save_erased(b.ss, &b.st, b.k, b.err, sizeof(b.err));
	fired = plan.fired;
	if (rv == 0 && anywhere(&d, text, sizeof(text)))
		fail_msg("%s: reported as done, but the key is on the disk", what);
	if (fired && f == FATE_FAIL && rv != -1 && c != CALL_LINK &&
	    !(c == CALL_UNLINK && at % 3 == 1)) /* of a temporary file, if any */
		fail_msg("%s: the failure went unnoticed", what);
	plan.at = 0;
	assert_int_equal(state_save(b.ss, &b.st, b.k, b.err, sizeof(b.err)), 0);
	if (anywhere(&d, text, sizeof(text)))
		fail_msg("%s: the key survives the next save", what);
	plan = (struct plan){ CALL_RENAME, FATE_FAIL, 0, 0, 0 };
	assert_int_equal(state_save(b.ss, &b.st, b.k, b.err, sizeof(b.err)), 0);
	assert_int_equal(plan.seen, 0); /* and then there is no more to do */
	box_close(&b);
	dir_remove(&d);
	return fired;
}

/* rows: OUT-01 PERS-06 */
static void
test_logout_with_every_call_failing(void **unused)
{
	int c, f, at, fired = 0;

	(void)unused;
	for (c = 0; c < CALL_COUNT; c++)
		for (f = FATE_FAIL; f <= (c == CALL_WRITE ? FATE_EINTR : FATE_FAIL); f++)
			for (at = 1; one_logout_fault((enum call)c, (enum fate)f, at) && at < 40; at++)
				fired++;
	assert_true(fired >= 20);
}

/* The change of the control server, cut at every call of its save: both identities stay whole. */
static int
one_switch_death(enum call c, enum fate f, int at)
{
	struct dir d;
	struct box b;
	struct pubkey a;
	enum state_result r;
	char what[64];
	pid_t pid;
	int status;

	describe(c, f, at, what);
	dir_make(&d);
	assert_int_equal(box_load(&b, &d, URL_A, NULL), STATE_FRESH);
	a = *keyring_public(b.k, SLOT_MACHINE);
	box_close(&b);
	if ((pid = fork()) == 0) {
		b.k = keyring_new();
		b.ss = state_open(d.path, 0, b.err, sizeof(b.err));
		plan = (struct plan){ c, f, at, 0, 0 };
		state_set_io(b.ss, &faulty);
		r = state_load(b.ss, URL_B, &b.st, b.k, b.err, sizeof(b.err));
		_exit(r == STATE_FRESH ? 1 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
	if ((r = box_load(&b, &d, URL_B, NULL)) != STATE_FRESH && r != STATE_OK)
		fail_msg("%s: %s", what, b.err);
	assert_false(key_equal(&a, keyring_public(b.k, SLOT_MACHINE)));
	box_close(&b);
	if (box_load(&b, &d, URL_A, NULL) != STATE_OK)
		fail_msg("%s, back: %s", what, b.err);
	assert_true(key_equal(&a, keyring_public(b.k, SLOT_MACHINE)));
	box_close(&b);
	dir_remove(&d);
	return WEXITSTATUS(status) == 0;
}

static void
test_death_while_switching(void **unused)
{
	(void)unused;
	assert_true(every_death(one_switch_death) >= 18);
	no_links = 1;
	assert_true(every_death(one_switch_death) >= 18);
	no_links = 0;
}

/* rows: PERS-06 */
static void
test_full_disk_while_switching(void **unused)
{
	struct dir d;
	struct box b;
	struct pubkey a;

	(void)unused;
	dir_make(&d);
	assert_int_equal(box_load(&b, &d, URL_A, NULL), STATE_FRESH);
	a = *keyring_public(b.k, SLOT_MACHINE);
	box_close(&b);
	b.k = keyring_new();
	b.ss = state_open(d.path, 0, b.err, sizeof(b.err));
	plan = (struct plan){ CALL_WRITE, FATE_FAIL, 1, 0, 0 };
	state_set_io(b.ss, &faulty);
	assert_int_equal(state_load(b.ss, URL_B, &b.st, b.k, b.err, sizeof(b.err)), STATE_UNUSABLE);
	box_close(&b);
	assert_int_equal(box_load(&b, &d, URL_A, NULL), STATE_OK);
	assert_true(key_equal(&a, keyring_public(b.k, SLOT_MACHINE)));
	box_close(&b);
	dir_remove(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call_failing),
		cmocka_unit_test(test_spare_without_links),
		cmocka_unit_test(test_directory_that_cannot_be_synced),
		cmocka_unit_test(test_state_that_is_a_mount),
		cmocka_unit_test(test_save_again_after_failure),
		cmocka_unit_test(test_death_at_every_call),
		cmocka_unit_test(test_kill_at_any_instant),
		cmocka_unit_test(test_logout_with_every_call_failing),
		cmocka_unit_test(test_death_while_switching),
		cmocka_unit_test(test_full_disk_while_switching),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
