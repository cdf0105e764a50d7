/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <inttypes.h>
#include <string.h>

#include "buf.h"
#include "build.h"
#include "control_ops.h"
#include "metrics.h"
#include "metricstext.h"
#include "timefmt.h"

/* The Prometheus text format (interface.md 9), made from common/lists/metrics.h. */

struct sources { /* s of the list */
	const struct control_ops *o;
	const struct login *login;
	const struct netmap_info *netmap;
	const struct counters *counters;
	struct control_process child[CONTROL_PROCESSES];
	uint64_t now;
};

static void
family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP tailnetd_%s %s\n# TYPE tailnetd_%s %s\n", name, help, name, type);
}

static void
labelled(struct buf *b, const char *name, const char *label, const char *value, uint64_t v)
{
	buf_printf(b, "tailnetd_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, v);
}

static void
each_state(struct buf *b, const char *name, const struct login *l)
{
	int i, now = (int)login_state(l);

	for (i = 0; i < LS_COUNT; i++)
		labelled(b, name, "state", login_state_name((enum login_state)i) + strlen("state:"), i == now);
}

static void
each_health(struct buf *b, const char *name, const struct health *h)
{
	int i;

	for (i = 0; i < HEALTH_COUNT; i++)
		labelled(b, name, "code", health_name((enum health_code)i), (uint64_t)h->h[i].on);
}

#define MAPD(member)        (s.counters->before.member + s.counters->mapd.member)
#define PARENT(member)      (s.counters->member)
#define SECONDS(ms)         ((double)(ms) / 1000)
#define ONE(value)          buf_printf(b, "tailnetd_%s %.15g\n", name, (double)(value));
#define L(label, of, value) labelled(b, name, label, of, (uint64_t)(value));
#define EACH_STATE          each_state(b, name, s.login);
#define EACH_HEALTH         each_health(b, name, s.o->health);
#define METRIC(id, suffix, type, when, help, samples) \
	if (when) { \
		static const char name[] = #id suffix; \
		family(b, name, type, help); \
		samples \
	}
#define G(id, when, help, samples) METRIC(id, "", "gauge", when, help, samples)
/* In this format the type belongs to the name of the samples: without _total there a counter is untyped. */
#define N(id, help, samples) METRIC(id, "_total", "counter", 1, help, samples)

int
metrics_text(const struct control_ops *o, struct buf *b)
{
	struct sources s = { .o = o,
		.login = o->login,
		.netmap = o->netmap,
		.counters = o->counters,
		.now = time_mono_ms() };

	o->processes(o->arg, s.child);
	METRICS(G, N)
	buf_puts(b, "# EOF\n");
	return b->failed ? -1 : 0;
}
