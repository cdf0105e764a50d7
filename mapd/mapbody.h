/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef MAPBODY_H
#define MAPBODY_H

#include "mapd.h"

/*
 * Both kinds of map request (stream, lite update) have the same body, except for one member.  0, or -1: larger than
 * MAP_REQUEST_MAX.
 */
int	 mapbody_build(const struct mapd *m, int lite, struct buf *out);
/* "<prefix>/machine/map" */
#define MAP_PATH_MAX 320
void	 mapbody_path(const struct mapd *m, char out[MAP_PATH_MAX]);

#endif
