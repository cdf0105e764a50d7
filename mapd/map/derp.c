/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "derp.h"
#include "names.h"
#include "pack.h"

/* DERPMap merge, protocol.md E.8, FLD-02, FLD-03. */

static const uint8_t *
present(const uint8_t *obj, unsigned name)
{
	const uint8_t *v = obj == NULL || *obj != PK_OBJ ? NULL : pk_get(obj, name);

	return v == NULL || *v == PK_NULL ? NULL : v;
}

static void
put_member(struct pb *b, unsigned name, const uint8_t *v)
{
	if (v == NULL)
		return;
	pk_name_put(b, name);
	pb_put(b, v, pv_at(v).n);
}

/* All members but those named a, b and c, unchanged. */
static void
put_others(struct pb *out, const uint8_t *obj, unsigned a, unsigned b, unsigned c)
{
	const uint8_t *p = pk_first(obj), *at, *v;
	struct pv text;
	unsigned name;

	for (at = p; pk_member(&p, &name, &text, &v); at = p)
		if (name == 0 || (name != a && name != b && name != c))
			pb_put(out, at, (size_t)(p - at));
}

static void
put_regions(struct pb *out, const uint8_t *regions)
{
	const uint8_t *p = pk_first(regions), *at, *v;
	struct pv text;
	unsigned name;

	pk_name_put(out, NM_Regions);
	pb_byte(out, PK_OBJ);
	for (at = p; pk_member(&p, &name, &text, &v); at = p)
		if (*v != PK_NULL)
			pb_put(out, at, (size_t)(p - at));
	pb_byte(out, PK_END);
}

static void
put_home_params(struct pb *out, const uint8_t *old, const uint8_t *new)
{
	const uint8_t *score;

	if (new == NULL) {
		put_member(out, NM_HomeParams, old);
		return;
	}
	if ((score = present(new, NM_RegionScore)) == NULL)
		score = present(old, NM_RegionScore);
	pk_name_put(out, NM_HomeParams);
	pb_byte(out, PK_OBJ);
	put_others(out, new, NM_RegionScore, 0, 0);
	put_member(out, NM_RegionScore, score);
	pb_byte(out, PK_END);
}

struct blob *
derp_merge(const struct blob *old, const struct blob *new)
{
	const uint8_t *was = old == NULL ? NULL : old->p, *is = new->p, *regions = present(is, NM_Regions);
	struct pb out = { 0 };
	struct blob *b;

	pb_byte(&out, PK_OBJ);
	put_others(&out, is, NM_Regions, NM_HomeParams, NM_omitDefaultRegions);
	put_home_params(&out, present(was, NM_HomeParams), present(is, NM_HomeParams));
	if (regions != NULL) {
		put_member(&out, NM_omitDefaultRegions, present(is, NM_omitDefaultRegions));
		put_regions(&out, regions);
	} else {
		put_member(&out, NM_omitDefaultRegions, present(was == NULL ? is : was, NM_omitDefaultRegions));
		put_member(&out, NM_Regions, present(was, NM_Regions));
	}
	pb_byte(&out, PK_END);
	b = blob_new(out.p, out.n);
	pb_free(&out);
	return b;
}
