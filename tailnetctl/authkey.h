/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef AUTHKEY_H
#define AUTHKEY_H

#include <stddef.h>

#define AUTHKEY_MAX	1024
/*
 * The pre-auth key from a file (regular, owner root or the caller, no access for others) or "-" = standard input (no
 * echo on a terminal), trimmed.  0, or -1 with a reason.  The caller wipes key.
 */
int	 authkey_read(const char *file, char key[AUTHKEY_MAX + 1], char *err, size_t errsize);

#endif
