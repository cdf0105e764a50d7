/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef PARENT_OPS_H
#define PARENT_OPS_H

/*
 * What the rooms below the parent need from above them: each gets a table of functions and sees neither struct parent
 * nor the children.  NULL: out of memory.
 */
struct cachestore;
struct hostreport;
struct parent;

struct hostreport *parent_ops_report(struct parent *p);		/* before the sandbox (hostreport.h) */
struct cachestore *parent_ops_cache(struct parent *p);

#endif
