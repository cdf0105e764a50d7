/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DERP_H
#define DERP_H

#include "blob.h"

/* A DERPMap put together with the one before (protocol.md E.8, FLD-02, FLD-03).  old may be NULL. */
struct blob *derp_merge(const struct blob *old, const struct blob *new);

#endif
