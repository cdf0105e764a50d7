/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef AUTHD_H
#define AUTHD_H

#include "child.h"

/*
 * authd: server key fetch, register, follow-up, logout (design.md).  One operation at a time, named by the id of KEY_FETCH or
 * REGISTER.  Every operation gets exactly one KEY_RESULT or REG_RESULT with its id, also after CANCEL and when the next
 * operation pushes it aside: then with outcome TRANSPORT (ok 0) and the text "cancelled".  So the parent's end of the
 * channel stays BUSY until all results it is owed are in, and no result can meet an IDLE channel.
 */
extern const struct sandbox_profile authd_profile;	/* authd/authd_sandbox.c */
extern const struct child_role authd_role;

#endif
