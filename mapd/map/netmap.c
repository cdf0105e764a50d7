/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "text.h"

struct netmap *
netmap_new(void)
{
	struct netmap *nm = calloc(1, sizeof(*nm));

	if (nm == NULL)
		return NULL;
	if ((nm->names = dict_new()) == NULL) {
		free(nm);
		return NULL;
	}
	nm->source = IPC_SRC_NONE;
	nm->fresh = 1;
	return nm;
}

void
netmap_free(struct netmap *nm)
{
	if (nm == NULL)
		return;
	view_unref(nm->cur);
	dict_free(nm->names);
	free(nm->ids);
	free(nm);
}

/* --- views --- */

struct view *
view_new(void)
{
	struct view *v = calloc(1, sizeof(*v));

	if (v != NULL)
		v->refs = 1;
	return v;
}

static struct view *
view_ref(struct view *v)
{
	v->refs++;
	return v;
}

struct view *
view_copy(const struct view *old)
{
	struct view *v = malloc(sizeof(*v));
	unsigned i;

	if (v == NULL)
		return NULL;
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
view_bytes(const struct view *v)
{
	size_t n = peers_bytes(v->peers) + recset_bytes(v->profiles);
	unsigned i;

	n += v->filter == NULL ? 0 : v->filter->bytes;
	n += v->display == NULL ? 0 : v->display->bytes;
	for (i = 0; i < NF_COUNT; i++)
		n += v->field[i] == NULL ? 0 : v->field[i]->n;
	return n;
}

int
snapshot_take(struct netmap *nm, struct snapshot *s)
{
	memset(s, 0, sizeof(*s));
	if (nm->cur == NULL)
		return -1;
	if ((s->peers_at = recset_snap(nm->cur->peers->set)) == 0)
		return -1;
	if ((s->profiles_at = recset_snap(nm->cur->profiles)) == 0) {
		recset_unsnap(nm->cur->peers->set, s->peers_at);
		return -1;
	}
	s->view = view_ref(nm->cur);
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

/* --- life --- */

void
netmap_seq_base(struct netmap *nm, uint64_t base)
{
	if (base > nm->seq)
		nm->seq = base;
}

void
netmap_session_begin(struct netmap *nm, const struct pubkey *node_key, const struct pubkey *machine_key)
{
	nm->fresh = 1;
	nm->in_session = 1;
	nm->node_key = *node_key;
	nm->machine_key = *machine_key;
	nm->clock_said = 0;
	if (nm->source == IPC_SRC_LIVE)
		nm->source = IPC_SRC_STALE;
}

void
netmap_session_end(struct netmap *nm)
{
	nm->fresh = 1;
	nm->in_session = 0;
	if (nm->source == IPC_SRC_LIVE)
		nm->source = IPC_SRC_STALE;
}

void
netmap_drop(struct netmap *nm)
{
	view_unref(nm->cur);
	nm->cur = NULL;
	nm->source = IPC_SRC_NONE;
	nm->fresh = 1;
	nm->clock_delta = 0;
	nm->clock_said = 0;
	nm->rescan = 0;
	mem_trim();
}

enum ipc_source
netmap_source(const struct netmap *nm)
{
	return nm->source;
}

uint64_t
netmap_seq(const struct netmap *nm)
{
	return nm->seq;
}

size_t
netmap_peers(const struct netmap *nm)
{
	return nm->cur == NULL ? 0 : recset_count(nm->cur->peers->set);
}

size_t
netmap_online(const struct netmap *nm)
{
	return nm->cur == NULL ? 0 : nm->cur->peers->online;
}

int64_t
netmap_clock_delta(const struct netmap *nm)
{
	return nm->clock_delta;
}

void
netmap_clock_set(struct netmap *nm)
{
	nm->rescan = 1;
	nm->clock_delta = 0;
}

/* --- our own node for the parent --- */

#define COPY_TEXT(out, field, s, n) ((out)->field##_len = copy_text((out)->field, sizeof((out)->field), (s), (n)))

/*
 * Cut at the array's end, never within a character.  Controls are written out, as authd does in what a register brings: the parent
 * takes none (IPC_OK), and a server that sends some must not get us killed (FLD-15).
 */
static uint16_t
copy_text(char *dst, size_t cap, const char *s, size_t n)
{
	char safe[IPC_NAME_MAX + 1];

	n = text_sanitize(s, n, safe, cap < sizeof(safe) ? cap + 1 : sizeof(safe));
	memcpy(dst, safe, n);
	return (uint16_t)n;
}

static void
self_addresses(const struct node *n, const struct dict *d, struct ipc_self *out)
{
	const uint8_t *p = node_get(n, NM_Addresses), *v;
	unsigned family, bits;

	if (p == NULL || *p != PK_ARR)
		return;
	for (p = pk_first(p); out->naddrs < IPC_MAX_ADDRS && pk_element(&p, &v);) {
		struct ipc_addr *a = &out->addrs[out->naddrs];

		if (!pk_addr(v, d, a->addr, &family, &bits))
			continue;
		a->family = (uint8_t)family;
		a->bits = (uint8_t)bits;
		out->naddrs++;
	}
}

static size_t
profile_text(const struct profile *pr, const struct dict *d, unsigned name, char *out, size_t outsize)
{
	const uint8_t *v = pr == NULL ? NULL : pk_get(pr->data, name);
	long n = v == NULL ? -1 : pk_cstr(v, d, out, outsize);

	return n < 0 ? 0 : (size_t)n;
}

int
netmap_self(const struct netmap *nm, struct ipc_self *out)
{
	const struct node *n = nm->cur == NULL ? NULL : view_self(nm->cur);
	const struct profile *pr;
	const struct dict *d = nm->names;
	const uint8_t *v;
	char text[IPC_NAME_MAX + 8];
	size_t len;

	memset(out, 0, sizeof(*out));
	if (n == NULL)
		return 0;
	out->id = n->r.id;
	out->user_id = n->user;
	memcpy(out->key.b, n->key, KEY_LEN);
	out->key_expiry = n->state & NODE_EXPIRY ? n->key_expiry : TIME_GO_ZERO;
	out->expired = (n->state & NODE_EXPIRED) != 0;
	v = node_get(n, NM_MachineAuthorized);
	out->machine_authorized = v != NULL && *v == PK_TRUE;
	self_addresses(n, d, out);
	len = node_text(n, d, NM_StableID, text, sizeof(text));
	COPY_TEXT(out, stable_id, text, len);
	len = node_text(n, d, NM_Name, text, sizeof(text));
	COPY_TEXT(out, name, text, len);
	pr = (const struct profile *)recset_find(nm->cur->profiles, n->user);
	len = profile_text(pr, d, NM_LoginName, text, sizeof(text));
	COPY_TEXT(out, login_name, text, len);
	len = profile_text(pr, d, NM_DisplayName, text, sizeof(text));
	COPY_TEXT(out, display_name, text, len);
	return 1;
}
