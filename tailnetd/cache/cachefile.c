/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cachefile.h"
#include "msgs.h"
#include "statedisk.h"

void
cachefile_init(struct cachefile *cf, const struct state_store *store)
{
	memset(cf, 0, sizeof(*cf));
	cf->dirfd = state_dir(store, &cf->owner, &cf->dir, &cf->io);
	cf->temp = -1;
	(void)cf->io->unlinkat(cf->dirfd, CACHEFILE_TEMP, 0);
}

/* Why a file cannot be what our commit left, or NULL. */
static const char *
fault(const struct cachefile *cf, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (st->st_uid != cf->owner)
		return "is owned by another user";
	if ((st->st_mode & 07077) != 0)
		return "can be accessed by other users";
	if (st->st_nlink != 1)
		return "has more than one hard link";
	if (st->st_size <= 0)
		return "is empty";
	if ((uint64_t)st->st_size > IPC_CACHE_MAX)
		return "is larger than a cache can be";
	return NULL;
}

int
cachefile_open(const struct cachefile *cf, uint64_t *size, char *err, size_t errsize)
{
	const char *why;
	struct stat st;
	int fd;

	fd = openat(cf->dirfd, CACHEFILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1) {
		if (errno != ENOENT)
			snprintf(err, errsize, "%s/%s %s", cf->dir, CACHEFILE_NAME,
			    errno == ELOOP ? "is a symbolic link" : strerror(errno));
		return -1;
	}
	why = fstat(fd, &st) == -1 ? strerror(errno) : fault(cf, &st);
	if (why != NULL) {
		snprintf(err, errsize, "%s/%s %s", cf->dir, CACHEFILE_NAME, why);
		close(fd);
		errno = EPERM;
		return -1;
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

static int
failed(const struct cachefile *cf, char *err, size_t errsize, const char *what)
{
	snprintf(err, errsize, "cannot %s %s/%s: %s", what, cf->dir, CACHEFILE_NAME, strerror(errno));
	return -1;
}

int
cachefile_create(struct cachefile *cf, char *err, size_t errsize)
{
	int fd;

	cachefile_abort(cf);
	(void)cf->io->unlinkat(cf->dirfd, CACHEFILE_TEMP, 0); /* no other process uses it: we hold the lock */
	cf->temp = cf->io->create(cf->dirfd, CACHEFILE_TEMP, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC);
	if (cf->temp == -1)
		return failed(cf, err, errsize, "make");
	if ((fd = fcntl(cf->temp, F_DUPFD_CLOEXEC, 0)) == -1) {
		(void)failed(cf, err, errsize, "make");
		cachefile_abort(cf);
	}
	return fd;
}

uint64_t
cachefile_written(const struct cachefile *cf)
{
	struct stat st;

	return cf->temp != -1 && fstat(cf->temp, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void
cachefile_abort(struct cachefile *cf)
{
	if (cf->temp == -1)
		return;
	close(cf->temp);
	cf->temp = -1;
	(void)cf->io->unlinkat(cf->dirfd, CACHEFILE_TEMP, 0);
}

/* mapd, which wrote it, is not trusted: it must be the file that was made here, of the size that it reported. */
static int
temp_ok(const struct cachefile *cf, uint64_t size, char *err, size_t errsize)
{
	const char *why;
	struct stat st;

	if (fstat(cf->temp, &st) == -1) {
		(void)failed(cf, err, errsize, "look at");
		return 0;
	}
	if ((why = fault(cf, &st)) == NULL && (uint64_t)st.st_size != size)
		why = "does not have the size that mapd reported";
	if (why != NULL)
		snprintf(err, errsize, "the new %s/%s %s", cf->dir, CACHEFILE_NAME, why);
	return why == NULL;
}

int
cachefile_commit(struct cachefile *cf, uint64_t size, char *err, size_t errsize)
{
	int rv = -1;

	if (temp_ok(cf, size, err, errsize)) {
		if (cf->io->fsync(cf->temp) == 0 &&
		    cf->io->renameat(cf->dirfd, CACHEFILE_TEMP, cf->dirfd, CACHEFILE_NAME) == 0 &&
		    statedisk_sync(cf->io, cf->dirfd) == 0)
			rv = 0;
		else
			(void)failed(cf, err, errsize, "save");
	}
	cachefile_abort(cf);
	return rv;
}

int
cachefile_remove(struct cachefile *cf, char *err, size_t errsize)
{
	cachefile_abort(cf);
	(void)cf->io->unlinkat(cf->dirfd, CACHEFILE_TEMP, 0); /* in case that failed before */
	/* On a read-only file system unlinkat(2) fails with EROFS even for a name that is not there. */
	if (!statedisk_has(cf->dirfd, CACHEFILE_NAME))
		return 0;
	if (cf->io->unlinkat(cf->dirfd, CACHEFILE_NAME, 0) == -1)
		return errno == ENOENT ? 0 : failed(cf, err, errsize, "remove");
	return statedisk_sync(cf->io, cf->dirfd) == 0 ? 1 : failed(cf, err, errsize, "remove");
}
