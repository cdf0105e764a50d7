/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "serverkey.h"

/* The body of /key: a key that is given out is never zero. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pubkey key = { { 0 } };
	int rc = serverkey_parse(data, size, &key);

	if (rc < -1 || rc > 1 || (rc == 0 && (key_is_zero(&key) || size < 64)))
		abort();
	return 0;
}
