/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef AUTHD_H
#define AUTHD_H

#include "child.h"

/* authd: server key fetch, register, follow-up, logout (design.md). */
extern const struct sandbox_profile authd_profile;	/* authd/sandbox.c */
extern const struct child_role authd_role;

#endif
