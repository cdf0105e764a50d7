/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "outfile.h"

/* Where the file itself is; -1 with a complaint if it may not be replaced. */
static int
find(const struct ctl *c, const char *path, char out[PATH_MAX])
{
	char real[PATH_MAX];
	struct stat st;

	if (lstat(path, &st) == -1) {
		if (errno == ENOENT && strlcpy(out, path, PATH_MAX) < PATH_MAX)
			return 0;
		(void)ctl_fail(c, CTL_ERROR, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (S_ISLNK(st.st_mode) && (realpath(path, real) == NULL || lstat(real, &st) == -1)) {
		(void)ctl_fail(c, CTL_ERROR, "%s: %s", path, strerror(errno));
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)ctl_fail(c, CTL_ERROR, "%s: not a regular file", path);
		return -1;
	}
	strlcpy(out, realpath(path, real) != NULL ? real : path, PATH_MAX);
	return 0;
}

int
outfile_open(const struct ctl *c, struct outfile *o, const char *path, mode_t mode)
{
	int fd;

	o->f = NULL;
	o->mode = mode;
	if (find(c, path, o->path) == -1)
		return CTL_ERROR;
	if ((size_t)snprintf(o->temp, sizeof(o->temp), "%s.XXXXXX", o->path) >= sizeof(o->temp))
		return ctl_fail(c, CTL_USAGE, "file name too long");
	if ((fd = mkstemp(o->temp)) == -1)
		return ctl_fail(c, CTL_ERROR, "%s: %s", o->temp, strerror(errno));
	if ((o->f = fdopen(fd, "w")) == NULL) {
		close(fd);
		unlink(o->temp);
		return ctl_fail(c, CTL_ERROR, "%s", strerror(errno));
	}
	return CTL_OK;
}

/* The name is on the disk, too; file systems that cannot do that for a directory lose nothing by it. */
static void
sync_directory(const char *path)
{
	char dir[PATH_MAX];
	char *slash;
	int fd;

	strlcpy(dir, path, sizeof(dir));
	if ((slash = strrchr(dir, '/')) == NULL)
		strlcpy(dir, ".", sizeof(dir));
	else
		slash[slash == dir] = '\0';
	if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) != -1) {
		(void)fsync(fd);
		close(fd);
	}
}

int
outfile_close(const struct ctl *c, struct outfile *o, int rc)
{
	int fd = fileno(o->f);

	if (rc == CTL_OK && (fflush(o->f) != 0 || ferror(o->f) || fchmod(fd, o->mode) == -1 || fsync(fd) == -1))
		rc = ctl_fail(c, CTL_ERROR, "%s: %s", o->temp, strerror(errno));
	if (fclose(o->f) != 0 && rc == CTL_OK)
		rc = ctl_fail(c, CTL_ERROR, "%s: %s", o->temp, strerror(errno));
	if (rc == CTL_OK && rename(o->temp, o->path) == -1)
		rc = ctl_fail(c, CTL_ERROR, "%s: %s", o->path, strerror(errno));
	if (rc == CTL_OK)
		sync_directory(o->path);
	else
		unlink(o->temp);
	return rc;
}
