/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"
#include "util_dir.h"

void
dir_make(struct dir *d)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(d->path, sizeof(d->path), "%s/tailnetd-unit.XXXXXX", tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(d->path));
}

void
dir_remove(struct dir *d)
{
	DIR *dp = opendir(d->path);
	struct dirent *e;
	char path[512];

	assert_non_null(dp);
	while ((e = readdir(dp)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlink(dir_path(d, e->d_name, path));
	closedir(dp);
	assert_int_equal(rmdir(d->path), 0);
}

const char *
dir_path(const struct dir *d, const char *name, char out[512])
{
	snprintf(out, 512, "%s/%s", d->path, name);
	return out;
}

void
dir_write(const struct dir *d, const char *name, const char *text, size_t n, mode_t mode)
{
	char path[512];
	int fd;

	unlink(dir_path(d, name, path));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

size_t
dir_read(const struct dir *d, const char *name, char *text, size_t size)
{
	char path[512];
	int fd = open(dir_path(d, name, path), O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_int_not_equal(fd, -1);
	n = read(fd, text, size - 1);
	assert_true(n >= 0);
	close(fd);
	text[n] = '\0';
	return (size_t)n;
}

int
dir_has(const struct dir *d, const char *name)
{
	char path[512];
	struct stat st;

	return lstat(dir_path(d, name, path), &st) == 0;
}
