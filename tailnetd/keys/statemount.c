/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "statemount.h"

/* Spaces, tabs and backslashes of a name are written in octal there: \040. */
static void
unescape(char *s)
{
	char *out = s;

	while (*s != '\0') {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
		    s[3] <= '7') {
			*out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else
			*out++ = *s++;
	}
	*out = '\0';
}

/* Is dir that mount point, or below it?  Everything is below "/", which is always mounted. */
static int
covers(const char *point, const char *dir)
{
	size_t n = strlen(point);

	while (n > 1 && point[n - 1] == '/')
		n--;
	return n > 1 && point[0] == '/' && strncmp(point, dir, n) == 0 && (dir[n] == '\0' || dir[n] == '/');
}

static int
has_option(const char *options, const char *name)
{
	const char *p = options;
	size_t n = strlen(name), len;

	for (; *p != '\0'; p += len + (p[len] == ',')) {
		len = strcspn(p, ",");
		if (len == n && strncmp(p, name, n) == 0)
			return 1;
	}
	return 0;
}

/* A mount point is on another device than the directory above it.  In doubt it counts as mounted. */
static int
is_mounted(const char *point)
{
	struct stat here, above;
	char up[PATH_MAX];
	int n = snprintf(up, sizeof(up), "%s/..", point);

	if (n < 0 || (size_t)n >= sizeof(up) || stat(point, &here) == -1 || stat(up, &above) == -1)
		return 1;
	return here.st_dev != above.st_dev;
}

/* One line of fstab: device, mount point, type, options.  Returns the mount point if it is one for dir, else NULL. */
static char *
point_for(char *line, const char *dir)
{
	char *field[4], *rest = NULL;
	unsigned n;

	for (n = 0; n < 4; n++)
		if ((field[n] = strtok_r(n == 0 ? line : NULL, " \t\n", &rest)) == NULL)
			return NULL;
	if (field[0][0] == '#' || strcmp(field[2], "none") == 0 || strcmp(field[2], "swap") == 0 ||
	    has_option(field[3], "bind") || has_option(field[3], "rbind"))
		return NULL;
	unescape(field[1]);
	return covers(field[1], dir) ? field[1] : NULL;
}

int
statemount_missing(const char *fstab, const char *dir, char *err, size_t errsize)
{
	char line[4096], real[PATH_MAX], *point;
	FILE *f = fopen(fstab, "re");
	int missing = 0;

	if (f == NULL)
		return 0;
	if (realpath(dir, real) == NULL)
		snprintf(real, sizeof(real), "%s", dir);
	while (!missing && fgets(line, sizeof(line), f) != NULL) {
		if ((point = point_for(line, real)) == NULL || is_mounted(point))
			continue;
		missing = 1;
		snprintf(err, errsize,
		    "state directory %s is empty and %s, which %s has a file system for, is not mounted: mount it (the "
		    "identity of this machine may be on it), or remove the line to become a new machine",
		    dir, point, fstab);
	}
	fclose(f);
	return missing;
}
