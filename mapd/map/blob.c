/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "blob.h"
#include "mem.h"
#include "names.h"
#include "node.h"
#include "pack.h"
#include "packprint.h"

struct blob *
blob_new(const void *p, size_t n)
{
	struct blob *b = xmalloc(sizeof(*b) + n);

	b->refs = 1;
	b->is_node = 0;
	b->n = n;
	memcpy(b->p, p, n);
	return b;
}

struct blob *
blob_ref(struct blob *b)
{
	if (b != NULL)
		b->refs++;
	return b;
}

void
blob_unref(struct blob *b)
{
	if (b != NULL && --b->refs == 0)
		free(b);
}

int
blob_equal(const struct blob *a, const struct blob *b)
{
	if (a == b)
		return 1;
	if (a == NULL || b == NULL)
		return 0;
	if (a->is_node && b->is_node)
		return node_same((const struct node *)(const void *)a->p, (const struct node *)(const void *)b->p);
	return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

struct blobmap *
blobmap_ref(struct blobmap *m)
{
	if (m != NULL)
		m->refs++;
	return m;
}

void
blobmap_unref(struct blobmap *m)
{
	size_t i;

	if (m == NULL || --m->refs > 0)
		return;
	for (i = 0; i < m->n; i++) {
		blob_unref(m->e[i].name);
		blob_unref(m->e[i].value);
	}
	free(m);
}

size_t
blobmap_bytes(const struct blobmap *m)
{
	return m == NULL ? 0 : m->bytes;
}

int
blobmap_equal(const struct blobmap *a, const struct blobmap *b)
{
	size_t i, na = a == NULL ? 0 : a->n, nb = b == NULL ? 0 : b->n;

	if (na != nb)
		return 0;
	for (i = 0; i < na; i++)
		if (!blob_equal(a->e[i].name, b->e[i].name) || !blob_equal(a->e[i].value, b->e[i].value))
			return 0;
	return 1;
}

/* --- patching: old entries and new ones, sorted by name; of equals the last counts --- */

struct item {
	struct blob *name, *value; /* value NULL: delete */
	size_t order;
};

struct items {
	struct item *it;
	size_t n;
};

static int
item_cmp(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	size_t n = x->name->n < y->name->n ? x->name->n : y->name->n;
	int c = memcmp(x->name->p, y->name->p, n);

	if (c != 0)
		return c;
	if (x->name->n != y->name->n)
		return x->name->n < y->name->n ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static struct blob *
name_blob(unsigned name, struct pv text, const struct dict *d)
{
	struct pb packed = { 0 };
	struct blob *b;
	char *out;
	long n;

	if (name != 0)
		text.p = dict_text(d, name, &text.n);
	pb_str(&packed, text.p, text.n);
	out = xmalloc(text.n + 1);
	n = pk_cstr(packed.p, d, out, text.n + 1);
	b = blob_new(out, (size_t)n);
	free(out);
	pb_free(&packed);
	return b;
}

/* Takes both references. */
static void
add_item(struct items *l, struct blob *name, struct blob *value)
{
	l->it[l->n] = (struct item){ name, value, l->n };
	l->n++;
}

static void
add_patch(struct items *l, const uint8_t *patch, const struct dict *d)
{
	const uint8_t *p = pk_first(patch), *v;
	struct pv text;
	unsigned name;

	while (pk_member(&p, &name, &text, &v))
		if (name != NM_T_star)
			add_item(l, name_blob(name, text, d), *v == PK_NULL ? NULL : blob_new(v, pv_at(v).n));
}

static struct blobmap *
collect(struct items *l)
{
	struct blobmap *m = xmalloc(sizeof(*m) + l->n * sizeof(m->e[0]));
	size_t i;

	if (l->n > 1)
		qsort(l->it, l->n, sizeof(*l->it), item_cmp);
	m->refs = 1;
	m->n = m->bytes = 0;
	for (i = 0; i < l->n; i++) {
		struct item *it = &l->it[i];

		if (it->value == NULL || (i + 1 < l->n && blob_equal(it->name, it[1].name)))
			continue;
		m->bytes += 2 * sizeof(struct blob) + sizeof(m->e[0]) + it->name->n + it->value->n;
		m->e[m->n].name = blob_ref(it->name);
		m->e[m->n++].value = blob_ref(it->value);
	}
	return m;
}

struct blobmap *
blobmap_patch(const struct blobmap *old, struct blob *base, const uint8_t *patch, const struct dict *d)
{
	const uint8_t *star = patch == NULL ? NULL : pk_get(patch, NM_T_star);
	struct blobmap *m;
	struct items l = { NULL, 0 };
	size_t i, n = (old == NULL ? 0 : old->n) + 1 + (patch == NULL ? 0 : pk_count(patch));

	l.it = xcalloc(n, sizeof(*l.it));
	if (star == NULL || *star != PK_NULL) {
		for (i = 0; old != NULL && i < old->n; i++)
			add_item(&l, blob_ref(old->e[i].name), blob_ref(old->e[i].value));
		if (base != NULL)
			add_item(&l, blob_new("base", 4), blob_ref(base));
	}
	if (patch != NULL)
		add_patch(&l, patch, d);
	m = collect(&l);
	for (i = 0; i < l.n; i++) {
		blob_unref(l.it[i].name);
		blob_unref(l.it[i].value);
	}
	free(l.it);
	return m;
}
