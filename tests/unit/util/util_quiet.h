/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_QUIET_H
#define UTIL_QUIET_H

/* What is logged from now on is thrown away. */
void	 log_nothing(void);

#endif
