/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef OUTFILE_H
#define OUTFILE_H

#include <limits.h>
#include <stdio.h>
#include <sys/types.h>

struct ctl;

/*
 * A file that is written whole or not at all (`-o FILE`): the text is written to a file beside it, renamed when
 * it is on the disk.  A link is followed; anything but a regular file is refused.
 */
struct outfile {
	FILE	*f;
	char	 path[PATH_MAX], temp[PATH_MAX];
	mode_t	 mode;
};

/* 0 or an exit code, complaint made.  mode: of the new file, also when the old one has another. */
int	 outfile_open(const struct ctl *c, struct outfile *o, const char *path, mode_t mode);
/* rc CTL_OK: the new file replaces the old one; else the old one stays.  rc, or an exit code of this. */
int	 outfile_close(const struct ctl *c, struct outfile *o, int rc);

#endif
