/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef IMPLIED_H
#define IMPLIED_H

#include "delta.h"
#include "view.h"

/*
 * Members of the netmap object that no message names but whose output a change of others alters: a reader asks for
 * what a delta names (interface.md 6).  fields: enum ipc_field bits of what the message changed; returned are more of
 * them.  EffectiveFilter may be named though it is the same in the end, never the other way round: to know would take
 * all rules against all unsigned peers.  now is what old becomes, except the peers, which are in d.
 */
uint32_t implied_fields(const struct view *old, const struct view *now, const struct delta *d, uint32_t fields,
	    const struct dict *names);

#endif
