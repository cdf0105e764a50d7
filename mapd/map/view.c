/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "view.h"

struct view *
view_new(void)
{
	struct view *v = xcalloc(1, sizeof(*v));

	v->refs = 1;
	return v;
}

struct view *
view_ref(struct view *v)
{
	v->refs++;
	return v;
}

struct view *
view_copy(const struct view *old)
{
	struct view *v = xmalloc(sizeof(*v));
	unsigned i;

	*v = *old;
	v->refs = 1;
	for (i = 0; i < NF_COUNT; i++)
		blob_ref(v->field[i]);
	blobmap_ref(v->filter);
	blobmap_ref(v->display);
	if (v->peers != NULL)
		peers_ref(v->peers);
	if (v->profiles != NULL)
		recset_ref(v->profiles);
	return v;
}

void
view_unref(struct view *v)
{
	unsigned i;

	if (v == NULL || --v->refs > 0)
		return;
	for (i = 0; i < NF_COUNT; i++)
		blob_unref(v->field[i]);
	blobmap_unref(v->filter);
	blobmap_unref(v->display);
	peers_unref(v->peers);
	recset_unref(v->profiles);
	free(v);
}

size_t
view_value_bytes(const struct view *v)
{
	size_t n = blobmap_bytes(v->filter) + blobmap_bytes(v->display);
	unsigned i;

	for (i = 0; i < NF_COUNT; i++)
		n += v->field[i] == NULL ? 0 : v->field[i]->n;
	return n;
}

size_t
view_bytes(const struct view *v)
{
	return peers_bytes(v->peers) + recset_bytes(v->profiles) + view_value_bytes(v);
}

int
snapshot_take(struct view *v, struct snapshot *s)
{
	memset(s, 0, sizeof(*s));
	if (v == NULL)
		return -1;
	if ((s->peers_at = recset_snap(v->peers->set)) == 0)
		return -1;
	if ((s->profiles_at = recset_snap(v->profiles)) == 0) {
		recset_unsnap(v->peers->set, s->peers_at);
		return -1;
	}
	s->view = view_ref(v);
	return 0;
}

void
snapshot_release(struct snapshot *s)
{
	if (s->view == NULL)
		return;
	recset_unsnap(s->view->peers->set, s->peers_at);
	recset_unsnap(s->view->profiles, s->profiles_at);
	view_unref(s->view);
	memset(s, 0, sizeof(*s));
}
