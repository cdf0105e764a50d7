/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef FILEOWNER_H
#define FILEOWNER_H

/*
 * Whether users other than root and this process's own can change that file or directory (security.md D5).
 * Logs a warning that names it, the reason and what to do; 1: warned, 0: fine, or not known.
 */
int	 fileowner_warn(const char *path);

#endif
