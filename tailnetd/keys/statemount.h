/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef STATEMOUNT_H
#define STATEMOUNT_H

#include <stddef.h>

#define STATEMOUNT_FSTAB "/etc/fstab"

/*
 * Before a new identity is made: does `fstab` (an fstab(5)) promise a file system for `dir`, or for a directory above
 * it, which is not mounted?  Then 1, and err says which one and what to do; else 0, also without an fstab.  `dir` is
 * absolute and exists.  Bind mounts and lines of type none or swap are left out: they may be on the same device.
 */
int	 statemount_missing(const char *fstab, const char *dir, char *err, size_t errsize);

#endif
