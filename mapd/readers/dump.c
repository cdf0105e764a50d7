/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dict.h"
#include "dump.h"
#include "filter.h"
#include "nodeview.h"
#include "textset.h"

enum { HEAD, PEERS, MIDDLE, FILTER, EFFECTIVE_HEAD, EFFECTIVE, PROFILES_HEAD, PROFILES, TAIL, DONE };

static const char *
source_name(enum ipc_source s)
{
	static const char *const names[] = { "none", "cached", "stale", "live" };

	return (unsigned)s < sizeof(names) / sizeof(names[0]) ? names[s] : "none";
}

/* --- starting and ending --- */

static int
start(struct dump *d, struct netmap *nm)
{
	memset(d, 0, sizeof(*d));
	d->nm = nm;
	d->source = nm->source;
	d->left = UINT64_MAX;
	d->phase = HEAD;
	return snapshot_take(nm->cur, &d->snap);
}

int
dump_netmap(struct dump *d, struct netmap *nm)
{
	return start(d, nm);
}

int
dump_peers(struct dump *d, struct netmap *nm, uint64_t limit, int has_after, int64_t after)
{
	int r = start(d, nm);

	d->lines = 1;
	d->phase = PEERS;
	d->left = limit;
	d->begun = has_after;
	d->last = after;
	return r;
}

void
dump_end(struct dump *d)
{
	snapshot_release(&d->snap);
	profile_refs_free(&d->users);
}

/* --- members --- */

static void
put_name(struct pb *out, const char *name)
{
	pb_byte(out, '"');
	pb_puts(out, name);
	pb_put(out, "\":", 2);
}

static void
put_time(struct pb *out, const char *name, struct wtime t, int none)
{
	put_name(out, name);
	pb_byte(out, '"');
	if (!none) {
		pb_need(out, TIME_TEXT_MAX);
		out->n += pack_time_text((char *)out->p + out->n, t);
	}
	pb_byte(out, '"');
}

static void
put_key(struct pb *out, const char *name, enum key_kind kind, const struct pubkey *k)
{
	char text[KEY_TEXT_MAX];

	put_name(out, name);
	pb_byte(out, '"');
	pb_puts(out, key_format(kind, k, text));
	pb_byte(out, '"');
}

static const struct {
	const char *name, *none;
} fields[NF_COUNT] = {
#define F(member, shown, type, none, kind) { shown, none },
	NETMAP_FIELDS(F)
#undef F
};

/* One member of the netmap object, `"DNS":{..}`. */
static void
put_field(struct pb *out, const struct netmap *nm, const struct view *v, enum netmap_field f)
{
	put_name(out, fields[f].name);
	if (v->field[f] == NULL)
		pb_puts(out, fields[f].none);
	else if (f == NF_Node)
		node_print(out, view_self(v), nm->names);
	else
		(void)pk_print(out, v->field[f]->p, nm->names);
}

static void
head(struct dump *d, struct pb *out)
{
	const struct view *v = d->snap.view;
	const struct node *self = view_self(v);
	int never = self == NULL || !(self->state & NODE_EXPIRY) || self->key_expiry == TIME_GO_ZERO;
	struct wtime expiry = { never ? 0 : self->key_expiry, 0 };

	pb_puts(out, "{\"v\":1,\"Seq\":");
	pb_i64(out, (int64_t)v->seq);
	pb_puts(out, ",\"Source\":\"");
	pb_puts(out, source_name(d->source));
	pb_puts(out, "\",");
	put_time(out, "ReceivedAt", (struct wtime){ v->received.sec, v->received.nsec / 1000000 * 1000000 }, 0);
	pb_byte(out, ',');
	put_key(out, "NodeKey", KEY_NODE, &v->node_key);
	pb_byte(out, ',');
	put_key(out, "MachineKey", KEY_MACHINE, &v->machine_key);
	pb_byte(out, ',');
	put_time(out, "Expiry", expiry, never);
	pb_byte(out, ',');
	put_field(out, d->nm, v, NF_Node);
	if (self != NULL)
		profile_refs_add(&d->users, v->peers->set, self, d->nm->names);
	pb_puts(out, ",\"Peers\":[");
}

/* The map may have changed since the last call: seek again.  1 = enough for now. */
static int
peers(struct dump *d, struct pb *out, size_t about)
{
	struct peers *p = d->snap.view->peers;
	struct recset_iter it = d->begun ? recset_after(p->set, d->last) : recset_first(p->set);
	const struct node *n;

	for (; d->left > 0; d->left--) {
		if (out->n >= about)
			return 1;
		if ((n = peers_next(p, &it, d->snap.peers_at)) == NULL)
			return 0;
		if (d->any && !d->lines)
			pb_byte(out, ',');
		node_print(out, n, p->dict);
		if (d->lines)
			pb_byte(out, '\n');
		else
			profile_refs_add(&d->users, p->set, n, p->dict);
		d->begun = d->any = 1;
		d->last = n->r.id;
	}
	return 0;
}

static void
middle(struct dump *d, struct pb *out)
{
	unsigned f;

	pb_byte(out, ']');
	for (f = NF_Node + 1; f < NF_PacketFilter; f++) {
		pb_byte(out, ',');
		put_field(out, d->nm, d->snap.view, (enum netmap_field)f);
	}
	pb_puts(out, ",\"PacketFilterRules\":[");
	d->any = 0;
}

/* The chunks one behind the other, in byte order of their names (E.5). */
static int
filter(struct dump *d, struct pb *out, size_t about)
{
	const struct blobmap *m = d->snap.view->filter;
	const uint8_t *v;

	for (; m != NULL && d->chunk < m->n; d->chunk++, d->rule = NULL) {
		const uint8_t *list = m->e[d->chunk].value->p;

		if (*list != PK_ARR)
			continue;
		if (d->rule == NULL)
			d->rule = pk_first(list);
		while (pk_element(&d->rule, &v)) {
			if (d->phase == EFFECTIVE) {
				d->any |= filter_print_rule(out, v, d->nm->names, d->any);
			} else {
				if (d->any)
					pb_byte(out, ',');
				(void)pk_print(out, v, d->nm->names);
				d->any = 1;
			}
			if (out->n >= about)
				return 1;
		}
	}
	return 0;
}

/* Which of them count, and how (FLD-06). */
static void
effective_head(struct dump *d, struct pb *out)
{
	const char *closed = filter_closed(d->snap.view, d->snap.peers_at, d->nm->names);

	pb_puts(out, "],\"EffectiveFilter\":{\"DenyAll\":");
	pb_puts(out, closed ? "true" : "false");
	pb_puts(out, ",\"Reason\":\"");
	pb_puts(out, closed ? closed : "");
	pb_puts(out, "\",\"Rules\":[");
	d->any = 0;
	d->chunk = closed ? SIZE_MAX : 0;
	d->rule = NULL;
}

static void
profiles_head(struct dump *d, struct pb *out)
{
	pb_puts(out, "]},\"UserProfiles\":{");
	d->any = d->begun = 0;
}

static int
profiles(struct dump *d, struct pb *out, size_t about)
{
	struct recset *rs = d->snap.view->profiles;
	struct recset_iter it = d->begun ? recset_after(rs, d->last) : recset_first(rs);
	const struct user_profile *pr;

	while (out->n < about) {
		if ((pr = (const struct user_profile *)recset_next(rs, &it, d->snap.profiles_at)) == NULL)
			return 0;
		d->begun = 1;
		d->last = pr->r.id;
		if (profile_refs_count(&d->users, d->snap.view->peers->set, pr->r.id) == 0)
			continue;
		if (d->any)
			pb_byte(out, ',');
		d->any = 1;
		pb_byte(out, '"');
		pb_i64(out, pr->r.id);
		pb_puts(out, "\":");
		(void)pk_print(out, pr->data, d->nm->names);
	}
	return 1;
}

/* A health text as a display message: protocol.md E.5, last paragraph.  -1: out of memory. */
static int
health_message(struct pb *out, const struct netmap *nm, const uint8_t *v)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	char tmp[PK_TMP], *text;
	struct pv t;
	long n;

	if (!pk_text(v, nm->names, tmp, &t) || (text = malloc(t.n + 1)) == NULL)
		return -1;
	n = pk_cstr(v, nm->names, text, t.n + 1);
	crypto_hash_sha256(hash, (const uint8_t *)text, (unsigned long long)n);
	free(text);
	pb_puts(out, "\"health-");
	pb_need(out, 2 * sizeof(hash));
	pack_hex((char *)out->p + out->n, hash, sizeof(hash));
	out->n += 2 * sizeof(hash);
	pb_puts(out, "\":{\"Title\":\"Health warning of the control server\",\"Text\":");
	(void)pk_print(out, v, nm->names);
	pb_puts(out, ",\"Severity\":\"medium\"}");
	return 0;
}

/* The stored list in the form of messages, each text once.  -1: out of memory. */
static int
health_messages(struct pb *out, const struct netmap *nm, const uint8_t *list)
{
	struct textset said = { 0 };
	const uint8_t *p, *e;
	const char *comma = "";
	int r = 0;

	for (p = pk_first(list); r != -1 && pk_element(&p, &e);) {
		if (*e == PK_NULL || (r = textset_add(&said, nm->names, e, pv_at(e).n)) != 1)
			continue;
		pb_puts(out, comma);
		comma = ",";
		r = health_message(out, nm, e);
	}
	textset_free(&said);
	return r == -1 ? -1 : 0;
}

/* DisplayMessages: while there are none, Health takes their place (protocol.md E.5). */
static void
messages(struct dump *d, struct pb *out)
{
	const struct view *v = d->snap.view;
	const struct blobmap *m = v->display;
	const uint8_t *list = v->field[NF_Health] == NULL ? NULL : v->field[NF_Health]->p;
	size_t i;

	put_name(out, fields[NF_DisplayMessages].name);
	pb_byte(out, '{');
	for (i = 0; m != NULL && i < m->n; i++) {
		if (i > 0)
			pb_byte(out, ',');
		pb_quote(out, (const char *)m->e[i].name->p, m->e[i].name->n);
		pb_byte(out, ':');
		(void)pk_print(out, m->e[i].value->p, d->nm->names);
	}
	if (i == 0 && list != NULL && *list == PK_ARR && health_messages(out, d->nm, list) == -1)
		d->failed = 1;
	pb_byte(out, '}');
}

static void
tail(struct dump *d, struct pb *out)
{
	unsigned f;

	pb_byte(out, '}');
	for (f = NF_UserProfiles + 1; f < NF_COUNT; f++) {
		pb_byte(out, ',');
		if (f == NF_DisplayMessages)
			messages(d, out);
		else
			put_field(out, d->nm, d->snap.view, (enum netmap_field)f);
	}
	pb_byte(out, '}');
}

int
dump_more(struct dump *d, struct pb *out, size_t about)
{
	while (d->phase != DONE && out->n < about && !d->failed) {
		switch (d->phase) {
		case HEAD: head(d, out); break;
		case PEERS:
			if (peers(d, out, about))
				return 1;
			if (d->lines)
				d->phase = TAIL;
			break;
		case MIDDLE: middle(d, out); break;
		case FILTER:
		case EFFECTIVE:
			if (filter(d, out, about))
				return 1;
			break;
		case EFFECTIVE_HEAD: effective_head(d, out); break;
		case PROFILES_HEAD: profiles_head(d, out); break;
		case PROFILES:
			if (profiles(d, out, about))
				return 1;
			break;
		case TAIL: tail(d, out); break;
		default: break;
		}
		d->phase++;
	}
	return d->phase != DONE && !d->failed;
}
