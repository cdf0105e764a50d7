/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PRIVILEGE_H
#define PRIVILEGE_H

#include <stdint.h>

#include "config.h"
#include "ids.h"

/*
 * What the start needs of the system beside the accounts: root or `sandbox best-effort`, and of root (Linux) the four
 * capabilities with which children are made and ended, and a user namespace that has the children's ids
 * (interface.md 2, security.md 4).  0, or -1 with the reason and the remedy logged.
 */
int	 privilege_check(const struct config *cfg, const char *conf_path, int root, const struct ids *ids);
/* After a failed start: a line on what this process lacks that may be the cause, if anything. */
void	 privilege_advice(int root);

/* Whether id is in a text of /proc/self/uid_map or gid_map.  For tests. */
int	 privilege_mapped(const char *map, uint32_t id);

#endif
