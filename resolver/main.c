/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <unistd.h>

#include "resolver.h"

int
main(int argc, char *argv[])
{
	return resolver_run(argc == 2 ? argv[1] : NULL, STDOUT_FILENO);
}
