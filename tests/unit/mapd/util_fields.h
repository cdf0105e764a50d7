/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef FIELDS_H
#define FIELDS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipc.h"
#include "unit.h"
#include "util_map.h"

/* One message on top of others, and what the netmap then says. */
#define FT_USED __attribute__((unused))

/* A first message with only our own node and what is given besides. */
static FT_USED struct map_test *
with(const char *more)
{
	struct map_test *m = mt_new();
	char *text = malloc(strlen(more) + 512);

	assert_non_null(text);
	sprintf(text, "{" NODE_SELF "%s%s}", more[0] ? "," : "", more);
	mt_ok(m, text);
	free(text);
	return m;
}

#define NODE4(more) "{'ID':4,'User':10,'Name':'p4.','Key':'" KEY_OF("44") "'" more "}"

#endif
