/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONFIGRECORD_H
#define CONFIGRECORD_H

#include "config.h"

/*
 * What children may know of the configuration (column `child` of common/lists/keywords.h).  What is not of the
 * configuration is 0 (report_steps).  It may hold a proxy's password: the caller wipes it once it is sent.
 */
void	 config_record(const struct config *c, struct ipc_config *m);

#endif
