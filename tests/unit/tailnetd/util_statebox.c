/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "unit.h"

#include "util_statebox.h"

enum state_result
box_load(struct box *b, const struct dir *d, const char *url, const struct state_io *io)
{
	memset(b, 0, sizeof(*b));
	assert_non_null(b->k = keyring_new());
	assert_non_null(b->ss = state_open(d->path, 0, b->err, sizeof(b->err)));
	state_set_io(b->ss, io);
	return state_load(b->ss, url, &b->st, b->k, b->err, sizeof(b->err));
}

void
box_close(struct box *b)
{
	state_close(b->ss);
	state_free(&b->st);
	keyring_free(b->k);
}
