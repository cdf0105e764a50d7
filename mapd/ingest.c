/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "side.h"
#include "store.h"

/*
 * The outermost object of a MapResponse is walked here, resumable at any byte; what hangs below is parsed when it is whole in the window: one list
 * element or one other member at a time.
 */
enum where { AT_START, AT_FIRST_NAME, AT_NAME, AT_COLON, AT_VALUE, AT_FIRST_ELEM, AT_ELEM, AFTER_ELEM, AFTER_VALUE, AT_END, REFUSED };

#define DEPTH_MEMBER 1
#define DEPTH_ELEM   2
#define LEARN_FROM   64 /* PeersChanged of a message this long is a bulk load: worth a dictionary */

struct ingest {
	struct netmap		*nm;
	struct ingest_limits	 lim;
	struct parser		 ps;
	uint8_t			*win;		/* window of text */
	size_t			 off, len, cap;	/* parsed up to, filled up to, without the padding */
	size_t			 need;		/* bytes from off before another try is worth it */
	int			 last;		/* no more text will come */
	enum where		 where;
	unsigned		 name;		/* NM_ of the member, NM_NONE = unknown */
	size_t			 index;		/* of the list element */
	struct pb		 rules;		/* PacketFilter as it comes in */
	struct side		 side;
	struct stage		 st;
	int			 staged;
	char			 err[INGEST_ERR_MAX];
};

struct ingest *
ingest_new(struct netmap *nm)
{
	struct ingest *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->nm = nm;
	g->lim = (struct ingest_limits){ .max_peers = 1u << 20, .max_member = 16u << 20 };
	parser_init(&g->ps, nm->names);
	g->where = REFUSED;
	return g;
}

void
ingest_free(struct ingest *g)
{
	if (g == NULL)
		return;
	ingest_discard(g);
	parser_free(&g->ps);
	free(g->win);
	free(g);
}

struct ingest_limits *
ingest_limits(struct ingest *g)
{
	return &g->lim;
}

const char *
ingest_error(const struct ingest *g)
{
	return g->err;
}

const struct ingest_side *
ingest_side(const struct ingest *g)
{
	return &g->side.pub;
}

/* Big buffers of a big message go back at once; small ones stay for the next delta. */
static void
forget_text(struct ingest *g)
{
	if (g->cap > 1u << 20) {
		free(g->win);
		g->win = NULL;
		g->cap = 0;
	}
	if (g->ps.out.cap > 1u << 20)
		pb_free(&g->ps.out);
	if (g->ps.scratch.cap > 1u << 20)
		pb_free(&g->ps.scratch);
	g->off = g->len = g->need = 0;
}

void
ingest_discard(struct ingest *g)
{
	g->ps.dict = g->nm->names;
	stage_clear(&g->st);
	side_clear(&g->side);
	pb_free(&g->rules);
	forget_text(g);
	g->staged = 0;
	g->where = REFUSED;
}

void
ingest_begin(struct ingest *g)
{
	ingest_discard(g);
	g->where = AT_START;
	g->last = 0;
	g->err[0] = '\0';
	g->ps.dropped = 0;
}

static int
refuse(struct ingest *g, const char *why)
{
	if (g->where != REFUSED)
		snprintf(g->err, sizeof(g->err), "%s", why);
	g->where = REFUSED;
	return -1;
}

static int
is_list(unsigned name)
{
	return name == NM_Peers || name == NM_PeersChanged || name == NM_PeersChangedPatch || name == NM_UserProfiles || name == NM_PacketFilter;
}

static enum type_id
member_type(const struct ingest *g)
{
	return g->name == NM_NONE ? TY_ANY : (enum type_id)schema_types[TY_MAPRESPONSE].members[g->name];
}

/* A member came twice: the last wins. */
static void
forget_list(struct ingest *g)
{
	switch (g->name) {
	case NM_Peers: nodelist_clear(&g->st.peers); break;
	case NM_PeersChanged: nodelist_clear(&g->st.changed); break;
	case NM_PeersChangedPatch: nodelist_clear(&g->st.patches); break;
	case NM_UserProfiles: nodelist_clear(&g->st.profiles); break;
	case NM_PacketFilter:
		blob_unref(g->st.base_rules);
		g->st.base_rules = NULL;
		g->rules.n = 0;
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

static int
begin_list(struct ingest *g)
{
	struct dict *d;

	forget_list(g);
	if ((d = list_dict(g)) == NULL)
		return refuse(g, "out of memory");
	g->ps.dict = d;
	g->index = 0;
	if (g->name == NM_PacketFilter)
		pb_byte(&g->rules, PK_ARR);
	return 0;
}

static int
end_list(struct ingest *g)
{
	g->ps.dict = g->nm->names;
	if (g->name != NM_PacketFilter)
		return 0;
	pb_byte(&g->rules, PK_END);
	if (g->rules.oom || (g->st.base_rules = blob_new(g->rules.p, g->rules.n)) == NULL)
		return refuse(g, "out of memory");
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

static int
take_element(struct ingest *g)
{
	struct stage *st = &g->st;
	struct parser *ps = &g->ps;
	struct nodelist *l;
	struct node *n;

	if (g->name == NM_PacketFilter) {
		pb_put(&g->rules, ps->out.p, ps->out.n);
		return g->rules.oom ? refuse(g, "out of memory") : 0;
	}
	switch (g->name) {
	case NM_Peers: l = &st->peers; n = node_make(ps, 0); break;
	case NM_PeersChanged: l = &st->changed; n = node_make(ps, 0); break;
	case NM_PeersChangedPatch: l = &st->patches; n = node_make_patch(ps, 0); break;
	default: l = &st->profiles; n = (struct node *)(void *)make_profile(ps); break;
	}
	if (nodelist_add(l, n) == -1)
		return refuse(g, "out of memory");
	return l->len > g->lim.max_peers ? refuse(g, "too many peers") : 0;
}

/* --- members that are one value --- */

static int
set_blob(struct ingest *g, struct blob **at, const void *p, size_t n)
{
	blob_unref(*at);
	*at = NULL;
	if (p == NULL)
		return 0;
	return (*at = blob_new(p, n)) == NULL ? refuse(g, "out of memory") : 0;
}

static int
take_self(struct ingest *g)
{
	struct node *n = node_make(&g->ps, 1);
	int r;

	if (n == NULL)
		return refuse(g, "out of memory");
	r = set_blob(g, &g->st.field[VF_SELF], n, n->r.size);
	if (r == 0)
		g->st.field[VF_SELF]->is_node = 1;
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
		return refuse(g, "out of memory");
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
	char tmp[24];

	free(*list);
	*count = 0;
	if ((*list = malloc((n + 1) * sizeof(**list))) == NULL)
		return refuse(g, "out of memory");
	while (pk_member(&p, &name, &text, &e)) {
		if (*e == PK_NULL || text.n == 0)
			continue;
		/* parse.c has seen to it that it is a number that fits; leading zeros may make it long */
		while (text.n > 21 && (text.p[0] == '0' || text.p[0] == '-'))
			text.p++, text.n--;
		snprintf(tmp, sizeof(tmp), "%.*s", (int)text.n, (const char *)text.p);
		(*list)[i].id = strtoll(tmp, NULL, 10);
		(*list)[i++].on = *e == PK_TRUE;
	}
	*count = i;
	return 0;
}

/* Which field of the view a member is, VF_COUNT = none. */
static enum view_field
field_of(unsigned name)
{
	switch (name) {
	case NM_DNSConfig: return VF_DNS;
	case NM_DERPMap: return VF_DERP;
	case NM_SSHPolicy: return VF_SSH;
	case NM_TKAInfo: return VF_TKA;
	case NM_ClientVersion: return VF_CLIENTVERSION;
	case NM_Health: return VF_HEALTH;
	case NM_Domain: return VF_DOMAIN;
	case NM_DomainDataPlaneAuditLogID: return VF_AUDIT;
	case NM_CollectServices: return VF_COLLECT;
	case NM_DefaultAutoUpdate: return VF_AUTOUPDATE;
	case NM_ControlTime: return VF_CONTROLTIME;
	default: return VF_COUNT;
	}
}

/* FLD-08: for these the empty value means unchanged. */
static int
means_nothing(unsigned name, const uint8_t *v, const struct side *s)
{
	if (name == NM_Domain || name == NM_DomainDataPlaneAuditLogID)
		return *v == PK_SHORT;
	return name == NM_ControlTime && !s->pub.has_control_time;
}

static int
take_value(struct ingest *g)
{
	const uint8_t *v = g->ps.out.p;
	enum view_field f = field_of(g->name);
	int r;

	if (g->name == NM_NONE)
		return 0;
	if (*v == PK_NULL) { /* absent, also when it was there before: the last wins */
		if (is_list(g->name))
			forget_list(g);
		return f == VF_COUNT ? 0 : set_blob(g, &g->st.field[f], NULL, 0);
	}
	if ((r = side_member(&g->side, g->name, v, g->nm->names)) != 0)
		return r == -1 ? refuse(g, "out of memory") : 0;
	if (f != VF_COUNT)
		return means_nothing(g->name, v, &g->side) ? 0 : set_blob(g, &g->st.field[f], v, g->ps.out.n);
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

/* --- the walk --- */

/* More text is needed for what begins at off: come back when there is twice as much, so that a long value costs no more than twice. */
static int
wait_for_more(struct ingest *g)
{
	size_t have = g->len - g->off;

	if (have > g->lim.max_member)
		return refuse(g, "a member is too large");
	g->need = have < 64 ? have + 1 : have * 2;
	if (g->need > g->lim.max_member)
		g->need = g->lim.max_member + 1;
	return 1;
}

static int
parse_error(struct ingest *g)
{
	struct parser *ps = &g->ps;
	const uint8_t *nm;
	char text[INGEST_ERR_MAX];
	size_t n = 0;

	if (g->where == AT_ELEM)
		parse_path(ps, "[%zu]", g->index);
	nm = dict_text(g->nm->names, g->where == AT_NAME ? 0 : g->name, &n);
	snprintf(text, sizeof(text), "%.*s%s%s%s", (int)n, (const char *)nm, ps->path, n || ps->path[0] ? ": " : "", ps->why);
	return refuse(g, text);
}

/* One value of a type, whole, into ps.out.  0 = there, 1 = needs more, -1 = refused. */
static int
pull(struct ingest *g, enum type_id t, unsigned depth)
{
	struct parser *ps = &g->ps;
	size_t from = g->off;

	ps->out.n = 0;
	ps->depth = depth;
	switch (parse_value(ps, t)) {
	case PARSE_OK:
		g->off = (size_t)(ps->p - g->win);
		return g->off - from > g->lim.max_member ? refuse(g, "a member is too large") : 0;
	case PARSE_MORE: return wait_for_more(g);
	default: return parse_error(g);
	}
}

static int
at_name(struct ingest *g)
{
	struct parser *ps = &g->ps;
	const uint8_t *s;
	size_t n;

	ps->path[0] = '\0';
	switch (parse_string(ps, &s, &n)) {
	case PARSE_MORE: return wait_for_more(g);
	case PARSE_BAD: return parse_error(g);
	default: break;
	}
	g->name = parse_member_name(ps, schema_types[TY_MAPRESPONSE].members, s, n);
	g->off = (size_t)(ps->p - g->win);
	g->where = AT_COLON;
	return 0;
}

static int
at_value(struct ingest *g, uint8_t c)
{
	int r;

	if (is_list(g->name) && c == '[') {
		g->off++;
		g->where = AT_FIRST_ELEM;
		return begin_list(g);
	}
	if (is_list(g->name) && c != 'n') {
		g->ps.why = "not an array";
		g->ps.path[0] = '\0';
		return parse_error(g);
	}
	g->ps.learn = 0;
	if ((r = pull(g, is_list(g->name) ? TY_BOOL : member_type(g), DEPTH_MEMBER)) != 0)
		return r;
	g->where = AFTER_VALUE;
	return take_value(g);
}

static int
at_element(struct ingest *g, uint8_t c)
{
	int r;

	if (c == 'n') {
		g->ps.why = "null in a list";
		g->ps.path[0] = '\0';
		return parse_error(g);
	}
	g->ps.learn = g->name == NM_Peers || (g->name == NM_PeersChanged && g->index >= LEARN_FROM);
	if ((r = pull(g, member_type(g), DEPTH_ELEM)) != 0)
		return r;
	g->index++;
	g->where = AFTER_ELEM;
	return take_element(g);
}

/* One step on the byte c at off.  0 = go on, 1 = needs more text, -1 = refused. */
static int
step(struct ingest *g, uint8_t c)
{
	static const char punct[] = { [AT_START] = '{', [AT_FIRST_NAME] = '}', [AT_COLON] = ':', [AT_FIRST_ELEM] = ']', [AFTER_ELEM] = ',',
		[AFTER_VALUE] = ',', [REFUSED] = 0 };
	static const enum where next[] = { [AT_START] = AT_FIRST_NAME, [AT_FIRST_NAME] = AT_END, [AT_COLON] = AT_VALUE,
		[AT_FIRST_ELEM] = AFTER_VALUE, [AFTER_ELEM] = AT_ELEM, [AFTER_VALUE] = AT_NAME, [REFUSED] = REFUSED };
	int list_ends = (g->where == AT_FIRST_ELEM || g->where == AFTER_ELEM) && c == ']';

	if (punct[g->where] != 0 && (uint8_t)punct[g->where] == c) {
		g->where = next[g->where];
		g->off++;
		return list_ends ? end_list(g) : 0;
	}
	switch (g->where) {
	case AT_FIRST_NAME: g->where = AT_NAME; return 0;
	case AT_NAME: return at_name(g);
	case AT_VALUE: return at_value(g, c);
	case AT_FIRST_ELEM: g->where = AT_ELEM; return 0;
	case AT_ELEM: return at_element(g, c);
	case AFTER_ELEM:
		if (c != ']')
			break;
		g->off++;
		g->where = AFTER_VALUE;
		return end_list(g);
	case AFTER_VALUE:
		if (c != '}')
			break;
		g->off++;
		g->where = AT_END;
		return 0;
	default: break;
	}
	return refuse(g, g->where == AT_END ? "text behind the message" : "not a JSON object");
}

static int
run(struct ingest *g)
{
	struct parser *ps = &g->ps;
	int r;

	if (g->where == REFUSED)
		return -1;
	if (g->len - g->off < g->need && !g->last)
		return 0;
	g->need = 0;
	ps->end = g->win + g->len;
	for (;;) {
		ps->p = g->win + g->off;
		parse_space(ps);
		g->off = (size_t)(ps->p - g->win);
		if (g->off >= g->len)
			return 0;
		if ((r = step(g, *ps->p)) != 0)
			return r == 1 ? 0 : -1;
	}
}

/* Text that has been parsed makes room, then p is appended. */
static int
append(struct ingest *g, const void *p, size_t n)
{
	size_t left = g->len - g->off, want = left + n + PARSE_PAD, cap;
	uint8_t *mem;

	if (g->off > 0) {
		memmove(g->win, g->win + g->off, left);
		g->len = left;
		g->off = 0;
	}
	if (want > g->cap) {
		cap = g->cap + g->cap / 2 > want ? g->cap + g->cap / 2 : want;
		if ((mem = realloc(g->win, cap)) == NULL)
			return refuse(g, "out of memory");
		g->win = mem;
		g->cap = cap;
	}
	memcpy(g->win + left, p, n);
	g->len = left + n;
	memset(g->win + g->len, 0, PARSE_PAD);
	return 0;
}

#define PIECE (256u << 10) /* longer pieces are taken in parts: the window stays small */

int
ingest_data(struct ingest *g, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t part;

	if (g->where == REFUSED)
		return refuse(g, "nothing begun");
	g->side.pub.bytes += n;
	for (; n > 0; p += part, n -= part) {
		part = n < PIECE ? n : PIECE;
		if (append(g, p, part) == -1 || run(g) == -1)
			return -1;
	}
	return 0;
}

int
ingest_end(struct ingest *g)
{
	if (g->where == REFUSED)
		return refuse(g, "nothing begun");
	g->last = 1;
	if (g->len > g->off && run(g) == -1)
		return -1;
	if (g->where != AT_END || g->off < g->len)
		return refuse(g, "the message ends too early");
	g->st.keepalive = g->side.pub.keepalive;
	g->staged = 1;
	forget_text(g);
	return 0;
}

int
ingest_apply(struct ingest *g, struct wtime now, struct netmap_change *ch)
{
	const char *why;
	int r;

	if (!g->staged)
		return refuse(g, "nothing staged");
	g->st.max_peers = g->lim.max_peers;
	r = netmap_apply(g->nm, &g->st, now, ch, &why);
	if (r == -1) {
		g->where = AT_START;
		refuse(g, why);
	}
	ingest_discard(g);
	return r;
}
