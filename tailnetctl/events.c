/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "buf.h"
#include "ctl.h"
#include "events.h"
#include "jget.h"
#include "out.h"
#include "scan.h"

/*
 * The large members of `watch netmap` are skipped while reading: they are not needed, and may have a hundred megabytes.
 */
static int
event_member(void *arg, const char *name, struct source *s)
{
	struct json_object *o = arg, *v;

	if (strcmp(name, "netmap") == 0 || strcmp(name, "nodes") == 0)
		return scan_value(s, NULL);
	if (scan_json(s, &v) != 1)
		return -1;
	if (json_object_object_add(o, name, v) != 0) {
		json_object_put(v);
		return -1;
	}
	return 1;
}

int
event_next(struct source *s, struct event *e)
{
	e->o = NULL;
	if (scan_space(s) == -1)
		return s->err != 0 ? -1 : 0;
	e->o = json_object_new_object();
	if (scan_object(s, event_member, e->o) != 1) {
		event_done(e);
		return -1;
	}
	strlcpy(e->name, jstr(e->o, "event"), sizeof(e->name));
	return 1;
}

void
event_done(struct event *e)
{
	json_object_put(e->o);
	e->o = NULL;
}

struct json_object *
event_status(struct event *e)
{
	struct json_object *st;

	if (strcmp(e->name, "status") != 0 || json_get_obj(e->o, "status", &st) != 1)
		return NULL;
	return st;
}

void
event_print_json(struct ctl *c, const struct event *e)
{
	struct buf b;

	if (!c->json || c->quiet)
		return;
	buf_init(&b, SCAN_VALUE_MAX);
	if (json_print(&b, e->o) == 0)
		out_json_line(c->out, (char *)buf_ptr(&b), buf_len(&b));
	fflush(c->out);
	buf_free(&b);
}
