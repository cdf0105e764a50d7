/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "lex.h"
#include "mapmember.h"

/* Members of a message, parsed, into the stage. */

int
take_is_list(unsigned name)
{
	return name == NM_Peers || name == NM_PeersChanged || name == NM_PeersChangedPatch || name == NM_UserProfiles ||
	    name == NM_PacketFilter;
}

enum type_id
take_type(const struct ingest *g)
{
	return g->name == NM_NONE ? TY_ANY : (enum type_id)schema_types[TY_MAPRESPONSE].members[g->name];
}

static void
drop_blob(struct blob **b)
{
	blob_unref(*b);
	*b = NULL;
}

/* A member came twice: the last wins, also when it is null. */
static void
forget_member(struct ingest *g)
{
	struct stage *st = &g->st;

	switch (g->name) {
	case NM_Peers: nodelist_clear(&st->peers); break;
	case NM_PeersChanged: nodelist_clear(&st->changed); break;
	case NM_PeersChangedPatch: nodelist_clear(&st->patches); break;
	case NM_UserProfiles: nodelist_clear(&st->profiles); break;
	case NM_PeersRemoved: st->nremoved = 0; break;
	case NM_PeerSeenChange: st->nseen = 0; break;
	case NM_OnlineChange: st->nonline = 0; break;
	case NM_PacketFilter:
		drop_blob(&st->base_rules);
		g->rules.n = 0;
		break;
	case NM_PacketFilters: drop_blob(&st->chunks); break;
	case NM_DisplayMessages: drop_blob(&st->display); break;
	case NM_Node:
		drop_blob(&st->field[NF_Node]);
		g->side.pub.has_node = 0;
		break;
	default: break;
	}
}

/* The dictionary of the elements of this list, NULL = out of memory. */
static struct dict *
list_dict(struct ingest *g)
{
	struct netmap *nm = g->nm;
	int live = !nm->fresh && nm->cur != NULL;

	if (g->name == NM_UserProfiles || g->name == NM_PacketFilter)
		return nm->names;
	if (g->name != NM_Peers && live) {
		if (g->st.target == NULL)
			g->st.target = peers_ref(nm->cur->peers);
		return g->st.target->dict;
	}
	if (g->st.peers_new == NULL && (g->st.peers_new = peers_new()) == NULL)
		return NULL;
	return g->st.peers_new->dict;
}

int
take_list_begin(struct ingest *g)
{
	struct dict *d;

	forget_member(g);
	if ((d = list_dict(g)) == NULL)
		return ingest_refuse(g, "out of memory");
	g->ps.dict = d;
	g->index = 0;
	if (g->name == NM_PacketFilter)
		pb_byte(&g->rules, PK_ARR);
	return 0;
}

int
take_list_end(struct ingest *g)
{
	g->ps.dict = g->nm->names;
	if (g->name != NM_PacketFilter)
		return 0;
	pb_byte(&g->rules, PK_END);
	if (g->rules.oom || (g->st.base_rules = blob_new(g->rules.p, g->rules.n)) == NULL)
		return ingest_refuse(g, "out of memory");
	pb_free(&g->rules);
	return 0;
}

static struct profile *
make_profile(const struct parser *ps)
{
	struct profile *pr;
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
take_element(struct ingest *g)
{
	struct stage *st = &g->st;
	struct parser *ps = &g->ps;
	struct nodelist *l;
	struct node *n;

	if (g->name == NM_PacketFilter) {
		pb_put(&g->rules, ps->out.p, ps->out.n);
		return g->rules.oom ? ingest_refuse(g, "out of memory") : 0;
	}
	switch (g->name) {
	case NM_Peers:
		l = &st->peers;
		n = node_make(ps, 0);
		break;
	case NM_PeersChanged:
		l = &st->changed;
		n = node_make(ps, 0);
		break;
	case NM_PeersChangedPatch:
		l = &st->patches;
		n = node_make_patch(ps, 0);
		break;
	default:
		l = &st->profiles;
		n = (struct node *)(void *)make_profile(ps);
		break;
	}
	if (nodelist_add(l, n) == -1)
		return ingest_refuse(g, "out of memory");
	return l->len > g->lim.max_peers ? ingest_limit(g, "too many peers") : 0;
}

static int
set_blob(struct ingest *g, struct blob **at, const void *p, size_t n)
{
	blob_unref(*at);
	*at = NULL;
	if (p == NULL)
		return 0;
	return (*at = blob_new(p, n)) == NULL ? ingest_refuse(g, "out of memory") : 0;
}

static int
take_self(struct ingest *g)
{
	struct node *n = node_make(&g->ps, 1);
	int r;

	if (n == NULL)
		return ingest_refuse(g, "out of memory");
	r = set_blob(g, &g->st.field[NF_Node], n, n->r.size);
	if (r == 0)
		g->st.field[NF_Node]->is_node = 1;
	g->side.pub.has_node = 1;
	free(n);
	return r;
}

static int
take_ids(struct ingest *g, const uint8_t *v)
{
	const uint8_t *p = pk_first(v), *e;
	size_t n = pk_count(v), i = 0;

	free(g->st.removed);
	g->st.nremoved = 0;
	if ((g->st.removed = malloc((n + 1) * sizeof(*g->st.removed))) == NULL)
		return ingest_refuse(g, "out of memory");
	while (pk_element(&p, &e))
		if (pk_i64(e, NULL, &g->st.removed[i]))
			i++;
	g->st.nremoved = i;
	return 0;
}

static int
take_flags(struct ingest *g, const uint8_t *v, struct idflag **list, size_t *count)
{
	const uint8_t *p = pk_first(v), *e;
	size_t n = pk_count(v), i = 0;
	struct pv text;
	unsigned name;

	free(*list);
	*count = 0;
	if ((*list = malloc((n + 1) * sizeof(**list))) == NULL)
		return ingest_refuse(g, "out of memory");
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
means_unchanged(enum netmap_field f, const uint8_t *v, const struct side *s)
{
	if (fields[f].kind != KEPT)
		return 0;
	return f == NF_ControlTime ? !s->pub.has_control_time : *v == PK_SHORT;
}

int
take_value(struct ingest *g)
{
	const uint8_t *v = g->ps.out.p;
	enum netmap_field f = field_of(g->name);
	int r;

	if (g->name == NM_NONE)
		return 0;
	if (*v == PK_NULL) {
		forget_member(g);
		return f == NF_COUNT ? 0 : set_blob(g, &g->st.field[f], NULL, 0);
	}
	if ((r = side_member(&g->side, g->name, v, g->nm->names)) != 0)
		return r == -1 ? ingest_refuse(g, "out of memory") : 0;
	if (f != NF_COUNT)
		return means_unchanged(f, v, &g->side) ? 0 : set_blob(g, &g->st.field[f], v, g->ps.out.n);
	switch (g->name) {
	case NM_Node: return take_self(g);
	case NM_PeersRemoved: return take_ids(g, v);
	case NM_PeerSeenChange: return take_flags(g, v, &g->st.seen, &g->st.nseen);
	case NM_OnlineChange: return take_flags(g, v, &g->st.online, &g->st.nonline);
	case NM_PacketFilters: return set_blob(g, &g->st.chunks, v, g->ps.out.n);
	case NM_DisplayMessages: return set_blob(g, &g->st.display, v, g->ps.out.n);
	default: return 0;
	}
}
