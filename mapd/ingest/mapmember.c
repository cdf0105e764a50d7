/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "lex.h"
#include "mapmember.h"
#include "mem.h"
#include "names.h"
#include "node.h"
#include "view.h"

void
members_clear(struct members *m)
{
	m->ps.dict = m->nm->names;
	update_clear(&m->update);
	directive_clear(&m->directives);
	pb_free(&m->rules);
}

int
member_is_list(unsigned name)
{
	return name == NM_Peers || name == NM_PeersChanged || name == NM_PeersChangedPatch || name == NM_UserProfiles ||
	    name == NM_PacketFilter;
}

enum type_id
member_type(const struct members *m)
{
	return m->name == NM_NONE ? TY_ANY : (enum type_id)schema_types[TY_MAPRESPONSE].members[m->name];
}

static void
drop_blob(struct blob **b)
{
	blob_unref(*b);
	*b = NULL;
}

/* A member is repeated: the last counts, also when it is null. */
static void
forget_member(struct members *m)
{
	struct update *u = &m->update;

	switch (m->name) {
	case NM_Peers: reclist_clear(&u->peers); break;
	case NM_PeersChanged: reclist_clear(&u->changed); break;
	case NM_PeersChangedPatch: reclist_clear(&u->patches); break;
	case NM_UserProfiles: reclist_clear(&u->profiles); break;
	case NM_PeersRemoved: u->nremoved = 0; break;
	case NM_PeerSeenChange: u->nseen = 0; break;
	case NM_OnlineChange: u->nonline = 0; break;
	case NM_PacketFilter:
		drop_blob(&u->base_rules);
		m->rules.n = 0;
		break;
	case NM_PacketFilters: drop_blob(&u->chunks); break;
	case NM_DisplayMessages: drop_blob(&u->display); break;
	case NM_Node:
		drop_blob(&u->field[NF_Node]);
		m->directives.pub.has_node = 0;
		break;
	default: break;
	}
}

/* The dictionary of the elements of this list. */
static struct dict *
list_dict(struct members *m)
{
	struct netmap *nm = m->nm;
	int live = !nm->fresh && nm->cur != NULL;

	if (m->name == NM_UserProfiles || m->name == NM_PacketFilter)
		return nm->names;
	if (m->name != NM_Peers && live) {
		if (m->update.target == NULL)
			m->update.target = peers_ref(nm->cur->peers);
		return m->update.target->dict;
	}
	if (m->update.peers_new == NULL)
		m->update.peers_new = peers_new();
	return m->update.peers_new->dict;
}

void
member_begin_list(struct members *m)
{
	forget_member(m);
	m->ps.dict = list_dict(m);
	m->index = 0;
	if (m->name == NM_PacketFilter)
		pb_byte(&m->rules, PK_ARR);
}

void
member_end_list(struct members *m)
{
	m->ps.dict = m->nm->names;
	if (m->name != NM_PacketFilter)
		return;
	pb_byte(&m->rules, PK_END);
	m->update.base_rules = blob_new(m->rules.p, m->rules.n);
	pb_free(&m->rules);
}

static struct rec *
make_profile(const struct parser *ps)
{
	struct user_profile *pr = xcalloc(1, sizeof(*pr) + ps->out.n);
	size_t i;

	memcpy(pr->data, ps->out.p, ps->out.n);
	pr->r.size = (uint32_t)(sizeof(*pr) + ps->out.n);
	for (i = 0; i < ps->ntop; i++)
		if (ps->top[i].name == NM_ID)
			(void)pk_i64(ps->out.p + ps->top[i].value, ps->dict, &pr->r.id);
	return &pr->r;
}

int
member_element(struct members *m)
{
	struct update *u = &m->update;
	struct parser *ps = &m->ps;
	struct reclist *l;

	switch (m->name) {
	case NM_PacketFilter: pb_put(&m->rules, ps->out.p, ps->out.n); return 0;
	case NM_Peers: reclist_add(l = &u->peers, &node_make(ps, 0)->r); break;
	case NM_PeersChanged: reclist_add(l = &u->changed, &node_make(ps, 0)->r); break;
	case NM_PeersChangedPatch: reclist_add(l = &u->patches, &node_make_patch(ps, 0)->r); break;
	default: reclist_add(l = &u->profiles, make_profile(ps)); break;
	}
	return l->len > m->max_peers ? -1 : 0;
}

static void
set_blob(struct blob **at, const void *p, size_t n)
{
	blob_unref(*at);
	*at = p == NULL ? NULL : blob_new(p, n);
}

static void
read_self(struct members *m)
{
	struct node *n = node_make(&m->ps, 1);

	set_blob(&m->update.field[NF_Node], n, n->r.size);
	m->update.field[NF_Node]->is_node = 1;
	m->directives.pub.has_node = 1;
	free(n);
}

static void
read_ids(struct members *m, const uint8_t *v)
{
	const uint8_t *p = pk_first(v), *e;
	size_t n = pk_count(v), i = 0;

	free(m->update.removed);
	m->update.removed = xreallocarray(NULL, n + 1, sizeof(*m->update.removed));
	while (pk_element(&p, &e))
		if (pk_i64(e, NULL, &m->update.removed[i]))
			i++;
	m->update.nremoved = i;
}

static void
read_flags(const uint8_t *v, struct idflag **list, size_t *count)
{
	const uint8_t *p = pk_first(v), *e;
	size_t n = pk_count(v), i = 0;
	struct pv text;
	unsigned name;

	free(*list);
	*list = xreallocarray(NULL, n + 1, sizeof(**list));
	while (pk_member(&p, &name, &text, &e))
		if (*e != PK_NULL && lex_whole_number(text.p, text.n, &(*list)[i].id))
			(*list)[i++].on = *e == PK_TRUE;
	*count = i;
}

enum field_kind { VALUE, KEPT, OWN };

static const struct {
	unsigned name;
	enum field_kind kind;
} fields[NF_COUNT] = {
#define F(member, name, type, none, kind) { NM_##member, kind },
	NETMAP_FIELDS(F)
#undef F
};

/* Which field of the view a member replaces, NF_COUNT = none. */
static enum netmap_field
field_of(unsigned name)
{
	unsigned f;

	for (f = 0; f < NF_COUNT && (fields[f].name != name || fields[f].kind == OWN); f++)
		;
	return (enum netmap_field)f;
}

/* FLD-08: for these the empty value means unchanged. */
static int
means_unchanged(enum netmap_field f, const uint8_t *v, const struct directive_store *s)
{
	if (fields[f].kind != KEPT)
		return 0;
	return f == NF_ControlTime ? !s->pub.has_control_time : *v == PK_SHORT;
}

void
member_value(struct members *m)
{
	struct update *u = &m->update;
	const uint8_t *v = m->ps.out.p;
	enum netmap_field f = field_of(m->name);

	if (m->name == NM_NONE)
		return;
	if (*v == PK_NULL) {
		forget_member(m);
		if (f != NF_COUNT)
			set_blob(&u->field[f], NULL, 0);
		return;
	}
	if (directive_member(&m->directives, m->name, v, m->nm->names))
		return;
	if (f != NF_COUNT) {
		if (!means_unchanged(f, v, &m->directives))
			set_blob(&u->field[f], v, m->ps.out.n);
		return;
	}
	switch (m->name) {
	case NM_Node: read_self(m); break;
	case NM_PeersRemoved: read_ids(m, v); break;
	case NM_PeerSeenChange: read_flags(v, &u->seen, &u->nseen); break;
	case NM_OnlineChange: read_flags(v, &u->online, &u->nonline); break;
	case NM_PacketFilters: set_blob(&u->chunks, v, m->ps.out.n); break;
	case NM_DisplayMessages: set_blob(&u->display, v, m->ps.out.n); break;
	default: break;
	}
}
