/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "secret.h"
#include "statedisk.h"

#define PIECE 4096

static long
real_write(int fd, const void *p, size_t n)
{
	return write(fd, p, n);
}

static int
real_create(int dirfd, const char *name, int flags)
{
	return openat(dirfd, name, flags, 0600);
}

struct state_io
state_io_complete(const struct state_io *io)
{
	struct state_io all = { real_write, fsync, linkat, renameat, real_create, unlinkat };

	if (io == NULL)
		return all;
	if (io->write != NULL)
		all.write = io->write;
	if (io->fsync != NULL)
		all.fsync = io->fsync;
	if (io->linkat != NULL)
		all.linkat = io->linkat;
	if (io->renameat != NULL)
		all.renameat = io->renameat;
	if (io->create != NULL)
		all.create = io->create;
	if (io->unlinkat != NULL)
		all.unlinkat = io->unlinkat;
	return all;
}

int
statedisk_sync(const struct state_io *io, int dirfd)
{
	static int said;

	if (io->fsync(dirfd) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOTSUP)
		return -1;
	if (!said++)
		log_warnx("the file system of the state directory cannot sync a directory: after a power cut the state "
			  "may be the one before");
	return 0;
}

/* fstatat(2), because faccessat(2) of OpenBSD knows no AT_SYMLINK_NOFOLLOW (EINVAL). */
int
statedisk_has(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

int
statedisk_trace(int dirfd, char *name, size_t size)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = 0;
	DIR *dp = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (dp == NULL) {
		if (fd != -1)
			close(fd);
		snprintf(name, size, ".");
		return 1;
	}
	while (!found && (e = readdir(dp)) != NULL) {
		found = strcmp(e->d_name, "netmap.cache") == 0 ||
		    (strncmp(e->d_name, F_STATE ".", sizeof(F_STATE)) == 0 && strcmp(e->d_name, F_TEMP) != 0);
		if (found)
			snprintf(name, size, "%s", e->d_name);
	}
	closedir(dp);
	return found;
}

static int
write_all(const struct state_io *io, int fd, const char *p, size_t n)
{
	while (n > 0) {
		long w = io->write(fd, p, n);

		if (w == -1 && errno == EINTR)
			continue;
		if (w <= 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* A temporary name may be left of a save that was cut off.  No other process has it: we hold the lock. */
static int
new_file(const struct state_io *io, int dirfd, const char *name)
{
	(void)io->unlinkat(dirfd, name, 0);
	return io->create(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC);
}

static int
close_with(int fd, int rv)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return rv;
}

/* The contents are keys: they pass through memory for secrets. */
static int
copy_state(const struct state_io *io, int dirfd, int to)
{
	int from = openat(dirfd, F_STATE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), rv = 0;
	struct secret *area;
	char *piece;
	ssize_t n;

	if (from == -1)
		return -1;
	if ((area = secret_new(PIECE)) == NULL)
		return close_with(from, -1);
	piece = secret_open(area);
	while (rv == 0 && (n = read(from, piece, PIECE)) != 0)
		rv = n == -1 ? -1 : write_all(io, to, piece, (size_t)n);
	rv = close_with(from, rv == 0 ? io->fsync(to) : -1);
	secret_close(area);
	secret_free(area);
	return rv;
}

static int
copy_spare(const struct state_io *io, int dirfd, const char **step)
{
	int fd, rv;

	*step = "copying it to " F_SPARE " (the file system has no hard links)";
	if ((fd = new_file(io, dirfd, F_SPARE)) == -1)
		return -1;
	rv = copy_state(io, dirfd, fd);
	return close_with(fd, rv);
}

static void
drop(const struct state_io *io, int dirfd, const char *name)
{
	int saved = errno;

	(void)io->unlinkat(dirfd, name, 0);
	errno = saved;
}

/* One that a cut-off save has left may have keys that a logout has erased: it must go. */
static int
clear_spare(const struct state_io *io, int dirfd, const char **step)
{
	*step = "removing " F_SPARE;
	return io->unlinkat(dirfd, F_SPARE, 0) == -1 && errno != ENOENT ? -1 : 0;
}

int
statedisk_spare(const struct state_io *io, int dirfd, const char *name, const char **step)
{
	if (clear_spare(io, dirfd, step) == -1)
		return -1;
	if (!statedisk_has(dirfd, F_STATE))
		return 0;
	if (io->linkat(dirfd, F_STATE, dirfd, F_SPARE, 0) == -1 && copy_spare(io, dirfd, step) == -1) {
		drop(io, dirfd, F_SPARE);
		return -1;
	}
	*step = "renaming " F_SPARE;
	if (io->renameat(dirfd, F_SPARE, dirfd, name) == -1) {
		drop(io, dirfd, F_SPARE);
		return -1;
	}
	/* rename(2) leaves both names when they lead to the same file, as after a save that was cut off here. */
	return clear_spare(io, dirfd, step);
}

static int
write_temp(const struct state_io *io, int dirfd, const char *text, size_t len, const char **step)
{
	int fd;

	*step = "making " F_TEMP;
	if ((fd = new_file(io, dirfd, F_TEMP)) == -1)
		return -1;
	*step = "writing " F_TEMP;
	if (write_all(io, fd, text, len) == -1)
		return close_with(fd, -1);
	*step = "fsync of " F_TEMP;
	return close_with(fd, io->fsync(fd));
}

static int
prepare(const struct state_io *io, int dirfd, const char *text, size_t len, int keep_prev, const char **step)
{
	if (write_temp(io, dirfd, text, len, step) == -1)
		return -1;
	if ((keep_prev ? clear_spare(io, dirfd, step) : statedisk_spare(io, dirfd, F_PREV, step)) == -1)
		return -1;
	*step = "renaming " F_TEMP;
	return io->renameat(dirfd, F_TEMP, dirfd, F_STATE);
}

int
statedisk_replace(const struct state_io *io, int dirfd, const char *text, size_t len, int keep_prev, int *renamed,
    const char **step)
{
	*renamed = 0;
	if (prepare(io, dirfd, text, len, keep_prev, step) == -1) {
		if (errno == EBUSY)
			*step = "renaming " F_TEMP " (a mount on the file itself? mount the directory instead)";
		drop(io, dirfd, F_TEMP);
		return -1;
	}
	*renamed = 1;
	*step = "fsync of the directory";
	return statedisk_sync(io, dirfd); /* not before this is the new version durable */
}
