/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "mapresp.h"
#include "nodeview.h"

enum { HEAD, PEERS, BASE_HEAD, BASE, CHUNKS, PROFILES_HEAD, PROFILES, TAIL, DONE };

int
mapresp_begin(struct mapresp *r, struct netmap *nm)
{
	memset(r, 0, sizeof(*r));
	r->nm = nm;
	r->phase = HEAD;
	if (nm->cur == NULL || view_self(nm->cur) == NULL)
		return -1;
	return snapshot_take(nm->cur, &r->snap);
}

void
mapresp_end(struct mapresp *r)
{
	snapshot_release(&r->snap);
}

static void
comma(struct mapresp *r, struct pb *out)
{
	if (r->any)
		pb_byte(out, ',');
	r->any = 1;
}

/* A peer without our own mark, which also hides what the server said. */
static void
put_node(struct mapresp *r, struct pb *out, const struct node *n, const struct dict *d)
{
	struct node *plain;

	if (!(n->state & NODE_EXPIRED_BY_CLOCK)) {
		node_print(out, n, d);
		return;
	}
	if ((plain = node_copy(n)) == NULL) {
		r->failed = 1;
		return;
	}
	plain->state = (uint16_t)(plain->state & ~NODE_EXPIRED_BY_CLOCK);
	node_print(out, plain, d);
	free(plain);
}

static void
head(struct mapresp *r, struct pb *out)
{
	pb_puts(out, "{\"Node\":");
	put_node(r, out, view_self(r->snap.view), r->nm->names);
	pb_puts(out, ",\"Peers\":[");
}

/* The map may have changed since the last call: seek again.  1 = enough for now. */
static int
peers(struct mapresp *r, struct pb *out, size_t about)
{
	struct peers *p = r->snap.view->peers;
	struct recset_iter it = r->begun ? recset_after(p->set, r->last) : recset_first(p->set);
	const struct node *n;

	while (out->n < about) {
		if ((n = peers_next(p, &it, r->snap.peers_at)) == NULL)
			return 0;
		comma(r, out);
		put_node(r, out, n, p->dict);
		r->begun = 1;
		r->last = n->r.id;
	}
	return 1;
}

/* --- the filter: the chunk "base" as PacketFilter, rule by rule however long it is; then the others --- */

static int
is_base(const struct blobmap_entry *e)
{
	return e->name->n == 4 && memcmp(e->name->p, "base", 4) == 0;
}

/* The rules of one chunk.  1 = enough for now. */
static int
rules(struct mapresp *r, struct pb *out, const struct blobmap_entry *e, size_t about)
{
	const uint8_t *v;

	if (*e->value->p != PK_ARR)
		return 0;
	if (r->rule == NULL) {
		r->rule = pk_first(e->value->p);
		r->any = 0;
	}
	while (out->n < about) {
		if (!pk_element(&r->rule, &v))
			return 0;
		comma(r, out);
		(void)pk_print(out, v, r->nm->names);
	}
	return 1;
}

static void
base_head(struct mapresp *r, struct pb *out)
{
	const struct blobmap *m = r->snap.view->filter;

	pb_byte(out, ']');
	for (r->chunk = 0; m != NULL && r->chunk < m->n && !is_base(&m->e[r->chunk]); r->chunk++)
		;
	if (m == NULL || r->chunk == m->n)
		r->phase = CHUNKS - 1; /* there is none */
	else
		pb_puts(out, ",\"PacketFilter\":[");
	if (r->phase == CHUNKS - 1)
		r->chunk = 0;
	r->rule = NULL;
}

static int
base(struct mapresp *r, struct pb *out, size_t about)
{
	if (rules(r, out, &r->snap.view->filter->e[r->chunk], about))
		return 1;
	pb_byte(out, ']');
	r->chunk = 0;
	r->rule = NULL;
	return 0;
}

static int
chunks(struct mapresp *r, struct pb *out, size_t about)
{
	const struct blobmap *m = r->snap.view->filter;

	if (m == NULL)
		return 0;
	if (r->chunk == 0 && r->rule == NULL) {
		pb_puts(out, ",\"PacketFilters\":{");
		r->begun = 0;
	}
	for (; r->chunk < m->n; r->chunk++) {
		if (is_base(&m->e[r->chunk]))
			continue;
		if (r->rule == NULL) {
			if (r->begun)
				pb_byte(out, ',');
			r->begun = 1;
			pb_quote(out, (const char *)m->e[r->chunk].name->p, m->e[r->chunk].name->n);
			pb_puts(out, ":[");
		}
		if (rules(r, out, &m->e[r->chunk], about))
			return 1;
		pb_byte(out, ']');
		r->rule = NULL;
	}
	pb_byte(out, '}');
	return 0;
}

/* --- the rest --- */

static void
profiles_head(struct mapresp *r, struct pb *out)
{
	pb_puts(out, ",\"UserProfiles\":[");
	r->any = r->begun = 0;
}

static int
profiles(struct mapresp *r, struct pb *out, size_t about)
{
	struct recset *rs = r->snap.view->profiles;
	struct recset_iter it = r->begun ? recset_after(rs, r->last) : recset_first(rs);
	const struct user_profile *pr;

	while (out->n < about) {
		if ((pr = (const struct user_profile *)recset_next(rs, &it, r->snap.profiles_at)) == NULL)
			return 0;
		comma(r, out);
		(void)pk_print(out, pr->data, r->nm->names);
		r->begun = 1;
		r->last = pr->r.id;
	}
	return 1;
}

static const char *const members[NF_COUNT] = {
#define F(member, shown, type, none, kind) #member,
	NETMAP_FIELDS(F)
#undef F
};

static void
display(struct mapresp *r, struct pb *out)
{
	const struct blobmap *m = r->snap.view->display;
	size_t i;

	if (m == NULL)
		return;
	pb_puts(out, ",\"DisplayMessages\":{");
	for (i = 0; i < m->n; i++) {
		if (i > 0)
			pb_byte(out, ',');
		pb_quote(out, (const char *)m->e[i].name->p, m->e[i].name->n);
		pb_byte(out, ':');
		(void)pk_print(out, m->e[i].value->p, r->nm->names);
	}
	pb_byte(out, '}');
}

static void
tail(struct mapresp *r, struct pb *out)
{
	const struct view *v = r->snap.view;
	unsigned f;

	pb_byte(out, ']');
	for (f = 0; f < NF_COUNT; f++) {
		if (f == NF_Node || v->field[f] == NULL) /* Node is in the head */
			continue;
		pb_puts(out, ",\"");
		pb_puts(out, members[f]);
		pb_puts(out, "\":");
		(void)pk_print(out, v->field[f]->p, r->nm->names);
	}
	display(r, out);
	pb_byte(out, '}');
}

int
mapresp_more(struct mapresp *r, struct pb *out, size_t about)
{
	while (r->phase != DONE && out->n < about && !r->failed) {
		int more = 0;

		switch (r->phase) {
		case HEAD: head(r, out); break;
		case PEERS: more = peers(r, out, about); break;
		case BASE_HEAD: base_head(r, out); break;
		case BASE: more = base(r, out, about); break;
		case CHUNKS: more = chunks(r, out, about); break;
		case PROFILES_HEAD: profiles_head(r, out); break;
		case PROFILES: more = profiles(r, out, about); break;
		case TAIL: tail(r, out); break;
		default: break;
		}
		if (more)
			return !r->failed;
		r->phase++;
	}
	return r->phase != DONE && !r->failed;
}
