/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "mem.h"
#include "names.h"
#include "netmap.h"
#include "nodeview.h"
#include "packprint.h"
#include "text.h"
#include "vec.h"

struct netmap *
netmap_new(void)
{
	struct netmap *nm = xcalloc(1, sizeof(*nm));

	nm->names = dict_new();
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
	nm->clock_known = 0;
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
	nm->clock_known = 0;
	nm->rescan = 0;
	netmap_trim();
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

void
netmap_reserve_ids(struct netmap *nm, size_t n)
{
	vec_grow(&nm->ids, &nm->capids, n, sizeof(*nm->ids));
}

void
netmap_trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

/* --- our own node for the parent --- */

#define COPY_TEXT(out, field, s, n) ((out)->field##_len = copy_text((out)->field, sizeof((out)->field), (s), (n)))

/*
 * Cut at the array's end, never within a character.  Control characters are escaped, as authd does it: the parent
 * accepts none (IPC_OK), and a server that sends some must not get this process killed (FLD-15).
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
profile_text(const struct user_profile *pr, const struct dict *d, unsigned name, char *out, size_t outsize)
{
	const uint8_t *v = pr == NULL ? NULL : pk_get(pr->data, name);
	long n = v == NULL ? -1 : pk_cstr(v, d, out, outsize);

	return n < 0 ? 0 : (size_t)n;
}

int
netmap_self(const struct netmap *nm, struct ipc_self *out)
{
	const struct node *n = nm->cur == NULL ? NULL : view_self(nm->cur);
	const struct user_profile *pr;
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
	pr = (const struct user_profile *)recset_find(nm->cur->profiles, n->user);
	len = profile_text(pr, d, NM_LoginName, text, sizeof(text));
	COPY_TEXT(out, login_name, text, len);
	len = profile_text(pr, d, NM_DisplayName, text, sizeof(text));
	COPY_TEXT(out, display_name, text, len);
	return 1;
}
