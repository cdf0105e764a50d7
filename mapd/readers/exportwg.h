/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EXPORTWG_H
#define EXPORTWG_H

#include "export.h"

/* 1 = there is more (it may have been a piece of the scan that wrote nothing). */
int	 wgconf_more(struct exporter *x, struct pb *out, size_t about);

#endif
