/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "mapd.h"

int
main(void)
{
	return child_run(&mapd_role);
}
