/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "early.h"
#include "jsonparse.h"
#include "mem.h"

static const uint8_t magic[5] = { 0xff, 0xff, 0xff, 'T', 'S' };

void
early_init(struct early *e)
{
	memset(e, 0, sizeof(*e));
}

void
early_free(struct early *e)
{
	free(e->body);
	early_init(e);
}

static int
fail(const char **err, const char *why)
{
	*err = why;
	return -1;
}

/* Up to nine bytes: 1 it is HTTP/2, 2 it is a payload, 0 unknown yet, -1 refused. */
static int
feed_header(struct early *e, const uint8_t *p, size_t n, size_t *used, const char **err)
{
	while (*used < n && e->have < EARLY_HDR_LEN) {
		e->hdr[e->have++] = p[(*used)++];
		if (e->have <= sizeof(magic) && e->hdr[e->have - 1] != magic[e->have - 1])
			return 1;
	}
	if (e->have < EARLY_HDR_LEN)
		return 0;
	e->want = (size_t)e->hdr[5] << 24 | (size_t)e->hdr[6] << 16 | (size_t)e->hdr[7] << 8 | e->hdr[8];
	if ((e->limit = e->want > EARLY_MAX))
		return fail(err, "early payload larger than 16 KiB");
	e->body = xmalloc(e->want + 1);
	return 2;
}

static int
check_body(struct early *e, const char **err)
{
	struct json_limits lim = json_limits_default;
	struct json_object *o;
	char why[128];
	int is_object;

	lim.max_bytes = EARLY_MAX;
	if ((o = json_parse((const char *)e->body, e->want, &lim, why, sizeof(why))) == NULL)
		return fail(err, "early payload is not JSON");
	is_object = json_object_is_type(o, json_type_object);
	json_object_put(o);
	if (!is_object)
		return fail(err, "early payload is not a JSON object");
	early_free(e);
	return 1;
}

int
early_feed(struct early *e, const uint8_t *p, size_t n, size_t *used, const char **err)
{
	size_t take;
	int rc;

	*used = 0;
	if (e->body == NULL && (rc = feed_header(e, p, n, used, err)) != 2)
		return rc;
	take = e->want - e->got;
	if (take > n - *used)
		take = n - *used;
	memcpy(e->body + e->got, p + *used, take);
	e->got += take;
	*used += take;
	return e->got == e->want ? check_body(e, err) : 0;
}
