/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SELFCHECK_H
#define SELFCHECK_H

/*
 * Health that follows from what the rooms say of themselves, most of which do not know the codes: asked for after each
 * event and each tick.  What is known only at the moment of a failure is raised there.
 */
struct parent;

void	 selfcheck(struct parent *p);

#endif
