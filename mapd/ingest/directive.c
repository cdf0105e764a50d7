/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "b64.h"
#include "directive.h"
#include "mem.h"
#include "names.h"
#include "pack.h"
#include "packprint.h"
#include "url.h"

#define SLEEP_MAX_MS 300000 /* protocol.md E.13 */

void
directive_clear(struct directive_store *s)
{
	free(s->browse);
	free(s->url);
	free(s->types);
	free(s->ip);
	free(s->payload);
	memset(s, 0, sizeof(*s));
}

/*
 * A copy for C code.  1: *out is "" since there is a NUL or other control character in it, or it is longer than
 * max; 0: it is the text, "" for none.
 */
static int
read_text(char **out, const uint8_t *v, const struct dict *d, size_t max)
{
	struct pv t;
	char tmp[PK_TMP];
	int is_text = v != NULL && pk_text(v, d, tmp, &t);
	long n;
	long i;

	free(*out);
	if (!is_text || t.n > max) {
		*out = xstrdup("");
		return is_text;
	}
	*out = xmalloc(t.n + 1);
	n = pk_cstr(v, d, *out, t.n + 1);
	for (i = 0; i < n; i++) {
		if ((uint8_t)(*out)[i] < 0x20 || (*out)[i] == 0x7f) {
			(*out)[0] = '\0';
			return 1;
		}
	}
	return 0;
}

static int
is_true(const uint8_t *v)
{
	return v != NULL && *v == PK_TRUE;
}

static void
read_payload(struct directive_store *s, const uint8_t *v, const struct dict *d)
{
	struct pv t;
	char tmp[PK_TMP];
	int n;

	free(s->payload);
	s->payload = NULL;
	s->ping.payload_len = 0;
	if (v == NULL || !pk_text(v, d, tmp, &t) || t.n == 0)
		return;
	s->payload = xmalloc(t.n);
	n = b64_decode((const char *)t.p, t.n, s->payload, t.n);
	s->ping.payload_len = n > 0 ? (size_t)n : 0;
}

static void
read_ping(struct directive_store *s, const uint8_t *v, const struct dict *d)
{
	int types;

	(void)read_text(&s->url, pk_get(v, NM_URL), d, URL_MAX);
	types = read_text(&s->types, pk_get(v, NM_Types), d, URL_MAX);
	(void)read_text(&s->ip, pk_get(v, NM_IP), d, URL_MAX);
	read_payload(s, pk_get(v, NM_Payload), d);
	s->ping.url = types == 0 ? s->url : ""; /* of a kind that we cannot read (PING-06) */
	s->ping.types = s->types;
	s->ping.ip = s->ip;
	s->ping.url_is_noise = is_true(pk_get(v, NM_URLIsNoise));
	s->ping.log = is_true(pk_get(v, NM_Log));
	s->ping.payload = s->payload;
	s->pub.ping = &s->ping;
}

/* Seconds as milliseconds, 0 for what is not a sensible number. */
static uint32_t
seconds_ms(const uint8_t *v, double most)
{
	double f;

	if (v == NULL || !pk_f64(v, &f) || !isfinite(f) || f <= 0)
		return 0;
	f *= 1000;
	if (f > most)
		return (uint32_t)most;
	return (uint32_t)f + (f > (uint32_t)f); /* rounded up: a little is not nothing */
}

static void
read_candidate(struct ipc_plan_entry *e, const uint8_t *v, const struct dict *d, int64_t *priority)
{
	const uint8_t *m;
	struct pv t;
	unsigned family;
	char tmp[PK_TMP];
	int zone;

	*priority = 0;
	if ((m = pk_get(v, NM_Priority)) != NULL)
		(void)pk_i64(m, d, priority);
	e->delay_ms = seconds_ms(pk_get(v, NM_DialStartDelaySec), 60000);
	e->timeout_ms = seconds_ms(pk_get(v, NM_DialTimeoutSec), 60000);
	if ((m = pk_get(v, NM_ACEHost)) != NULL && pk_text(m, d, tmp, &t) && t.n > 0)
		e->ace = 1;
	if ((m = pk_get(v, NM_IP)) != NULL && pk_text(m, d, tmp, &t) && t.n > 0 &&
	    addr_parse_ip((const char *)t.p, t.n, e->ip.addr, &family, &zone) == 0 && !zone) {
		e->has_ip = 1;
		e->ip.family = (uint8_t)family;
		e->ip.bits = family == 4 ? 32 : 128;
	}
}

/* Highest priority first, in the order given otherwise; the rest of a plan that is too long is left out. */
static void
read_plan(struct directive_store *s, const uint8_t *v, const struct dict *d)
{
	const uint8_t *list = pk_get(v, NM_Candidates), *p, *c;
	int64_t prio[IPC_MAX_PLAN + 1] = { 0 };
	uint32_t i;

	memset(&s->plan, 0, sizeof(s->plan));
	s->pub.dial_plan = &s->plan;
	if (list == NULL || *list != PK_ARR)
		return;
	for (p = pk_first(list); pk_element(&p, &c);) {
		struct ipc_plan_entry e = { 0 };
		int64_t pr;

		if (*c != PK_OBJ)
			continue;
		read_candidate(&e, c, d, &pr);
		for (i = s->plan.n < IPC_MAX_PLAN ? s->plan.n++ : IPC_MAX_PLAN; i > 0 && prio[i - 1] < pr; i--) {
			prio[i] = prio[i - 1];
			if (i < IPC_MAX_PLAN)
				s->plan.e[i] = s->plan.e[i - 1];
		}
		prio[i] = pr;
		if (i < IPC_MAX_PLAN)
			s->plan.e[i] = e;
	}
}

static void
read_debug(struct directive_store *s, const uint8_t *v, const struct dict *d)
{
	const uint8_t *m = pk_get(v, NM_Exit);

	s->pub.has_exit = m != NULL && *m != PK_NULL && pk_i64(m, d, &s->pub.exit_code);
	s->pub.disable_logtail = is_true(pk_get(v, NM_DisableLogTail));
	s->pub.sleep_ms = seconds_ms(pk_get(v, NM_SleepSeconds), SLEEP_MAX_MS);
}

int
directive_member(struct directive_store *s, unsigned name, const uint8_t *v, const struct dict *d)
{
	switch (name) {
	case NM_KeepAlive: s->pub.keepalive = *v == PK_TRUE; return 1;
	case NM_PingRequest: read_ping(s, v, d); return 1;
	case NM_PopBrowserURL:
		(void)read_text(&s->browse, v, d, URL_MAX);
		s->pub.browse = s->browse[0] == '\0' ? NULL : s->browse;
		return 1;
	case NM_ControlDialPlan: read_plan(s, v, d); return 1;
	case NM_Debug: read_debug(s, v, d); return 1;
	case NM_ControlTime:
		s->pub.has_control_time = pk_time(v, d, &s->pub.control_time) && !time_is_none(s->pub.control_time);
		return 0; /* a field of the netmap as well */
	default: return 0;
	}
}
