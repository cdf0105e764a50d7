/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/file.h>
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
#include "secret.h"
#include "state.h"
#include "statedisk.h"
#include "statemount.h"
#include "statetext.h"

#define F_MARKER ".initialised"
#define SUM_LEN  32

struct state_store {
	int dirfd;
	uid_t owner;
	struct secret *area;    /* STATE_TEXT_MAX + 1 bytes: the text of the file, built and parsed here only */
	uint8_t saved[SUM_LEN]; /* hash of what is on disk (PERS-05) */
	int have_saved;
	int keep_prev; /* the present file is bad: state.prev must survive the next save */
	int erasing;   /* the previous version still has keys that a logout has erased */
	struct state_io io;
	char dir[1024];
};

void
state_set_io(struct state_store *ss, const struct state_io *io)
{
	ss->io = state_io_complete(io);
}

/* --- the directory --- */

int
state_dir(const struct state_store *ss, uid_t *owner, const char **name, const struct state_io **io)
{
	*owner = ss->owner;
	*name = ss->dir;
	*io = &ss->io;
	return ss->dirfd;
}

static int
check_dir(const struct state_store *ss, char *err, size_t errsize)
{
	struct stat st;

	if (fstat(ss->dirfd, &st) == -1) {
		snprintf(err, errsize, "state directory %s: %s", ss->dir, strerror(errno));
		return -1;
	}
	if (st.st_uid != ss->owner) {
		snprintf(err, errsize, "state directory %s is owned by uid %u; chown it to uid %u", ss->dir, st.st_uid,
		    ss->owner);
		return -1;
	}
	if ((st.st_mode & 077) != 0) {
		snprintf(err, errsize, "state directory %s can be accessed by other users (mode %04o); chmod 700 it",
		    ss->dir, st.st_mode & 07777);
		return -1;
	}
	return 0;
}

/* The directory is new: its name must be durable as well, or the first identity may be lost after its use (D10). */
static int
sync_parent(const struct state_store *ss)
{
	int fd = openat(ss->dirfd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rv;

	if (fd == -1)
		return errno == EACCES ? 0
				       : -1; /* we may not read it: rely on the order in which the file system writes */
	rv = statedisk_sync(&ss->io, fd);
	close(fd);
	return rv;
}

struct state_store *
state_open(const char *dir, int need_root, char *err, size_t errsize)
{
	struct state_store *ss;
	int made;

	if ((ss = calloc(1, sizeof(*ss))) == NULL || (ss->area = secret_new(STATE_TEXT_MAX + 1)) == NULL) {
		snprintf(err, errsize, "no locked memory for the state: %s", strerror(errno));
		free(ss);
		return NULL;
	}
	state_set_io(ss, NULL);
	snprintf(ss->dir, sizeof(ss->dir), "%s", dir);
	ss->owner = need_root ? 0 : geteuid();
	ss->dirfd = -1;
	made = mkdir(dir, 0700) == 0;
	if (!made && errno != EEXIST) {
		snprintf(err, errsize, "state directory %s: %s", dir, strerror(errno));
		goto fail;
	}
	if ((ss->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1) {
		snprintf(err, errsize, "state directory %s: %s", dir,
		    errno == ELOOP || errno == ENOTDIR ? "is not a directory (or is a symbolic link)"
						       : strerror(errno));
		goto fail;
	}
	if (check_dir(ss, err, errsize) == -1)
		goto fail;
	if (flock(ss->dirfd, LOCK_EX | LOCK_NB) == -1) {
		snprintf(err, errsize, "state directory %s: %s", dir,
		    errno == EWOULDBLOCK ? "another tailnetd is running on it" : strerror(errno));
		goto fail;
	}
	if (made && sync_parent(ss) == -1) {
		snprintf(err, errsize, "cannot sync the parent of state directory %s: %s", dir, strerror(errno));
		goto fail;
	}
	log_debug("secrets are kept in memory of kind %s", secret_backend());
	return ss;
fail:
	state_close(ss);
	return NULL;
}

void
state_close(struct state_store *ss)
{
	if (ss == NULL)
		return;
	if (ss->dirfd != -1)
		close(ss->dirfd); /* gives the lock back */
	secret_free(ss->area);
	free(ss);
}

/* --- reading --- */

enum file_result { FILE_READ, FILE_MISSING, FILE_BAD_ACCESS, FILE_TOO_LARGE };

/* How many of the names that this file makes - state, state.prev, state.<profile> - lead to that file. */
static nlink_t
count_names(const struct state_store *ss, ino_t ino)
{
	struct dirent *e;
	struct stat st;
	nlink_t n = 0;
	DIR *dp;
	int fd;

	if ((fd = openat(ss->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return 0;
	if ((dp = fdopendir(fd)) == NULL) {
		close(fd);
		return 0;
	}
	while ((e = readdir(dp)) != NULL)
		if ((strcmp(e->d_name, F_STATE) == 0 || strncmp(e->d_name, F_STATE ".", sizeof(F_STATE)) == 0) &&
		    fstatat(ss->dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == ino)
			n++;
	closedir(dp);
	return n;
}

/* More than one name is fine when all are ours: a save or a change of profile was cut between link and rename. */
static int
links_ok(const struct state_store *ss, const struct stat *st)
{
	return st->st_nlink == 1 || count_names(ss, st->st_ino) == st->st_nlink;
}

static const char *
access_fault(const struct state_store *ss, const struct stat *st, char *text, size_t size)
{
	if (!S_ISREG(st->st_mode))
		snprintf(text, size, "is not a regular file; move it away");
	else if (st->st_uid != ss->owner)
		snprintf(text, size, "is owned by uid %u; chown it to uid %u", st->st_uid, ss->owner);
	else if ((st->st_mode & 077) != 0)
		snprintf(text, size,
		    "can be accessed by other users (mode %04o); chmod 600 it, and consider its keys known",
		    st->st_mode & 07777);
	else if (!links_ok(ss, st))
		snprintf(text, size, "has more than one hard link; remove the others");
	else
		return NULL;
	return text;
}

static enum file_result
read_file(struct state_store *ss, const char *name, char *text, size_t *len, char *err, size_t errsize)
{
	char fault[160] = "cannot be examined";
	struct stat st;
	ssize_t n;
	int fd;

	if ((fd = openat(ss->dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)) == -1) {
		snprintf(err, errsize, "%s/%s: %s", ss->dir, name,
		    errno == ELOOP ? "is a symbolic link; move it away" : strerror(errno));
		return errno == ENOENT ? FILE_MISSING : FILE_BAD_ACCESS;
	}
	if (fstat(fd, &st) == -1 || access_fault(ss, &st, fault, sizeof(fault)) != NULL) {
		snprintf(err, errsize, "%s/%s %s", ss->dir, name, fault);
		close(fd);
		return FILE_BAD_ACCESS;
	}
	for (*len = 0; (n = read(fd, text + *len, STATE_TEXT_MAX + 1 - *len)) > 0;)
		*len += (size_t)n;
	if (n == -1)
		snprintf(err, errsize, "%s/%s: %s", ss->dir, name, strerror(errno));
	else if (*len > STATE_TEXT_MAX)
		snprintf(err, errsize, "%s/%s is larger than a state file can be", ss->dir, name);
	close(fd);
	return n == -1 ? FILE_BAD_ACCESS : *len > STATE_TEXT_MAX ? FILE_TOO_LARGE : FILE_READ;
}

enum load { LOAD_OK, LOAD_MISSING, LOAD_CORRUPT, LOAD_REFUSED };

static enum load
load_file(struct state_store *ss, const char *name, struct state *st, struct keyring *k, char *err, size_t errsize)
{
	enum statetext_result r;
	char *text = secret_open(ss->area), why[160];
	enum load rv = LOAD_OK;
	size_t len = 0;

	switch (read_file(ss, name, text, &len, err, errsize)) {
	case FILE_MISSING: rv = LOAD_MISSING; break;
	case FILE_BAD_ACCESS: rv = LOAD_REFUSED; break;
	case FILE_TOO_LARGE: rv = LOAD_CORRUPT; break;
	case FILE_READ:
		if ((r = statetext_parse(text, len, st, k, why, sizeof(why))) != STATETEXT_OK) {
			snprintf(err, errsize, "%s/%s %s", ss->dir, name, why);
			rv = r == STATETEXT_CORRUPT ? LOAD_CORRUPT : LOAD_REFUSED;
			break;
		}
		crypto_generichash(ss->saved, SUM_LEN, (const uint8_t *)text, len, NULL, 0);
		break;
	}
	sodium_memzero(text, STATE_TEXT_MAX + 1);
	secret_close(ss->area);
	return rv;
}

/* --- writing --- */

static int
replace_file(struct state_store *ss, const char *text, size_t len, const char **step)
{
	int renamed, rv;

	rv = statedisk_replace(&ss->io, ss->dirfd, text, len, ss->keep_prev, &renamed, step);
	if (renamed)
		ss->keep_prev = 0;
	return rv;
}

/* After a logout everything is written twice: then the previous version has no key, either. */
static int
replace(struct state_store *ss, const char *text, size_t len, const char **step)
{
	int rv = replace_file(ss, text, len, step);

	if (rv == 0 && ss->erasing && (rv = replace_file(ss, text, len, step)) == 0)
		ss->erasing = 0;
	return rv;
}

int
state_save(struct state_store *ss, const struct state *st, const struct keyring *k, char *err, size_t errsize)
{
	char *text = secret_open(ss->area);
	uint8_t sum[SUM_LEN];
	size_t len = statetext_build(st, k, text);
	const char *step = "";
	int rv = -1;

	if (len == 0)
		snprintf(err, errsize, "state does not fit its file");
	else {
		crypto_generichash(sum, sizeof(sum), (const uint8_t *)text, len, NULL, 0);
		if (ss->have_saved && !ss->erasing && memcmp(sum, ss->saved, sizeof(sum)) == 0)
			rv = 0;
		else if ((rv = replace(ss, text, len, &step)) == 0) {
			memcpy(ss->saved, sum, sizeof(sum));
			ss->have_saved = 1;
		} else {
			snprintf(err, errsize, "cannot save %s/%s: %s: %s", ss->dir, F_STATE, step, strerror(errno));
			ss->have_saved = 0; /* the rename may have happened: write again next time */
		}
	}
	sodium_memzero(text, STATE_TEXT_MAX);
	secret_close(ss->area);
	return rv;
}

int
state_save_erased(struct state_store *ss, const struct state *st, const struct keyring *k, char *err, size_t errsize)
{
	ss->erasing = 1;
	return state_save(ss, st, k, err, errsize);
}

static int
set_marker(struct state_store *ss)
{
	int fd = ss->io.create(ss->dirfd, F_MARKER, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1)
		return -1;
	close(fd);
	return statedisk_sync(&ss->io, ss->dirfd);
}

/* --- profiles: one per control URL (security.md D9) --- */

static void
profile_name(const char *url, char out[32])
{
	uint8_t h[16];

	crypto_generichash(h, sizeof(h), (const uint8_t *)url, strlen(url), NULL, 0);
	memcpy(out, "state.", 6);
	hex_encode(h, 8, out + 6);
}

static void
fresh(struct state *st, const char *url)
{
	uint8_t id[32];

	state_free(st);
	memset(st, 0, sizeof(*st));
	snprintf(st->control_url, sizeof(st->control_url), "%s", url);
	st->profile.want_running = 1;
	st->profile.node_key_expiry = st->profile.pin_since = TIME_NONE;
	randombytes_buf(id, sizeof(id));
	hex_encode(id, sizeof(id), st->backend_log_id);
}

static enum state_result
make_fresh(struct state_store *ss, const char *url, struct state *st, struct keyring *k, char *err, size_t errsize)
{
	fresh(st, url);
	keyring_clear(k, SLOT_NODE);
	keyring_clear(k, SLOT_OLD);
	keyring_clear(k, SLOT_CANDIDATE);
	if (keyring_generate(k, SLOT_MACHINE) == -1) {
		snprintf(err, errsize, "cannot make a machine key");
		return STATE_UNUSABLE;
	}
	if (state_save(ss, st, k, err, errsize) == -1)
		return STATE_UNUSABLE;
	if (set_marker(ss) == -1) {
		snprintf(err, errsize, "%s/%s: %s", ss->dir, F_MARKER, strerror(errno));
		return STATE_UNUSABLE;
	}
	return STATE_FRESH;
}

/* The file is of another server: keep it under a second name, and load or make the one of this server. */
static enum state_result
switch_profile(struct state_store *ss, const char *url, struct state *st, struct keyring *k, char *err, size_t errsize)
{
	char aside[32], mine[32];
	const char *step = "fsync of the directory";

	profile_name(st->control_url, aside);
	profile_name(url, mine);
	log_warnx("control-url changed from %s to %s: the identity for the old one is kept in %s/%s", st->control_url,
	    url, ss->dir, aside);
	if (statedisk_spare(&ss->io, ss->dirfd, aside, &step) == -1 || statedisk_sync(&ss->io, ss->dirfd) == -1) {
		snprintf(err, errsize, "cannot keep the old identity in %s/%s: %s: %s", ss->dir, aside, step,
		    strerror(errno));
		return STATE_UNUSABLE;
	}
	/* It belongs to the old profile, whose newest version now has its second name. */
	(void)ss->io.unlinkat(ss->dirfd, F_PREV, 0);
	ss->have_saved = 0;
	ss->keep_prev = 1;
	switch (load_file(ss, mine, st, k, err, errsize)) {
	case LOAD_OK:
		if (strcmp(st->control_url, url) == 0) {
			if (state_save(ss, st, k, err, errsize) == -1)
				return STATE_UNUSABLE;
			(void)ss->io.unlinkat(ss->dirfd, mine,
			    0); /* a copy would keep keys that a later logout forgets */
			return STATE_OK;
		}
		snprintf(err, errsize, "%s/%s holds another server's identity; move it away", ss->dir, mine);
		return STATE_UNUSABLE;
	case LOAD_MISSING: return make_fresh(ss, url, st, k, err, errsize);
	default: return STATE_UNUSABLE;
	}
}

/* No state file at all.  A new identity is made only where nothing shows an earlier one (security.md D10). */
static int
may_be_new(const struct state_store *ss, char *err, size_t errsize)
{
	char name[64] = F_MARKER;

	if (statedisk_has(ss->dirfd, F_MARKER) || statedisk_trace(ss->dirfd, name, sizeof(name))) {
		snprintf(err, errsize,
		    "%s: the state file is missing, but this machine had an identity; restore it, or remove %s/%s to "
		    "become a new machine",
		    ss->dir, ss->dir, name);
		return 0;
	}
	return !statemount_missing(STATEMOUNT_FSTAB, ss->dir, err, errsize);
}

static enum state_result
recover(struct state_store *ss, enum load why, struct state *st, struct keyring *k, char *err, size_t errsize)
{
	char prev_err[300];

	switch (load_file(ss, F_PREV, st, k, prev_err, sizeof(prev_err))) {
	case LOAD_OK:
		log_warnx("%s; using the previous version (%s)", err, F_PREV);
		ss->keep_prev = 1;
		ss->have_saved = 0;
		return STATE_RECOVERED;
	case LOAD_MISSING:
		if (why == LOAD_MISSING)
			return may_be_new(ss, err, errsize) ? STATE_FRESH : STATE_UNUSABLE;
		break;
	default:
		if (why == LOAD_MISSING)
			snprintf(err, errsize, "%s/%s is missing and %s", ss->dir, F_STATE, prev_err);
		break;
	}
	if (why == LOAD_CORRUPT) {
		size_t n = strlen(err);

		snprintf(err + n, errsize - n, " and there is no usable %s; restore one of them from a backup", F_PREV);
	}
	return STATE_UNUSABLE;
}

enum state_result
state_load(struct state_store *ss, const char *url, struct state *st, struct keyring *k, char *err, size_t errsize)
{
	enum state_result rv = STATE_OK;
	enum load l;

	memset(st, 0, sizeof(*st));
	l = load_file(ss, F_STATE, st, k, err, errsize);
	if (l == LOAD_REFUSED)
		return STATE_UNUSABLE;
	ss->have_saved = l == LOAD_OK;
	if (l != LOAD_OK)
		rv = recover(ss, l, st, k, err, errsize);
	if (rv == STATE_FRESH)
		return make_fresh(ss, url, st, k, err, errsize);
	if (rv == STATE_OK && strcmp(st->control_url, url) != 0)
		return switch_profile(ss, url, st, k, err, errsize);
	if (rv == STATE_RECOVERED && strcmp(st->control_url, url) != 0) {
		snprintf(err, errsize,
		    "%s/%s is damaged and its older version is for another control-url; restore it first", ss->dir,
		    F_STATE);
		return STATE_UNUSABLE;
	}
	if (rv == STATE_OK && !statedisk_has(ss->dirfd, F_MARKER))
		(void)set_marker(ss);
	return rv;
}

void
state_clear_profile(struct state *st, struct keyring *k)
{
	keyring_clear(k, SLOT_NODE);
	keyring_clear(k, SLOT_OLD);
	keyring_clear(k, SLOT_CANDIDATE);
	profile_forget_login(&st->profile);
}

void
state_free(struct state *st)
{
	struct state_extra *e;

	while ((e = st->extra) != NULL) {
		st->extra = e->next;
		freezero(e, sizeof(*e) + e->len); /* a later version may keep a secret there */
	}
}
