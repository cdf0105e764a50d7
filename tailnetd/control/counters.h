/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdint.h>

#include "msgs.h"

/* What is counted since the daemon was started, for `status` and `metrics`. */
struct counters {
	struct ipc_counters mapd;	/* of the mapd that runs, as it reported last */
	struct ipc_counters before;	/* of all that ran before it: a restart resets nothing */
#define C(member) uint64_t member;
	COUNTERS_PARENT(C)
#undef C
	uint64_t	 map_open_ms;	/* monotonic, when the map stream was opened; 0 = none is open */
};

void	 counters_mapd_gone(struct counters *c);	/* mapd to before; no stream is open */

#endif
