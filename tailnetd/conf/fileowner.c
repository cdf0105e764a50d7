/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>

#include <unistd.h>

#include "fileowner.h"
#include "log.h"

int
fileowner_warn(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return 0;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		log_warnx("%s is owned by uid %u, who can change what tailnetd does: chown it to root", path,
		    (unsigned)st.st_uid);
	else if ((st.st_mode & S_IWOTH) != 0 || ((st.st_mode & S_IWGRP) != 0 && st.st_gid != 0))
		log_warnx("%s can be changed by other users (mode %04o): chmod go-w it", path, st.st_mode & 07777);
	else
		return 0;
	return 1;
}
