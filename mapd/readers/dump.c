/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "filter.h"
#include "mem.h"
#include "nodeview.h"
#include "packprint.h"
#include "textset.h"

#define CHECK_WORK 16000 /* peers and entries of rules that are looked at in one go: about 3 ms */

static const char *
source_name(enum ipc_source s)
{
	static const char *const names[] = { "none", "cached", "stale", "live" };

	return (unsigned)s < sizeof(names) / sizeof(names[0]) ? names[s] : "none";
}

/* --- starting and ending --- */

int
dump_netmap(struct dump *d, struct netmap *nm)
{
	memset(d, 0, sizeof(*d));
	d->source = nm->source;
	d->left = UINT64_MAX;
	return walk_begin(&d->walk, nm);
}

int
dump_peers(struct dump *d, struct netmap *nm, uint64_t limit, int has_after, int64_t after)
{
	int r = dump_netmap(d, nm);

	d->lines = 1;
	d->left = limit;
	if (has_after)
		walk_peers_after(&d->walk, after);
	else
		walk_peers(&d->walk);
	return r;
}

void
dump_end(struct dump *d)
{
	walk_end(&d->walk);
	filter_check_end(&d->check);
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
#define F(member, name, type, none, kind) { name, none },
	NETMAP_FIELDS(F)
#undef F
};

/* What is before the own node. */
static void
head(struct dump *d, struct pb *out)
{
	const struct view *v = d->walk.snap.view;
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
}

/* The name of a part, with the comma before it. */
static void
put_part(struct pb *out, unsigned part)
{
	pb_byte(out, ',');
	put_name(out, part == WALK_PEERS ? "Peers" : fields[part].name);
}

static void
put_node(struct dump *d, struct pb *out, const struct walk_item *it)
{
	node_print(out, it->node, it->dict);
	profile_refs_add(&d->users, d->walk.snap.view->peers->set, it->node, it->dict);
}

static void
value(struct dump *d, struct pb *out, const struct walk_item *it)
{
	if (it->part == NF_Node)
		head(d, out);
	put_part(out, it->part);
	if (it->node != NULL)
		put_node(d, out, it);
	else if (it->value != NULL)
		(void)pk_print(out, it->value, it->dict);
	else
		pb_puts(out, fields[it->part].none);
}

static int
is_array(unsigned part)
{
	return part == WALK_PEERS || part == NF_PacketFilter;
}

static void
begin(struct dump *d, struct pb *out, const struct walk_item *it)
{
	d->any = 0;
	if (d->effective && it->part == NF_PacketFilter)
		return;
	put_part(out, it->part);
	pb_byte(out, is_array(it->part) ? '[' : '{');
}

/* Between elements, but not before the first. */
static void
comma(struct dump *d, struct pb *out)
{
	if (d->any)
		pb_byte(out, ',');
	d->any = 1;
}

static void
element(struct dump *d, struct pb *out, const struct walk_item *it)
{
	switch (it->part) {
	case WALK_PEERS:
		comma(d, out);
		put_node(d, out, it);
		return;
	case NF_PacketFilter: /* the chunks in sequence, in byte order of their names (E.5) */
		if (d->effective) {
			d->any |= filter_print_rule(out, it->value, it->dict, d->any);
			return;
		}
		comma(d, out);
		break;
	case NF_UserProfiles: /* those that are referred to (FLD-07) */
		if (profile_refs_count(&d->users, d->walk.snap.view->peers->set, it->id) == 0)
			return;
		comma(d, out);
		pb_byte(out, '"');
		pb_i64(out, it->id);
		pb_puts(out, "\":");
		break;
	default:
		comma(d, out);
		pb_quote(out, (const char *)it->name->p, it->name->n);
		pb_byte(out, ':');
		break;
	}
	(void)pk_print(out, it->value, it->dict);
}

/* Which of the rules count, and how (FLD-06): they are walked once more. */
static void
effective_filter(struct dump *d, struct pb *out)
{
	struct walk *w = &d->walk;

	if (d->effective) {
		pb_puts(out, "]}");
		return;
	}
	pb_byte(out, ']');
	filter_check_begin(&d->check, w->snap.view, w->snap.peers_at, w->nm->names);
	d->checking = 1;
}

_Static_assert(NF_PacketFilter + 1 < NF_COUNT, "the walk does not end with the filter, and so not before its check");

/* What was found. */
static void
filter_checked(struct dump *d, struct pb *out)
{
	const char *closed = d->check.closed;

	filter_check_end(&d->check);
	d->checking = 0;
	pb_puts(out, ",\"EffectiveFilter\":{\"DenyAll\":");
	pb_puts(out, closed ? "true" : "false");
	pb_puts(out, ",\"Reason\":\"");
	pb_puts(out, closed ? closed : "");
	pb_puts(out, "\",\"Rules\":[");
	if (closed != NULL) {
		pb_puts(out, "]}");
		return;
	}
	d->effective = 1;
	walk_repeat(&d->walk, NF_PacketFilter);
}

/* A health text as a display message: protocol.md E.5, last paragraph. */
static void
health_message(struct pb *out, const uint8_t *v, const struct dict *names)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	char tmp[PK_TMP], *text;
	struct pv t;
	long n;

	if (!pk_text(v, names, tmp, &t))
		return;
	text = xmalloc(t.n + 1);
	n = pk_cstr(v, names, text, t.n + 1);
	crypto_hash_sha256(hash, (const uint8_t *)text, (unsigned long long)n);
	free(text);
	pb_puts(out, "\"health-");
	pb_need(out, 2 * sizeof(hash));
	pack_hex((char *)out->p + out->n, hash, sizeof(hash));
	out->n += 2 * sizeof(hash);
	pb_puts(out, "\":{\"Title\":\"Health warning of the control server\",\"Text\":");
	(void)pk_print(out, v, names);
	pb_puts(out, ",\"Severity\":\"medium\"}");
}

/* While there are no DisplayMessages, Health takes their place, each text once (protocol.md E.5). */
static void
health_messages(struct dump *d, struct pb *out)
{
	const struct dict *names = d->walk.nm->names;
	const struct blob *list = d->walk.snap.view->field[NF_Health];
	struct textset printed = { 0 };
	const uint8_t *p, *e;

	if (d->any || list == NULL || *list->p != PK_ARR)
		return;
	for (p = pk_first(list->p); pk_element(&p, &e);) {
		if (*e == PK_NULL || !textset_add(&printed, names, e, pv_at(e).n))
			continue;
		comma(d, out);
		health_message(out, e, names);
	}
	textset_free(&printed);
}

static void
end(struct dump *d, struct pb *out, const struct walk_item *it)
{
	if (it->part == NF_PacketFilter) {
		effective_filter(d, out);
		return;
	}
	if (it->part == NF_DisplayMessages)
		health_messages(d, out);
	pb_byte(out, is_array(it->part) ? ']' : '}');
}

static void
object_item(struct dump *d, struct pb *out, const struct walk_item *it)
{
	switch (it->kind) {
	case WALK_VALUE: value(d, out, it); break;
	case WALK_BEGIN: begin(d, out, it); break;
	case WALK_CHUNK: break;
	case WALK_ITEM: element(d, out, it); break;
	case WALK_END: end(d, out, it); break;
	}
	if (walk_done(&d->walk))
		pb_byte(out, '}');
}

int
dump_more(struct dump *d, struct pb *out, size_t about)
{
	struct walk_item it;

	walk_resume(&d->walk);
	while (out->n < about && d->left > 0) {
		if (d->checking) {
			if (filter_check_more(&d->check, CHECK_WORK))
				return 1;
			filter_checked(d, out);
		}
		if (!walk_next(&d->walk, &it))
			break;
		if (!d->lines) {
			object_item(d, out, &it);
		} else if (it.kind == WALK_ITEM) {
			node_print(out, it.node, it.dict);
			pb_byte(out, '\n');
			d->left--;
			d->count++;
		}
	}
	return d->left > 0 && !walk_done(&d->walk);
}
