/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <fcntl.h>
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

/*
 * The power fails.  Every call of a save is also made on a model of a disk that promises no more than POSIX does:
 * contents are lost or halved until fsync of the file, and of the changes of names since the last fsync of the
 * directory each may be present or missing.  After each call every disk that could be found after a power cut is
 * made for real and loaded.
 */
#define URL_A      "https://a.example.com"
#define URL_B      "https://b.example.com"
#define MAX_INODES 32
#define MAX_NAMES  8
#define MAX_OPS    8
#define NAME_ROOM  40

enum opkind { OP_CREATE, OP_LINK, OP_RENAME, OP_UNLINK };

struct op {
	enum opkind kind;
	int inode; /* OP_CREATE */
	char from[NAME_ROOM], to[NAME_ROOM];
};

struct inode {
	char *text;
	size_t len, durable;
};

struct names {
	unsigned n;
	struct {
		char name[NAME_ROOM];
		int inode;
	} e[MAX_NAMES];
};

struct disk {
	struct inode inodes[MAX_INODES];
	unsigned ninodes;
	struct names durable; /* as of the last fsync of the directory */
	struct op ops[MAX_OPS];
	unsigned nops;
	int fd_inode[64]; /* + 1 */
	int dirfd;
	void (*cut)(const struct disk *);
	unsigned disks; /* looked at */
};

/* The functions of struct state_io take no argument for the test. */
static struct disk *disk;

static int *
find(struct names *t, const char *name)
{
	unsigned i;

	for (i = 0; i < t->n; i++)
		if (strcmp(t->e[i].name, name) == 0)
			return &t->e[i].inode;
	return NULL;
}

static void
put(struct names *t, const char *name, int inode)
{
	int *at = find(t, name);

	if (at == NULL) {
		assert_true(t->n < MAX_NAMES);
		snprintf(t->e[t->n].name, NAME_ROOM, "%s", name);
		at = &t->e[t->n++].inode;
	}
	*at = inode;
}

static void
take(struct names *t, const char *name)
{
	unsigned i;

	for (i = 0; i < t->n; i++)
		if (strcmp(t->e[i].name, name) == 0)
			t->e[i] = t->e[--t->n];
}

/* Set: a file system without hard links, as FAT. */
static int no_links;

/* One change of names; without its source it did not happen, and two names of one file both stay. */
static void
apply(struct names *t, const struct op *o)
{
	int *from = find(t, o->from), inode = from != NULL ? *from : -1;

	if (o->kind == OP_RENAME && inode != -1 && find(t, o->to) != NULL && *find(t, o->to) == inode)
		return;
	if (o->kind == OP_CREATE)
		put(t, o->to, o->inode);
	else if (inode != -1 && o->kind != OP_UNLINK)
		put(t, o->to, inode);
	if (o->kind == OP_UNLINK || (o->kind == OP_RENAME && inode != -1))
		take(t, o->from);
}

static void
record(enum opkind kind, const char *from, const char *to, int inode)
{
	struct op *o = &disk->ops[disk->nops];

	assert_true(disk->nops < MAX_OPS);
	disk->nops++;
	o->kind = kind;
	o->inode = inode;
	snprintf(o->from, NAME_ROOM, "%s", from);
	snprintf(o->to, NAME_ROOM, "%s", to);
	disk->cut(disk);
}

static long
my_write(int fd, const void *p, size_t n)
{
	struct inode *i;
	long rv = write(fd, p, n > 100 ? n / 2 : n); /* in pieces: there is a cut between them */

	assert_true(rv > 0 && fd < 64 && disk->fd_inode[fd] > 0);
	i = &disk->inodes[disk->fd_inode[fd] - 1];
	i->text = realloc(i->text, i->len + (size_t)rv);
	assert_non_null(i->text);
	memcpy(i->text + i->len, p, (size_t)rv);
	i->len += (size_t)rv;
	disk->cut(disk);
	return rv;
}

static int
my_fsync(int fd)
{
	unsigned i;

	if (fd != disk->dirfd) {
		assert_true(fd < 64 && disk->fd_inode[fd] > 0);
		disk->inodes[disk->fd_inode[fd] - 1].durable = disk->inodes[disk->fd_inode[fd] - 1].len;
	} else {
		for (i = 0; i < disk->nops; i++)
			apply(&disk->durable, &disk->ops[i]);
		disk->nops = 0;
	}
	disk->cut(disk);
	return 0;
}

static int
my_linkat(int a, const char *from, int b, const char *to, int flag)
{
	if (no_links) {
		errno = EPERM;
		return -1;
	}
	if (linkat(a, from, b, to, flag) == -1)
		return -1;
	record(OP_LINK, from, to, -1);
	return 0;
}

static int
my_renameat(int a, const char *from, int b, const char *to)
{
	if (renameat(a, from, b, to) == -1)
		return -1;
	record(OP_RENAME, from, to, -1);
	return 0;
}

static int
my_create(int dirfd, const char *name, int flags)
{
	int fd = openat(dirfd, name, flags, 0600);

	assert_true(fd != -1 && fd < 64);
	disk->dirfd = dirfd;
	assert_true(disk->ninodes < MAX_INODES);
	disk->fd_inode[fd] = (int)++disk->ninodes;
	record(OP_CREATE, "", name, (int)disk->ninodes - 1);
	return fd;
}

static int
my_unlinkat(int dirfd, const char *name, int flag)
{
	disk->dirfd = dirfd;
	if (unlinkat(dirfd, name, flag) == -1)
		return -1;
	record(OP_UNLINK, name, "", -1);
	return 0;
}

static const struct state_io recording = { my_write, my_fsync, my_linkat, my_renameat, my_create, my_unlinkat };

/* --- the possible disks after a power cut --- */

/* One of them: names after the changes in `mask`, unsynced contents whole, halved or lost. */
static void
materialise(const struct disk *d, unsigned mask, unsigned contents, struct dir *out)
{
	struct names t = d->durable;
	char a[512], b[512];
	unsigned i, j;

	for (i = 0; i < d->nops; i++)
		if (mask & (1u << i))
			apply(&t, &d->ops[i]);
	dir_make(out);
	for (i = 0; i < t.n; i++) {
		const struct inode *f = &d->inodes[t.e[i].inode];
		size_t len = f->durable + (f->len - f->durable) * contents / 2;

		for (j = 0; j < i && t.e[j].inode != t.e[i].inode; j++)
			;
		if (j < i)
			assert_int_equal(link(dir_path(out, t.e[j].name, a), dir_path(out, t.e[i].name, b)), 0);
		else
			dir_write(out, t.e[i].name, f->text != NULL ? f->text : "", len, 0600);
	}
}

/* Every possible disk now; look() fails the test when it does not like one. */
static void
each_disk(const struct disk *d, void (*look)(const struct dir *))
{
	unsigned mask, contents, unsynced = 0, i;
	struct dir dir;

	for (i = 0; i < d->ninodes; i++)
		unsynced |= d->inodes[i].durable != d->inodes[i].len;
	for (mask = 0; mask < 1u << d->nops; mask++)
		for (contents = unsynced ? 0 : 2; contents <= 2; contents++) {
			materialise(d, mask, contents, &dir);
			look(&dir);
			dir_remove(&dir);
			disk->disks++;
		}
}

/* What is expected; pub of nothing is zero. */
static struct {
	struct pubkey machine_a, machine_b, old, new;
	int done; /* the call under test has returned */
} want;

static struct box box;

static void
quiet_cut(const struct disk *d)
{
	(void)d;
}

static void
begin(struct dir *d)
{
	disk = calloc(1, sizeof(*disk));
	assert_non_null(disk);
	disk->cut = quiet_cut;
	disk->dirfd = -1;
	memset(&want, 0, sizeof(want));
	dir_make(d);
}

static void
end(struct dir *d)
{
	unsigned i;

	for (i = 0; i < disk->ninodes; i++)
		free(disk->inodes[i].text);
	free(disk);
	disk = NULL;
	dir_remove(d);
}

/* --- a rotation --- */

static void
look_rotation(const struct dir *dir)
{
	const struct pubkey *node;
	struct box b;

	if (box_load(&b, dir, URL_A, NULL) != STATE_OK)
		fail_msg("%s", b.err);
	assert_true(key_equal(&want.machine_a, keyring_public(b.k, SLOT_MACHINE)));
	node = keyring_public(b.k, SLOT_NODE);
	if (!key_equal(node, &want.new) && (want.done || !key_equal(node, &want.old)))
		fail_msg("%s", want.done ? "a saved identity is lost" : "neither identity");
	if (key_equal(node, &want.new))
		assert_true(key_equal(&want.old, keyring_public(b.k, SLOT_OLD)));
	box_close(&b);
}

static void
cut_rotation(const struct disk *d)
{
	each_disk(d, look_rotation);
}

/* rows: PERS-03 ROT-05 */
static void
test_rotation(void **unused)
{
	struct dir d;
	int i;

	(void)unused;
	begin(&d);
	assert_int_equal(box_load(&box, &d, URL_A, &recording), STATE_FRESH);
	want.machine_a = *keyring_public(box.k, SLOT_MACHINE);
	assert_int_equal(keyring_generate(box.k, SLOT_NODE), 0);
	assert_int_equal(state_save(box.ss, &box.st, box.k, box.err, sizeof(box.err)), 0);
	for (i = 0; i < 3; i++) {
		keyring_copy(box.k, SLOT_OLD, SLOT_NODE);
		assert_int_equal(keyring_generate(box.k, SLOT_NODE), 0);
		want.old = *keyring_public(box.k, SLOT_OLD);
		want.new = *keyring_public(box.k, SLOT_NODE);
		want.done = 0;
		disk->cut = cut_rotation;
		assert_int_equal(state_save(box.ss, &box.st, box.k, box.err, sizeof(box.err)), 0);
		want.done = 1;
		cut_rotation(disk);
		disk->cut = quiet_cut;
	}
	assert_true(disk->disks > 100);
	box_close(&box);
	end(&d);
}

/* --- a logout --- */

static char node_text[PRIVKEY_TEXT_LEN];

static void
look_logout(const struct dir *dir)
{
	static const char *const names[] = { "state", "state.prev" };
	char text[65536], path[512];
	struct box b;
	size_t i;

	if (box_load(&b, dir, URL_A, NULL) != STATE_OK)
		fail_msg("%s", b.err);
	assert_true(key_equal(&want.machine_a, keyring_public(b.k, SLOT_MACHINE)));
	if (key_is_zero(keyring_public(b.k, SLOT_NODE)))
		assert_int_equal(b.st.profile.want_running, 0);
	else if (want.done || !key_equal(&want.old, keyring_public(b.k, SLOT_NODE)) || !b.st.profile.want_running)
		fail_msg("%s", want.done ? "logged in again" : "half a logout");
	box_close(&b);
	for (i = 0; want.done && i < 2; i++) {
		FILE *f = fopen(dir_path(dir, names[i], path), "r");

		assert_non_null(f);
		if (memmem(text, fread(text, 1, sizeof(text), f), node_text, sizeof(node_text)) != NULL)
			fail_msg("the erased key is in %s", names[i]);
		fclose(f);
	}
}

static void
cut_logout(const struct disk *d)
{
	each_disk(d, look_logout);
}

/* rows: OUT-01 PERS-02 PERS-03 PERS-06 */
static void
test_logout(void **unused)
{
	struct dir d;

	(void)unused;
	begin(&d);
	assert_int_equal(box_load(&box, &d, URL_A, &recording), STATE_FRESH);
	want.machine_a = *keyring_public(box.k, SLOT_MACHINE);
	assert_int_equal(keyring_generate(box.k, SLOT_NODE), 0);
	assert_int_equal(keyring_export(box.k, SLOT_NODE, node_text), 0);
	want.old = *keyring_public(box.k, SLOT_NODE);
	assert_int_equal(state_save(box.ss, &box.st, box.k, box.err, sizeof(box.err)), 0);
	state_clear_profile(&box.st, box.k);
	box.st.profile.want_running = 0;
	disk->cut = cut_logout;
	assert_int_equal(state_save_erased(box.ss, &box.st, box.k, box.err, sizeof(box.err)), 0);
	want.done = 1;
	cut_logout(disk);
	assert_true(disk->disks > 50);
	box_close(&box);
	end(&d);
}

/* --- the first start --- */

static void
look_first(const struct dir *dir)
{
	struct box b;
	enum state_result r = box_load(&b, dir, URL_A, NULL);

	if (want.done ? r != STATE_OK : r != STATE_OK && r != STATE_FRESH)
		fail_msg("%d %s", (int)r, b.err);
	if (want.done)
		assert_true(key_equal(&want.machine_a, keyring_public(b.k, SLOT_MACHINE)));
	box_close(&b);
}

static void
cut_first(const struct disk *d)
{
	each_disk(d, look_first);
}

/* rows: PERS-01 PERS-03 */
static void
test_first_start(void **unused)
{
	struct dir d;

	(void)unused;
	begin(&d);
	disk->cut = cut_first;
	assert_int_equal(box_load(&box, &d, URL_A, &recording), STATE_FRESH);
	want.machine_a = *keyring_public(box.k, SLOT_MACHINE);
	want.done = 1;
	cut_first(disk);
	assert_true(disk->disks > 10);
	box_close(&box);
	end(&d);
}

/* --- another control server, and back --- */

static void
look_switch(const struct dir *dir)
{
	struct box b;

	if (!key_is_zero(&want.machine_b)) {
		if (box_load(&b, dir, URL_B, NULL) != STATE_OK)
			fail_msg("B: %s", b.err);
		assert_true(key_equal(&want.machine_b, keyring_public(b.k, SLOT_MACHINE)));
		box_close(&b);
	}
	if (box_load(&b, dir, URL_A, NULL) != STATE_OK)
		fail_msg("A: %s", b.err);
	assert_true(key_equal(&want.machine_a, keyring_public(b.k, SLOT_MACHINE)));
	box_close(&b);
}

static void
cut_switch(const struct disk *d)
{
	each_disk(d, look_switch);
}

/* rows: PERS-03 */
static void
test_switch(void **unused)
{
	struct dir d;
	int i;

	(void)unused;
	begin(&d);
	assert_int_equal(box_load(&box, &d, URL_A, &recording), STATE_FRESH);
	want.machine_a = *keyring_public(box.k, SLOT_MACHINE);
	box_close(&box);
	disk->cut = cut_switch;
	assert_int_equal(box_load(&box, &d, URL_B, &recording), STATE_FRESH);
	want.machine_b = *keyring_public(box.k, SLOT_MACHINE);
	cut_switch(disk);
	box_close(&box);
	for (i = 0; i < 2; i++) {
		assert_int_equal(box_load(&box, &d, URL_A, &recording), STATE_OK);
		cut_switch(disk);
		box_close(&box);
		assert_int_equal(box_load(&box, &d, URL_B, &recording), STATE_OK);
		cut_switch(disk);
		box_close(&box);
	}
	assert_true(disk->disks > 100);
	end(&d);
}

static int
quiet(void **unused)
{
	(void)unused;
	log_init("test", LOG_L_ERROR);
	return sodium_init() == -1;
}

/* The same without hard links: the spare is a copy. */
/* rows: PERS-03 ROT-05 OUT-01 */
static void
test_without_links(void **unused)
{
	no_links = 1;
	test_rotation(unused);
	test_logout(unused);
	test_switch(unused);
	no_links = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_logout),
		cmocka_unit_test(test_first_start),
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_without_links),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
