/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "lex.h"
#include "mapmember.h"
#include "names.h"
#include "node.h"
#include "view.h"

static int
out_of_memory(struct members *m)
{
	(void)parse_fail(&m->ps, "out of memory");
	return -1;
}

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

/* A member came twice: the last wins, also when it is null. */
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

/* The dictionary of the elements of this list, NULL = out of memory. */
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
	if (m->update.peers_new == NULL && (m->update.peers_new = peers_new()) == NULL)
		return NULL;
	return m->update.peers_new->dict;
}

int
member_begin_list(struct members *m)
{
	struct dict *d;

	forget_member(m);
	if ((d = list_dict(m)) == NULL)
		return out_of_memory(m);
	m->ps.dict = d;
	m->index = 0;
	if (m->name == NM_PacketFilter)
		pb_byte(&m->rules, PK_ARR);
	return 0;
}

int
member_end_list(struct members *m)
{
	m->ps.dict = m->nm->names;
	if (m->name != NM_PacketFilter)
		return 0;
	pb_byte(&m->rules, PK_END);
	if (m->rules.oom || (m->update.base_rules = blob_new(m->rules.p, m->rules.n)) == NULL)
		return out_of_memory(m);
	pb_free(&m->rules);
	return 0;
}

static struct user_profile *
make_profile(const struct parser *ps)
{
	struct user_profile *pr;
	size_t i;

	if ((pr = calloc(1, sizeof(*pr) + ps->out.n)) == NULL)
		return NULL;
	memcpy(pr->data, ps->out.p, ps->out.n);
	pr->r.size = (uint32_t)(sizeof(*pr) + ps->out.n);
	for (i = 0; i < ps->ntop; i++)
		if (ps->top[i].name == NM_ID)
			(void)pk_i64(ps->out.p + ps->top[i].value, ps->dict, &pr->r.id);
	return pr;
}

int
member_element(struct members *m)
{
	struct update *u = &m->update;
	struct parser *ps = &m->ps;
	struct reclist *l;
	struct node *n = NULL;
	struct user_profile *pr = NULL;

	switch (m->name) {
	case NM_PacketFilter: pb_put(&m->rules, ps->out.p, ps->out.n); return m->rules.oom ? out_of_memory(m) : 0;
	case NM_Peers:
		l = &u->peers;
		n = node_make(ps, 0);
		break;
	case NM_PeersChanged:
		l = &u->changed;
		n = node_make(ps, 0);
		break;
	case NM_PeersChangedPatch:
		l = &u->patches;
		n = node_make_patch(ps, 0);
		break;
	default:
		l = &u->profiles;
		pr = make_profile(ps);
		break;
	}
	if (reclist_add(l, n != NULL ? &n->r : pr != NULL ? &pr->r : NULL) == -1)
		return out_of_memory(m);
	if (l->len <= m->max_peers)
		return 0;
	(void)parse_limit(ps, "too many peers");
	return -1;
}

static int
set_blob(struct members *m, struct blob **at, const void *p, size_t n)
{
	blob_unref(*at);
	*at = NULL;
	if (p == NULL)
		return 0;
	return (*at = blob_new(p, n)) == NULL ? out_of_memory(m) : 0;
}

static int
read_self(struct members *m)
{
	struct node *n = node_make(&m->ps, 1);
	int r;

	if (n == NULL)
		return out_of_memory(m);
	r = set_blob(m, &m->update.field[NF_Node], n, n->r.size);
	if (r == 0)
		m->update.field[NF_Node]->is_node = 1;
	m->directives.pub.has_node = 1;
	free(n);
	return r;
}

static int
read_ids(struct members *m, const uint8_t *v)
{
	const uint8_t *p = pk_first(v), *e;
	size_t n = pk_count(v), i = 0;

	free(m->update.removed);
	m->update.nremoved = 0;
	if ((m->update.removed = malloc((n + 1) * sizeof(*m->update.removed))) == NULL)
		return out_of_memory(m);
	while (pk_element(&p, &e))
		if (pk_i64(e, NULL, &m->update.removed[i]))
			i++;
	m->update.nremoved = i;
	return 0;
}

static int
read_flags(struct members *m, const uint8_t *v, struct idflag **list, size_t *count)
{
	const uint8_t *p = pk_first(v), *e;
	size_t n = pk_count(v), i = 0;
	struct pv text;
	unsigned name;

	free(*list);
	*count = 0;
	if ((*list = malloc((n + 1) * sizeof(**list))) == NULL)
		return out_of_memory(m);
	while (pk_member(&p, &name, &text, &e))
		if (*e != PK_NULL && lex_whole_number(text.p, text.n, &(*list)[i].id))
			(*list)[i++].on = *e == PK_TRUE;
	*count = i;
	return 0;
}

enum field_kind { VALUE, KEPT, OWN };

static const struct {
	unsigned name;
	enum field_kind kind;
} fields[NF_COUNT] = {
#define F(member, shown, type, none, kind) { NM_##member, kind },
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

int
member_value(struct members *m)
{
	const uint8_t *v = m->ps.out.p;
	enum netmap_field f = field_of(m->name);
	int r;

	if (m->name == NM_NONE)
		return 0;
	if (*v == PK_NULL) {
		forget_member(m);
		return f == NF_COUNT ? 0 : set_blob(m, &m->update.field[f], NULL, 0);
	}
	if ((r = directive_member(&m->directives, m->name, v, m->nm->names)) != 0)
		return r == -1 ? out_of_memory(m) : 0;
	if (f != NF_COUNT)
		return means_unchanged(f, v, &m->directives) ? 0 : set_blob(m, &m->update.field[f], v, m->ps.out.n);
	switch (m->name) {
	case NM_Node: return read_self(m);
	case NM_PeersRemoved: return read_ids(m, v);
	case NM_PeerSeenChange: return read_flags(m, v, &m->update.seen, &m->update.nseen);
	case NM_OnlineChange: return read_flags(m, v, &m->update.online, &m->update.nonline);
	case NM_PacketFilters: return set_blob(m, &m->update.chunks, v, m->ps.out.n);
	case NM_DisplayMessages: return set_blob(m, &m->update.display, v, m->ps.out.n);
	default: return 0;
	}
}
