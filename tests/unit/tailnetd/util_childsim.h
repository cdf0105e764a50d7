/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_CHILDSIM_H
#define UTIL_CHILDSIM_H

#include "dispatch.h"
#include "util_parentsim.h"

/* The parent of util_parentsim.h, and the test in place of its children: it sends bytes. */

struct hdr {
	uint16_t type, flags;
	uint32_t len, id, generation;
};

struct rig {
	struct psim *s;
	int raw[2]; /* the children's ends: authd, mapd */
};

struct child *child_of(const struct rig *r, int i);
/* What the parent says is thrown away. */
void	 turn(struct rig *r);
void	 say(struct rig *r, int i, unsigned type, uint32_t id, const void *p, size_t n);
void	 say_ready(struct rig *r, int i);
int	 childsim_setup(void **state);
int	 childsim_teardown(void **state);

#endif
