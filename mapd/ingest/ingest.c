/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest.h"
#include "lex.h"
#include "mapmember.h"
#include "mem.h"
#include "names.h"

/*
 * The outermost object of a MapResponse is walked here, resumable at any byte; what hangs below is parsed when it
 * is whole in the window: one list element or one other member at a time.
 */

enum where {
	AT_START,
	AT_FIRST_NAME,
	AT_NAME,
	AT_COLON,
	AT_VALUE,
	AT_FIRST_ELEM,
	AT_ELEM,
	AFTER_ELEM,
	AFTER_VALUE,
	AT_END,
	REFUSED
};

struct ingest {
	struct ingest_limits lim;
	struct members m;
	uint8_t *win;         /* window of text */
	size_t off, len, cap; /* parsed up to, filled up to, without the padding */
	size_t need;          /* bytes from off before another try is worth it */
	int last;             /* no more text will come */
	enum where where;
	int staged;
	char err[INGEST_ERR_MAX];
};

#define DEPTH_MEMBER 1
#define DEPTH_ELEM   2
#define LEARN_FROM   64 /* elements of PeersChanged; from then on it is a bulk load that uses the dictionary */

struct ingest *
ingest_new(struct netmap *nm)
{
	struct ingest *g = xcalloc(1, sizeof(*g));

	g->m.nm = nm;
	g->lim = (struct ingest_limits){ .max_peers = 1u << 20, .max_member = 16u << 20, .max_bytes = 512u << 20 };
	parser_init(&g->m.ps, nm->names);
	g->where = REFUSED;
	return g;
}

void
ingest_free(struct ingest *g)
{
	if (g == NULL)
		return;
	ingest_discard(g);
	parser_free(&g->m.ps);
	free(g->win);
	free(g);
}

struct ingest_limits *
ingest_limits(struct ingest *g)
{
	return &g->lim;
}

int
ingest_over_limit(const struct ingest *g)
{
	return g->m.ps.limit;
}

size_t
ingest_dropped(const struct ingest *g)
{
	return g->m.ps.dropped;
}

const char *
ingest_error(const struct ingest *g)
{
	return g->err;
}

const struct directives *
ingest_directives(const struct ingest *g)
{
	return &g->m.directives.pub;
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
	if (g->m.ps.out.cap > 1u << 20)
		pb_free(&g->m.ps.out);
	if (g->m.ps.scratch.cap > 1u << 20)
		pb_free(&g->m.ps.scratch);
	g->off = g->len = g->need = 0;
}

void
ingest_discard(struct ingest *g)
{
	members_clear(&g->m);
	forget_text(g);
	g->staged = 0;
	g->where = REFUSED;
}

void
ingest_begin(struct ingest *g)
{
	ingest_discard(g);
	g->m.max_peers = g->lim.max_peers;
	g->where = AT_START;
	g->last = 0;
	g->err[0] = '\0';
	g->m.ps.dropped = 0;
	g->m.ps.limit = 0;
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
limit(struct ingest *g, const char *why)
{
	g->m.ps.limit = 1;
	return refuse(g, why);
}

/* --- the walk --- */

/*
 * More text is needed for what begins at off: try again when there is twice as much, so that a long value costs no
 * more than twice.
 */
static int
wait_for_more(struct ingest *g)
{
	size_t have = g->len - g->off;

	if (have > g->lim.max_member)
		return limit(g, "a member is too large");
	g->need = have < 64 ? have + 1 : have * 2;
	if (g->need > g->lim.max_member)
		g->need = g->lim.max_member + 1;
	return 1;
}

static int
parse_error(struct ingest *g)
{
	struct parser *ps = &g->m.ps;
	const uint8_t *nm;
	char text[INGEST_ERR_MAX];
	size_t n = 0;

	if (g->where == AT_ELEM)
		parse_path(ps, "[%zu]", g->m.index);
	nm = dict_text(g->m.nm->names, g->where == AT_NAME ? 0 : g->m.name, &n);
	snprintf(text, sizeof(text), "%.*s%s%s%s", (int)n, (const char *)nm, ps->path, n || ps->path[0] ? ": " : "",
	    ps->why);
	return refuse(g, text);
}

/* One value of a type, whole, into ps.out.  0 = there, 1 = needs more, -1 = refused. */
static int
pull(struct ingest *g, enum type_id t, unsigned depth)
{
	struct parser *ps = &g->m.ps;
	size_t from = g->off;

	ps->out.n = 0;
	ps->depth = depth;
	switch (parse_value(ps, t)) {
	case PARSE_OK:
		g->off = (size_t)(ps->p - g->win);
		return g->off - from > g->lim.max_member ? limit(g, "a member is too large") : 0;
	case PARSE_MORE: return wait_for_more(g);
	default: return parse_error(g);
	}
}

static int
at_name(struct ingest *g)
{
	struct parser *ps = &g->m.ps;
	const uint8_t *s;
	size_t n;

	ps->path[0] = '\0';
	switch (parse_string(ps, &s, &n)) {
	case PARSE_MORE: return wait_for_more(g);
	case PARSE_BAD: return parse_error(g);
	default: break;
	}
	g->m.name = parse_member_name(ps, schema_types[TY_MAPRESPONSE].members, s, n);
	g->off = (size_t)(ps->p - g->win);
	g->where = AT_COLON;
	return 0;
}

static int
at_value(struct ingest *g, uint8_t c)
{
	int r;

	if (member_is_list(g->m.name) && c == '[') {
		g->off++;
		g->where = AT_FIRST_ELEM;
		member_begin_list(&g->m);
		return 0;
	}
	if (member_is_list(g->m.name) && c != 'n') {
		g->m.ps.why = "not an array";
		g->m.ps.path[0] = '\0';
		return parse_error(g);
	}
	g->m.ps.learn = 0;
	if ((r = pull(g, member_is_list(g->m.name) ? TY_BOOL : member_type(&g->m), DEPTH_MEMBER)) != 0)
		return r;
	g->where = AFTER_VALUE;
	member_value(&g->m);
	return 0;
}

static int
at_element(struct ingest *g, uint8_t c)
{
	int r;

	if (c == 'n') {
		g->m.ps.why = "null in a list";
		g->m.ps.path[0] = '\0';
		return parse_error(g);
	}
	g->m.ps.learn = g->m.name == NM_Peers || (g->m.name == NM_PeersChanged && g->m.index >= LEARN_FROM);
	if ((r = pull(g, member_type(&g->m), DEPTH_ELEM)) != 0)
		return r;
	g->m.index++;
	g->where = AFTER_ELEM;
	return member_element(&g->m) == -1 ? limit(g, "too many peers") : 0;
}

/* One step on the byte c at off.  0 = go on, 1 = needs more text, -1 = refused. */
static int
step(struct ingest *g, uint8_t c)
{
	static const char punct[] = { [AT_START] = '{',
		[AT_FIRST_NAME] = '}',
		[AT_COLON] = ':',
		[AT_FIRST_ELEM] = ']',
		[AFTER_ELEM] = ',',
		[AFTER_VALUE] = ',',
		[REFUSED] = 0 };
	static const enum where next[] = { [AT_START] = AT_FIRST_NAME,
		[AT_FIRST_NAME] = AT_END,
		[AT_COLON] = AT_VALUE,
		[AT_FIRST_ELEM] = AFTER_VALUE,
		[AFTER_ELEM] = AT_ELEM,
		[AFTER_VALUE] = AT_NAME,
		[REFUSED] = REFUSED };
	int list_ends = (g->where == AT_FIRST_ELEM || g->where == AFTER_ELEM) && c == ']';

	if (punct[g->where] != 0 && (uint8_t)punct[g->where] == c) {
		g->where = next[g->where];
		g->off++;
		if (list_ends)
			member_end_list(&g->m);
		return 0;
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
		member_end_list(&g->m);
		return 0;
	case AFTER_VALUE:
		if (c != '}')
			break;
		g->off++;
		g->where = AT_END;
		return 0;
	default: break;
	}
	return refuse(g, g->where == AT_END ? "data after the end of the message" : "not a JSON object");
}

static int
run(struct ingest *g)
{
	struct parser *ps = &g->m.ps;
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
static void
append(struct ingest *g, const void *p, size_t n)
{
	size_t left = g->len - g->off, want = left + n + PARSE_PAD;

	if (g->off > 0) {
		memmove(g->win, g->win + g->off, left);
		g->len = left;
		g->off = 0;
	}
	if (want > g->cap) {
		g->cap = g->cap + g->cap / 2 > want ? g->cap + g->cap / 2 : want;
		g->win = xrealloc(g->win, g->cap);
	}
	memcpy(g->win + left, p, n);
	g->len = left + n;
	memset(g->win + g->len, 0, PARSE_PAD);
}

#define PIECE (256u << 10) /* longer pieces are split: the window stays small */

int
ingest_data(struct ingest *g, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t part;

	if (g->where == REFUSED)
		return refuse(g, "nothing begun");
	g->m.directives.pub.bytes += n;
	for (; n > 0; p += part, n -= part) {
		part = n < PIECE ? n : PIECE;
		append(g, p, part);
		if (run(g) == -1)
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
	g->m.update.keepalive = g->m.directives.pub.keepalive;
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
	g->m.update.max_peers = g->lim.max_peers;
	g->m.update.max_bytes = g->lim.max_bytes;
	r = netmap_apply(g->m.nm, &g->m.update, now, ch, &why);
	if (r < 0) {
		g->where = AT_START;
		refuse(g, why);
		g->m.ps.limit = r == NETMAP_OVER_LIMIT;
	}
	ingest_discard(g);
	return r < 0 ? -1 : r;
}

int
ingest_restore(struct ingest *g, const struct netmap_origin *o, struct wtime now, struct netmap_change *ch)
{
	int r;

	if (g->m.nm->cur != NULL || g->m.directives.pub.keepalive) {
		ingest_discard(g);
		g->where = AT_START;
		return refuse(g, "nothing to be put back, or no place for it");
	}
	g->m.nm->origin = o;
	r = ingest_apply(g, now, ch);
	g->m.nm->origin = NULL;
	return r;
}
