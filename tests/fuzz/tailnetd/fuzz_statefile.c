/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>

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
#include "text.h"

/*
 * The state directory with any content (security.md D10): a start, a save, a logout, another start.  First bytes:
 * what is odd about the directory, about state and about state.prev, which call of a save fails.  Then both texts,
 * 0xff between them; the checksums are put behind them.  Whatever happens: no second identity where there was one,
 * and what was saved is what is loaded.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define URL "http://127.0.0.1:9"

static char dir[64];
static unsigned calls, fail_at; /* 0: none fails */

static void
need(int ok)
{
	if (!ok)
		abort();
}

static int
fails(void)
{
	if (fail_at == 0 || ++calls != fail_at)
		return 0;
	errno = ENOSPC;
	return 1;
}

static long
io_write(int fd, const void *p, size_t n)
{
	if (fails())
		return -1;
	if (n > 100 && fail_at != 0 && calls == fail_at + 1) { /* short, interrupted */
		calls++;
		errno = EINTR;
		return calls % 2 ? -1 : (long)write(fd, p, 50);
	}
	return write(fd, p, n);
}

static int
io_fsync(int fd)
{
	(void)fd;
	return fails() ? -1 : 0;
}

static int
io_linkat(int ofd, const char *o, int nfd, const char *n, int flag)
{
	return fails() ? -1 : linkat(ofd, o, nfd, n, flag);
}

static int
io_renameat(int ofd, const char *o, int nfd, const char *n)
{
	return fails() ? -1 : renameat(ofd, o, nfd, n);
}

static int
io_create(int dirfd, const char *name, int flags)
{
	return fails() ? -1 : openat(dirfd, name, flags, 0600);
}

static int
io_unlinkat(int dirfd, const char *name, int flag)
{
	return fails() ? -1 : unlinkat(dirfd, name, flag);
}

static const struct state_io io = { io_write, io_fsync, io_linkat, io_renameat, io_create, io_unlinkat };

static void
quiet(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

static void
path_of(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", dir, name);
}

/* how: 0 a good file, else what is wrong with it; 15: there is none. */
static void
put(const char *name, const uint8_t *text, size_t n, int how)
{
	char path[128], other[128], hex[65];
	uint8_t sum[32];
	int fd;

	path_of(path, sizeof(path), name);
	path_of(other, sizeof(other), "other");
	if (how == 15)
		return;
	if (how == 1) {
		need(mkdir(path, 0700) == 0);
		return;
	}
	if (how == 2) {
		need(symlink("/etc/hostname", path) == 0);
		return;
	}
	need((fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600)) != -1);
	need(write(fd, text, n) == (ssize_t)n);
	if (how != 3) {
		crypto_generichash(sum, sizeof(sum), text, n, NULL, 0);
		hex_encode(sum, sizeof(sum), hex);
		need(dprintf(fd, "sum %s\n", hex) == 69);
	}
	if (how == 4)
		(void)!ftruncate(fd, 70000);
	if (how == 5)
		need(fchmod(fd, 0644) == 0);
	if (how == 6)
		(void)!fchown(fd, 65534, 65534);
	if (how == 7)
		need(link(path, other) == 0 || errno == EEXIST); /* the other text has it already */
	if (how == 8) {                                          /* our own second name: fine */
		path_of(other, sizeof(other), "state.1234");
		need(link(path, other) == 0 || errno == EEXIST); /* the other text has it already */
	}
	close(fd);
}

/* Where an identity for URL is kept while another server's is in use. */
static const char *
profile(void)
{
	static char name[32] = "state.";
	uint8_t h[16];

	crypto_generichash(h, sizeof(h), (const uint8_t *)URL, strlen(URL), NULL, 0);
	hex_encode(h, 8, name + 6);
	return name;
}

static void
sweep(void)
{
	char command[128];
	struct stat st;

	if (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode))
		(void)chmod(dir, 0700);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	need(system(command) == 0); /* NOLINT: a fuzz target */
}

/* One start; -1: refused.  The machine's public key in machine. */
static int
start(struct pubkey *machine, int odd, int save)
{
	struct state_store *ss;
	struct keyring *k = keyring_new();
	struct state st;
	char err[600] = "";
	enum state_result r;

	need(k != NULL);
	if ((ss = state_open(dir, 0, err, sizeof(err))) == NULL) {
		need(err[0] != '\0');
		keyring_free(k);
		return -1;
	}
	if (odd == 1)
		need(state_open(dir, 0, err, sizeof(err)) == NULL); /* one at a time */
	state_set_io(ss, &io);
	r = state_load(ss, URL, &st, k, err, sizeof(err));
	need(r != STATE_UNUSABLE || err[0] != '\0');
	if (r != STATE_UNUSABLE) {
		need(keyring_has(k, SLOT_MACHINE));
		*machine = *keyring_public(k, SLOT_MACHINE);
		if (save == 1) {
			st.profile.paused = !st.profile.paused;
			if (state_save(ss, &st, k, err, sizeof(err)) == -1)
				need(err[0] != '\0');
			(void)state_save(ss, &st, k, err, sizeof(err)); /* nothing new */
		} else if (save == 2) {
			state_clear_profile(&st, k);
			(void)state_save_erased(ss, &st, k, err, sizeof(err));
		}
	}
	state_free(&st);
	keyring_free(k);
	state_close(ss);
	return r == STATE_UNUSABLE ? -1 : 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pubkey first, second;
	const uint8_t *prev;
	size_t n;
	int odd, ok;

	if (size < 5)
		return 0;
	log_to_sink(quiet, NULL);
	snprintf(dir, sizeof(dir), "/tmp/fuzzstateXXXXXX");
	need(mkdtemp(dir) != NULL);
	odd = data[0] % 8;
	prev = memchr(data + 5, 0xff, size - 5);
	n = (size_t)((prev != NULL ? prev : data + size) - data) - 5;
	put("state", data + 5, n, data[1] % 16);
	if (prev != NULL)
		put((data[4] & 8) != 0 ? profile() : "state.prev", prev + 1, size - 5 - n - 1, data[2] % 16);
	if ((data[4] & 4) != 0)
		put(".initialised", data, 0, 3);
	if (odd == 2)
		need(chmod(dir, 0777) == 0);
	if (odd == 3)
		(void)!chown(dir, 65534, 65534);
	if (odd >= 4 && odd <= 6) { /* there is none; another thing has its name; its parent is missing, too */
		sweep();
		if (odd == 6)
			strlcat(dir, "/state", sizeof(dir));
		if (odd == 5)
			need(symlink("/nonexistent/dir", dir) == 0);
	}
	calls = 0;
	fail_at = data[3] % 64;
	ok = start(&first, odd, data[4] % 3);
	fail_at = 0;
	if (start(&second, 0, 1) == 0 && ok == 0 && fail_at == 0)
		need(key_equal(&first, &second));
	sweep();
	return 0;
}
