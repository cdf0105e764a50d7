/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/resource.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "hex.h"
#include "log.h"
#include "state.h"
#include "statetext.h"
#include "unit.h"
#include "util_dir.h"

#define URL_A "https://a.example.com"
#define URL_B "https://b.example.com"
#define ROOM  (STATE_TEXT_MAX + 1024)

/* One open store with what was loaded from it. */
struct box {
	struct dir dir;
	struct state_store *ss;
	struct state st;
	struct keyring *k;
	char err[400];
};

static int
quiet(void **unused)
{
	(void)unused;
	log_init("test", LOG_L_ERROR);
	return sodium_init() == -1;
}

static void
box_open(struct box *b)
{
	memset(&b->st, 0, sizeof(b->st));
	b->err[0] = '\0';
	b->k = keyring_new();
	assert_non_null(b->k);
	b->ss = state_open(b->dir.path, 0, b->err, sizeof(b->err));
	assert_non_null(b->ss);
}

static void
box_close(struct box *b)
{
	state_close(b->ss);
	state_free(&b->st);
	keyring_free(b->k);
	b->ss = NULL;
}

static enum state_result
box_load(struct box *b, const char *url)
{
	box_open(b);
	return state_load(b->ss, url, &b->st, b->k, b->err, sizeof(b->err));
}

static int
box_save(struct box *b)
{
	return state_save(b->ss, &b->st, b->k, b->err, sizeof(b->err));
}

/* A first start: machine key made, then a node key as after a login.  Left open. */
static void
box_new(struct box *b)
{
	dir_make(&b->dir);
	assert_int_equal(box_load(b, URL_A), STATE_FRESH);
	assert_int_equal(keyring_generate(b->k, SLOT_NODE), 0);
	b->st.profile.user_id = 7;
	snprintf(b->st.profile.login_name, sizeof(b->st.profile.login_name), "ann@example.com");
	assert_int_equal(box_save(b), 0);
}

static void
box_end(struct box *b)
{
	if (b->ss != NULL)
		box_close(b);
	dir_remove(&b->dir);
}

static struct pubkey
pub(const struct box *b, enum key_slot s)
{
	return *keyring_public(b->k, s);
}

/* rows: PERS-01 PERS-02 */
static void
test_first_start_and_again(void **unused)
{
	struct box b;
	struct pubkey machine, node;
	struct stat st;
	char path[512], id[65];

	(void)unused;
	box_new(&b);
	machine = pub(&b, SLOT_MACHINE);
	node = pub(&b, SLOT_NODE);
	assert_int_equal(strlen(b.st.backend_log_id), 64);
	memcpy(id, b.st.backend_log_id, sizeof(id));
	assert_true(b.st.profile.want_running);
	assert_int_equal(stat(dir_path(&b.dir, "state", path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	b.st.profile.paused = 1;
	b.st.profile.want_running = 0;
	b.st.listen_port = 41000;
	b.st.profile.server_key = machine;
	b.st.profile.pin_source = PIN_ACCEPTED;
	b.st.profile.pin_since = (struct wtime){ 1800000000, 0 };
	b.st.profile.node_key_expiry = (struct wtime){ 1900000000, 5 };
	assert_int_equal(box_save(&b), 0);
	box_close(&b);

	assert_int_equal(box_load(&b, URL_A), STATE_OK);
	assert_true(key_equal(&machine, keyring_public(b.k, SLOT_MACHINE)));
	assert_true(key_equal(&node, keyring_public(b.k, SLOT_NODE)));
	assert_false(keyring_has(b.k, SLOT_OLD));
	assert_string_equal(b.st.backend_log_id, id);
	assert_int_equal(b.st.profile.paused, 1);
	assert_int_equal(b.st.profile.want_running, 0);
	assert_int_equal(b.st.listen_port, 41000);
	assert_int_equal(b.st.profile.user_id, 7);
	assert_string_equal(b.st.profile.login_name, "ann@example.com");
	assert_int_equal(b.st.profile.pin_source, PIN_ACCEPTED);
	assert_true(key_equal(&b.st.profile.server_key, &machine));
	assert_int_equal(b.st.profile.pin_since.sec, 1800000000);
	assert_int_equal(b.st.profile.node_key_expiry.sec, 1900000000);
	assert_int_equal(b.st.profile.node_key_expiry.nsec, 5);

	state_clear_profile(&b.st, b.k);
	assert_int_equal(box_save(&b), 0);
	box_close(&b);
	assert_int_equal(box_load(&b, URL_A), STATE_OK);
	assert_true(key_equal(&machine, keyring_public(b.k, SLOT_MACHINE)));
	assert_false(keyring_has(b.k, SLOT_NODE));
	assert_int_equal(b.st.profile.user_id, 0);
	box_end(&b);
}

/* rows: PERS-05 */
static void
test_unchanged_is_not_rewritten(void **unused)
{
	struct box b;
	struct stat before, after;
	char path[512];

	(void)unused;
	box_new(&b);
	box_close(&b);
	assert_int_equal(stat(dir_path(&b.dir, "state", path), &before), 0);
	assert_int_equal(box_load(&b, URL_A), STATE_OK);
	assert_int_equal(box_save(&b), 0);
	assert_int_equal(box_save(&b), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
	b.st.profile.paused = 1;
	assert_int_equal(box_save(&b), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	box_end(&b);
}

/* Whatever is wrong: refused, told, and every file as it was. */
static void
assert_unusable(struct box *b, const char *want)
{
	static char before[ROOM], after[ROOM];
	size_t n = dir_read(&b->dir, "state", before, sizeof(before));

	assert_int_equal(box_load(b, URL_A), STATE_UNUSABLE);
	if (strstr(b->err, want) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", want, b->err);
	box_close(b);
	assert_int_equal(dir_read(&b->dir, "state", after, sizeof(after)), n);
	assert_memory_equal(before, after, n);
	assert_false(dir_has(&b->dir, "state.tmp"));
}

/* rows: PERS-04 */
static void
test_every_truncation_and_flip(void **unused)
{
	static char good[ROOM], bad[ROOM];
	struct box b;
	size_t n, i;

	(void)unused;
	box_new(&b);
	box_close(&b);
	unlink(dir_path(&b.dir, "state.prev", bad));
	n = dir_read(&b.dir, "state", good, sizeof(good));
	assert_true(n > 300);
	for (i = 0; i < n; i++) {
		dir_write(&b.dir, "state", good, i, 0600);
		assert_unusable(&b, i == 0 ? "empty" : "state");
	}
	for (i = 0; i < n; i++) {
		memcpy(bad, good, n);
		bad[i] = (char)(bad[i] ^ 2);
		dir_write(&b.dir, "state", bad, n, 0600);
		assert_unusable(&b, "");
	}
	memset(bad, 'x', STATE_TEXT_MAX + 1);
	dir_write(&b.dir, "state", bad, STATE_TEXT_MAX + 1, 0600);
	assert_unusable(&b, "larger");
	dir_write(&b.dir, "state", good, n, 0600);
	assert_int_equal(box_load(&b, URL_A), STATE_OK);
	box_end(&b);
}

/* A file with this body and a right checksum. */
static void
write_summed(struct box *b, const char *name, const char *body)
{
	static char text[ROOM];
	uint8_t sum[32];
	char hex[65];
	int n;

	crypto_generichash(sum, sizeof(sum), (const uint8_t *)body, strlen(body), NULL, 0);
	hex_encode(sum, sizeof(sum), hex);
	n = snprintf(text, sizeof(text), "%ssum %s\n", body, hex);
	dir_write(&b->dir, name, text, (size_t)n, 0600);
}

#define K1   "1111111111111111111111111111111111111111111111111111111111111111"
#define HEAD "tailnetd-state 1\ncontrol-url " URL_A "\nmachine-key privkey:" K1 "\n"

/* rows: PERS-04 */
static void
test_malformed_lines(void **unused)
{
	static const struct {
		const char *body, *want;
	} cases[] = {
		{ "tailnetd-state 2\ncontrol-url " URL_A "\nfuture yes\n", "newer tailnetd (format 2)" },
		{ "tailnetd-state 0\n", "not a tailnetd state file" },
		{ "hello\n", "not a tailnetd state file" },
		{ "tailnetd-state 1\ncontrol-url " URL_A "\n", "lacks the machine key" },
		{ "tailnetd-state 1\nmachine-key privkey:" K1 "\n", "lacks the machine key" },
		{ HEAD "node-key privkey:11\n", "line 4 is malformed" },
		{ HEAD "node-key privkey:0000000000000000000000000000000000000000000000000000000000000000\n",
		    "malformed" },
		{ HEAD "node-key privkey:" K1 "\nnode-key privkey:" K1 "\n", "line 5 is malformed" },
		{ HEAD "candidate-node-key privkey:" K1 "\ncandidate-node-key privkey:" K1 "\n",
		    "line 5 is malformed" },
		{ HEAD "paused 2\n", "malformed" },
		{ HEAD "user-id 99999999999999999999\n", "malformed" },
		{ HEAD "listen-port 0\n", "malformed" },
		{ HEAD "listen-port 65536\n", "malformed" },
		{ HEAD "login-name a\xff\n", "malformed" },
		{ HEAD "server-key mkey:" K1 "\n", "malformed" },
		{ HEAD "server-key mkey:" K1 " stolen 2026-01-02T03:04:05Z\n", "malformed" },
		{ HEAD "server-key mkey:" K1 " config yesterday\n", "malformed" },
		{ HEAD "node-key-expiry soon\n", "malformed" },
	};
	struct box b;
	size_t i;

	(void)unused;
	dir_make(&b.dir);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_summed(&b, "state", cases[i].body);
		assert_unusable(&b, cases[i].want);
		assert_null(strstr(b.err, "1111")); /* a reason never quotes a key */
	}
	/* A newer file is not replaced by an older good one either. */
	write_summed(&b, "state", cases[0].body);
	write_summed(&b, "state.prev", HEAD);
	assert_unusable(&b, "newer");
	b.ss = NULL;
	box_end(&b);
}

static void
test_unknown_lines_are_kept(void **unused)
{
	static char text[ROOM];
	struct box b;

	(void)unused;
	dir_make(&b.dir);
	write_summed(&b, "state", HEAD "tka-head abc def\nlone\n");
	assert_int_equal(box_load(&b, URL_A), STATE_OK);
	b.st.profile.paused = 1;
	assert_int_equal(box_save(&b), 0);
	box_close(&b);
	dir_read(&b.dir, "state", text, sizeof(text));
	assert_non_null(strstr(text, "\ntka-head abc def\nlone\nsum "));
	assert_non_null(strstr(text, "\npaused 1\n"));
	assert_int_equal(box_load(&b, URL_A), STATE_OK);
	box_end(&b);
}

/* Memory that is missing is not a damaged file: no older version may take its place. */
static void
test_no_memory(void **unused)
{
#ifdef SANITIZED
	(void)unused;
	skip(); /* the sanitizer's allocator ends the process instead */
#else
	static char body[50000], text[ROOM];
	struct rlimit was, none;
	struct pile {
		struct pile *next;
	} *pile = NULL, *p;
	struct keyring *k = keyring_new();
	enum statetext_result r;
	struct state st = { 0 };
	char err[200] = "";
	struct box b;
	size_t n;

	(void)unused;
	dir_make(&b.dir);
	n = (size_t)snprintf(body, sizeof(body), HEAD "later ");
	memset(body + n, 'x', sizeof(body) - n - 2);
	body[sizeof(body) - 2] = '\n';
	write_summed(&b, "state", body);
	dir_read(&b.dir, "state", text, sizeof(text));
	assert_int_equal(statetext_parse(text, strlen(text), &st, k, err, sizeof(err)), STATETEXT_OK);
	assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
	none = (struct rlimit){ 0, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	state_free(&st);
	for (n = 0; n < 4096 && (p = malloc(32768)) != NULL; n++) {
		p->next = pile;
		pile = p;
	}
	r = statetext_parse(text, strlen(text), &st, k, err, sizeof(err));
	while ((p = pile) != NULL) {
		pile = p->next;
		free(p);
	}
	assert_int_equal(setrlimit(RLIMIT_AS, &was), 0);
	assert_true(n < 4096); /* the limit holds */
	assert_int_equal(r, STATETEXT_NO_MEMORY);
	assert_string_equal(err, "cannot be read: out of memory");
	assert_false(keyring_has(k, SLOT_MACHINE));
	keyring_free(k);
	dir_remove(&b.dir);
#endif
}

/* Texts a server chose can neither forge a line nor make the file unreadable. */
static void
test_texts_from_the_server(void **unused)
{
	struct box b;
	struct pubkey node;

	(void)unused;
	box_new(&b);
	node = pub(&b, SLOT_NODE);
	snprintf(b.st.profile.login_name, sizeof(b.st.profile.login_name), "eve\nnode-key privkey:" K1 "\nsum 0");
	snprintf(b.st.profile.display_name, sizeof(b.st.profile.display_name), "\xff\xfe half \xc3");
	memset(b.st.profile.profile_pic, 0x01, sizeof(b.st.profile.profile_pic) - 1);
	assert_int_equal(box_save(&b), 0);
	box_close(&b);
	assert_int_equal(box_load(&b, URL_A), STATE_OK);
	assert_true(key_equal(&node, keyring_public(b.k, SLOT_NODE)));
	assert_null(strchr(b.st.profile.login_name, '\n'));
	assert_null(b.st.extra);
	box_end(&b);
}

/* rows: PERS-04 */
static void
test_access(void **unused)
{
	struct box b;
	char path[512], other[512];

	(void)unused;
	box_new(&b);
	box_close(&b);
	dir_path(&b.dir, "state", path);
	assert_int_equal(chmod(path, 0640), 0);
	assert_unusable(&b, "chmod 600");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(link(path, dir_path(&b.dir, "copy", other)), 0);
	assert_unusable(&b, "hard link");
	assert_int_equal(unlink(other), 0);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink("copy", path), 0);
	assert_unusable(&b, "symbolic link");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(box_load(&b, URL_A), STATE_UNUSABLE);
	assert_non_null(strstr(b.err, "not a regular file"));
	box_close(&b);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(other, path), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
		assert_unusable(&b, "is owned by uid 12345");
		assert_int_equal(chown(path, 0, (gid_t)-1), 0);
	}
	assert_int_equal(box_load(&b, URL_A), STATE_OK);
	box_end(&b);
}

static void
assert_dir_refused(struct dir *d, const char *want)
{
	char err[400] = "";

	assert_null(state_open(d->path, 0, err, sizeof(err)));
	if (strstr(err, want) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", want, err);
}

static void
test_directory(void **unused)
{
	struct dir sub, d;
	struct stat st;
	struct box b;

	(void)unused;
	dir_make(&d);
	assert_int_equal(chmod(d.path, 0750), 0);
	assert_dir_refused(&d, "chmod 700");
	assert_int_equal(chmod(d.path, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(d.path, 12345, (gid_t)-1), 0);
		assert_dir_refused(&d, "is owned by uid 12345");
		assert_int_equal(chown(d.path, 0, (gid_t)-1), 0);
	}
	snprintf(sub.path, sizeof(sub.path), "%.200s/new", d.path);
	b.dir = sub;
	box_open(&b); /* made when missing */
	assert_int_equal(stat(sub.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_dir_refused(&sub, "another tailnetd is running");
	box_close(&b);
	box_open(&b); /* the lock was released with the store */
	box_close(&b);
	dir_remove(&sub);
	assert_int_equal(symlink(d.path, sub.path), 0);
	assert_dir_refused(&sub, "symbolic link");
	assert_int_equal(unlink(sub.path), 0);
	dir_write(&d, "new", "x", 1, 0600);
	assert_dir_refused(&sub, "is not a directory");
	dir_remove(&d);
}

/* rows: PERS-04 */
static void
test_recovery_from_prev(void **unused)
{
	static char prev[ROOM], after[ROOM];
	struct box b;
	struct pubkey machine, first, second;
	size_t n;

	(void)unused;
	box_new(&b);
	machine = pub(&b, SLOT_MACHINE);
	first = pub(&b, SLOT_NODE);
	keyring_copy(b.k, SLOT_OLD, SLOT_NODE);
	assert_int_equal(keyring_generate(b.k, SLOT_NODE), 0);
	assert_int_equal(box_save(&b), 0);
	second = pub(&b, SLOT_NODE);
	box_close(&b);
	dir_write(&b.dir, "state", "garbage", 7, 0600);
	assert_int_equal(box_load(&b, URL_A), STATE_RECOVERED);
	assert_true(key_equal(&machine, keyring_public(b.k, SLOT_MACHINE)));
	assert_true(key_equal(&first, keyring_public(b.k, SLOT_NODE)));
	/* The good version survives the next save, the damaged one does not. */
	n = dir_read(&b.dir, "state.prev", prev, sizeof(prev));
	assert_int_equal(box_save(&b), 0);
	box_close(&b);
	assert_int_equal(dir_read(&b.dir, "state.prev", after, sizeof(after)), n);
	assert_memory_equal(prev, after, n);
	assert_int_equal(box_load(&b, URL_A), STATE_OK);
	assert_true(key_equal(&first, keyring_public(b.k, SLOT_NODE)));
	assert_false(key_equal(&second, keyring_public(b.k, SLOT_NODE)));
	box_close(&b);

	dir_write(&b.dir, "state", "garbage", 7, 0600);
	dir_write(&b.dir, "state.prev", "garbage", 7, 0600);
	assert_unusable(&b, "no usable state.prev");
	dir_write(&b.dir, "state.prev", "", 0, 0600);
	dir_write(&b.dir, "state", "", 0, 0600);
	assert_unusable(&b, "empty");
	b.ss = NULL;
	box_end(&b);
}

/* rows: PERS-04 */
static void
test_missing_file(void **unused)
{
	struct box b;
	char path[512];

	(void)unused;
	box_new(&b);
	box_close(&b);
	unlink(dir_path(&b.dir, "state.prev", path));
	assert_int_equal(unlink(dir_path(&b.dir, "state", path)), 0);
	assert_int_equal(box_load(&b, URL_A), STATE_UNUSABLE);
	assert_non_null(strstr(b.err, ".initialised"));
	box_close(&b);
	assert_false(dir_has(&b.dir, "state"));
	/* The message's way out. */
	assert_int_equal(unlink(dir_path(&b.dir, ".initialised", path)), 0);
	assert_int_equal(box_load(&b, URL_A), STATE_FRESH);
	box_end(&b);
}

/* OpenBSD's faccessat(2) knows AT_EACCESS only (G3 of the faults): the tests here hold with it. */
int
faccessat(int dirfd, const char *name, int mode, int flag)
{
	struct stat st;

	(void)mode;
	if ((flag & ~AT_EACCESS) != 0) {
		errno = EINVAL;
		return -1;
	}
	return fstatat(dirfd, name, &st, 0);
}

/* Whatever an identity leaves behind prevents a new one, not the marker alone (G1 of the faults). */
/* rows: PERS-04 */
static void
test_trace_of_an_earlier_life(void **unused)
{
	static const char *const traces[] = { "state.0123456789abcdef", "state.bak", "netmap.cache",
		"state.spare.tmp" };
	static const char *const others[] = { "state.tmp", "netmap.cache.tmp", "lost+found", "statefile" };
	char path[512];
	struct box b;
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
		memset(&b, 0, sizeof(b));
		dir_make(&b.dir);
		dir_write(&b.dir, traces[i], "x", 1, 0600);
		assert_int_equal(box_load(&b, URL_A), STATE_UNUSABLE);
		assert_non_null(strstr(b.err, "this machine had an identity"));
		assert_non_null(strstr(b.err, traces[i]));
		assert_false(dir_has(&b.dir, "state") || dir_has(&b.dir, ".initialised"));
		box_close(&b);
		assert_int_equal(unlink(dir_path(&b.dir, traces[i], path)), 0);
		assert_int_equal(box_load(&b, URL_A), STATE_FRESH);
		box_end(&b);
	}
	/* What a first start that was cut off leaves, and what is not ours. */
	memset(&b, 0, sizeof(b));
	dir_make(&b.dir);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		dir_write(&b.dir, others[i], "x", 1, 0600);
	if (box_load(&b, URL_A) != STATE_FRESH)
		fail_msg("%s", b.err);
	box_end(&b);
}

/* The number of identities kept for other URLs. */
static int
profiles(const struct dir *d)
{
	DIR *dp = opendir(d->path);
	struct dirent *e;
	int n = 0;

	assert_non_null(dp);
	while ((e = readdir(dp)) != NULL)
		n += strlen(e->d_name) == 6 + 16;
	closedir(dp);
	return n;
}

static void
test_profiles(void **unused)
{
	struct box b;
	struct pubkey machine_a, node_a, machine_b;

	(void)unused;
	box_new(&b);
	machine_a = pub(&b, SLOT_MACHINE);
	node_a = pub(&b, SLOT_NODE);
	box_close(&b);
	assert_int_equal(box_load(&b, URL_B), STATE_FRESH);
	machine_b = pub(&b, SLOT_MACHINE);
	assert_false(key_equal(&machine_a, &machine_b));
	assert_false(keyring_has(b.k, SLOT_NODE));
	assert_string_equal(b.st.profile.login_name, "");
	assert_string_equal(b.st.control_url, URL_B);
	box_close(&b);
	assert_int_equal(box_load(&b, URL_B), STATE_OK);
	assert_true(key_equal(&machine_b, keyring_public(b.k, SLOT_MACHINE)));
	box_close(&b);
	assert_int_equal(box_load(&b, URL_A), STATE_OK);
	assert_true(key_equal(&machine_a, keyring_public(b.k, SLOT_MACHINE)));
	assert_true(key_equal(&node_a, keyring_public(b.k, SLOT_NODE)));
	assert_string_equal(b.st.profile.login_name, "ann@example.com");
	assert_int_equal(profiles(&b.dir), 1); /* no copy of the one in use stays behind */
	box_close(&b);
	assert_int_equal(box_load(&b, URL_B), STATE_OK);
	assert_true(key_equal(&machine_b, keyring_public(b.k, SLOT_MACHINE)));
	box_end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_start_and_again),
		cmocka_unit_test(test_unchanged_is_not_rewritten),
		cmocka_unit_test(test_every_truncation_and_flip),
		cmocka_unit_test(test_malformed_lines),
		cmocka_unit_test(test_unknown_lines_are_kept),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_texts_from_the_server),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_recovery_from_prev),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_trace_of_an_earlier_life),
		cmocka_unit_test(test_profiles),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
