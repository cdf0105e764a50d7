/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "mapresp.h"
#include "nodeview.h"
#include "packprint.h"

int
mapresp_begin(struct mapresp *r, struct netmap *nm)
{
	memset(r, 0, sizeof(*r));
	if (nm->cur == NULL || view_self(nm->cur) == NULL)
		return -1;
	return walk_begin(&r->walk, nm);
}

void
mapresp_end(struct mapresp *r)
{
	walk_end(&r->walk);
}

/* Between elements, but not before the first. */
static void
comma(struct mapresp *r, struct pb *out)
{
	if (r->any)
		pb_byte(out, ',');
	r->any = 1;
}

/* A node without the mark of the clock, which also hides what the server sent. */
static void
put_node(struct pb *out, const struct node *n, const struct dict *d)
{
	struct node *plain;

	if (!(n->state & NODE_EXPIRED_BY_CLOCK)) {
		node_print(out, n, d);
		return;
	}
	plain = node_copy(n);
	plain->state = (uint16_t)(plain->state & ~NODE_EXPIRED_BY_CLOCK);
	node_print(out, plain, d);
	free(plain);
}

static const char *const members[] = {
#define F(member, name, type, none, kind) #member,
	NETMAP_FIELDS(F)
#undef F
	    [WALK_PEERS] = "Peers",
};

/* The name of a member, with the comma before it. */
static void
put_member(struct pb *out, const char *name)
{
	pb_puts(out, ",\"");
	pb_puts(out, name);
	pb_puts(out, "\":");
}

static void
value(struct pb *out, const struct walk_item *it)
{
	if (it->part == NF_Node) {
		pb_puts(out, "{\"Node\":");
		put_node(out, it->node, it->dict);
	} else if (it->value != NULL) {
		put_member(out, members[it->part]);
		(void)pk_print(out, it->value, it->dict);
	}
}

static void
begin(struct mapresp *r, struct pb *out, const struct walk_item *it)
{
	r->any = r->open = 0;
	if (it->part == NF_PacketFilter)
		return;
	put_member(out, members[it->part]);
	pb_byte(out, it->part == NF_DisplayMessages ? '{' : '[');
}

/*
 * The chunk "base" as PacketFilter, which is read rule by rule however long it is; then the others as PacketFilters.
 * A chunk that is not of this turn is left out.
 */
static void
chunk(struct mapresp *r, struct pb *out, const struct blob *name)
{
	int is_base = name->n == 4 && memcmp(name->p, "base", 4) == 0;

	if (is_base == r->others) {
		walk_skip_chunk(&r->walk);
		return;
	}
	if (is_base) {
		put_member(out, members[NF_PacketFilter]);
	} else {
		if (!r->open)
			put_member(out, "PacketFilters");
		pb_puts(out, r->open ? "]," : "{");
		pb_quote(out, (const char *)name->p, name->n);
		pb_byte(out, ':');
	}
	pb_byte(out, '[');
	r->open = 1;
	r->any = 0;
}

static void
element(struct mapresp *r, struct pb *out, const struct walk_item *it)
{
	comma(r, out);
	if (it->node != NULL) {
		put_node(out, it->node, it->dict);
		return;
	}
	if (it->part == NF_DisplayMessages) {
		pb_quote(out, (const char *)it->name->p, it->name->n);
		pb_byte(out, ':');
	}
	(void)pk_print(out, it->value, it->dict);
}

static void
end(struct mapresp *r, struct pb *out, const struct walk_item *it)
{
	if (it->part != NF_PacketFilter) {
		pb_byte(out, it->part == NF_DisplayMessages ? '}' : ']');
		return;
	}
	if (r->open)
		pb_puts(out, r->others ? "]}" : "]");
	if (!r->others) {
		r->others = 1;
		walk_repeat(&r->walk, NF_PacketFilter);
	}
}

int
mapresp_more(struct mapresp *r, struct pb *out, size_t about)
{
	struct walk_item it;

	walk_resume(&r->walk);
	while (out->n < about && walk_next(&r->walk, &it)) {
		switch (it.kind) {
		case WALK_VALUE: value(out, &it); break;
		case WALK_BEGIN: begin(r, out, &it); break;
		case WALK_CHUNK: chunk(r, out, it.name); break;
		case WALK_ITEM: element(r, out, &it); break;
		case WALK_END: end(r, out, &it); break;
		}
		if (walk_done(&r->walk))
			pb_byte(out, '}');
	}
	return !walk_done(&r->walk);
}
