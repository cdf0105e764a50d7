/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "netmap_info.h"

void
netmap_info_reset(struct netmap_info *nm)
{
	nm->source = IPC_SRC_NONE;
	nm->have_self = 0;
	nm->peers = nm->online = 0;
	nm->received_ms = 0;
}
