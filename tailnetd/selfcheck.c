/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "cachestore.h"
#include "control.h"
#include "hostreport.h"
#include "parent.h"
#include "selfcheck.h"
#include "status.h"

void
selfcheck(struct parent *p)
{
	const char *cache = p->cache != NULL ? cachestore_trouble(p->cache) : NULL;
	struct health *h = &p->health;
	int changed = 0;

	changed |= health_set(h, HEALTH_ADDRESSES_UNWATCHED, !hostreport_watches(p->report));
	changed |= health_set(h, HEALTH_REPORT_STALE, hostreport_is_stale(p->report));
	/* Picked with the first report, which begins when the set-up is over. */
	changed |= health_set(h, HEALTH_NO_LISTEN_PORT,
	    hostreport_params(p->report)->generation > 0 && hostreport_listen_port(p->report) == 0);
	changed |= health_set(h, HEALTH_NO_DESCRIPTORS, p->control != NULL && control_is_full(p->control));
	changed |= health_set(h, HEALTH_OPERATOR_OUTSIDE, p->ids.operator_outside);
	changed |= cache != NULL ? health_raise(h, HEALTH_CACHE_UNUSABLE, cache)
				 : health_clear(h, HEALTH_CACHE_UNUSABLE); /* logged there */
	if (changed)
		status_changed(p->control);
}
