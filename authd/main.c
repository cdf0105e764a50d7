/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "authd.h"

int
main(void)
{
	return child_run(&authd_role);
}
