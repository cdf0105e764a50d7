/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config c, c2;

static void
need(int ok)
{
	if (!ok)
		abort();
}

/* What is accepted prints to a text that is accepted and prints the same; what is refused has a reason with the file's name. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf a, b;
	char err[400] = "";

	if (config_parse("conf", (const char *)data, size, &c, err, sizeof(err)) == -1) {
		need(strncmp(err, "conf:", 5) == 0);
		return 0;
	}
	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	need(config_print(&c, &a) == 0);
	need(config_parse("print", (const char *)buf_ptr(&a), buf_len(&a), &c2, err, sizeof(err)) == 0);
	need(config_print(&c2, &b) == 0);
	need(buf_len(&a) == buf_len(&b) && memcmp(buf_ptr(&a), buf_ptr(&b), buf_len(&a)) == 0);
	need(config_reload_blocker(&c, &c2) == NULL);
	buf_free(&a);
	buf_free(&b);
	return 0;
}
