/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <json-c/json.h>

#include "dump.h"
#include "exportwg.h"
#include "ingest.h"
#include "names.h"
#include "expiry.h"
#include "nodeview.h"
#include "packprint.h"
#include "text.h"
#include "utf8.h"

/*
 * Map messages (separated by a record separator, 0x1e) into a netmap.  The first byte says how they are cut.
 * After every message: what is shown is JSON and UTF-8, and a refused message has changed nothing.  Each message
 * is also taken as one value and as one peer and compared with json-c.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "broken: %s\n", what);
		abort();
	}
}

static struct json_object *
parse(const char *s, size_t n, int flags)
{
	struct json_tokener *t = json_tokener_new_ex(80);
	struct json_object *o;

	json_tokener_set_flags(t, JSON_TOKENER_STRICT | flags);
	o = json_tokener_parse_ex(t, s, (int)n);
	if (json_tokener_get_error(t) != json_tokener_success) {
		json_object_put(o);
		o = NULL;
	}
	json_tokener_free(t);
	return o;
}

/* The same values: numbers by their text, if json-c kept it. */
static int
same(struct json_object *a, struct json_object *b)
{
	return json_object_equal(a, b);
}

static const char *const known[] = {
#define N(x)                              #x,
#define T(x, text)                        text,
#define F(member, name, type, none, kind) #member,
	NAMES(N, T) NETMAP_FIELDS(F)
#undef N
#undef T
#undef F
};

/* A name that our decoder would take for a known one in other case: the two texts then differ on purpose. */
static int
has_odd_case(struct json_object *o)
{
	size_t i;

	if (json_object_is_type(o, json_type_array)) {
		for (i = 0; i < json_object_array_length(o); i++)
			if (has_odd_case(json_object_array_get_idx(o, i)))
				return 1;
		return 0;
	}
	if (!json_object_is_type(o, json_type_object))
		return 0;
	json_object_object_foreach(o, name, v) {
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strcasecmp(name, known[i]) == 0 && strcmp(name, known[i]) != 0)
				return 1;
		if (has_odd_case(v))
			return 1;
	}
	return 0;
}

static int
is_special(const char *name)
{
	static const char *const special[] = { "ID", "Key", "User", "KeyExpiry", "LastSeen", "Online", "HomeDERP",
		"Expired", "DERP", "AllowedIPs", "Machine", "DiscoKey" };
	size_t i;

	for (i = 0; i < sizeof(special) / sizeof(special[0]); i++)
		if (strcmp(name, special[i]) == 0)
			return 1;
	return 0;
}

static void
compare_peer(struct parser *ps, struct json_object *theirs)
{
	struct node *n = node_make(ps, 0);
	struct json_object *ours, *v;
	struct pb out = { 0 };
	size_t i;

	check(n != NULL, "node_make");
	node_print(&out, n, ps->dict);
	check(utf8_valid((char *)out.p, out.n), "node is UTF-8");
	ours = parse((char *)out.p, out.n, JSON_TOKENER_VALIDATE_UTF8);
	check(ours != NULL, "node is JSON");
	if (json_object_is_type(theirs, json_type_object) && !has_odd_case(theirs) && ps->dropped == 0) {
		json_object_object_foreach(theirs, name, want) {
			if (is_special(name))
				continue;
			for (i = 0; i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], name) != 0; i++)
				;
			if (!json_object_object_get_ex(ours, name, &v))
				check(want == NULL && i < sizeof(known) / sizeof(known[0]), name);
			else
				check(same(v, want), name);
		}
	}
	json_object_put(ours);
	pb_free(&out);
	free(n);
}

static void
one_value(struct dict *d, const uint8_t *s, size_t n, enum type_id t)
{
	uint8_t *win = calloc(1, n + PARSE_PAD);
	struct json_object *theirs, *ours;
	struct parser ps;
	struct pb out = { 0 };
	const uint8_t *end;
	enum parse_result r;

	memcpy(win, s, n);
	parser_init(&ps, d);
	ps.p = win;
	ps.end = win + n;
	ps.learn = (int)(n & 1);
	r = parse_value(&ps, t);
	if (r == PARSE_OK) {
		end = pk_skip(ps.out.p);
		check(end == ps.out.p + ps.out.n, "packed length");
		check(pk_print(&out, ps.out.p, d) == end, "printed length");
		check(utf8_valid((char *)out.p, out.n), "value is UTF-8");
		theirs = parse((const char *)win, (size_t)(ps.p - win), 0);
		ours = parse((char *)out.p, out.n, JSON_TOKENER_VALIDATE_UTF8);
		check((theirs == NULL) == (ours == NULL), "json-c takes it");
		if (t == TY_ANY && utf8_valid((const char *)win, (size_t)(ps.p - win)))
			check(same(theirs, ours), "the same value");
		if (t == TY_NODE && *ps.out.p == PK_OBJ && utf8_valid((const char *)win, (size_t)(ps.p - win)))
			compare_peer(&ps, theirs);
		json_object_put(theirs);
		json_object_put(ours);
	}
	parser_free(&ps);
	pb_free(&out);
	free(win);
}

static char *
printed(struct netmap *nm)
{
	struct dump d;
	struct pb out = { 0 };

	if (dump_netmap(&d, nm) == 0)
		while (dump_more(&d, &out, out.n + 700))
			;
	dump_end(&d);
	pb_byte(&out, '\0');
	return (char *)out.p;
}

static void
check_printed(struct netmap *nm, const char *s)
{
	struct json_object *o;
	struct exporter x;
	struct pb out = { 0 };
	const struct wgconf_options opt = { .accept_routes = 1, .exit_node = "1" };
	struct ipc_self self;

	if (s[0] == '\0')
		return;
	check(utf8_valid(s, strlen(s)), "netmap is UTF-8");
	o = parse(s, strlen(s), JSON_TOKENER_VALIDATE_UTF8);
	check(o != NULL, "netmap is JSON");
	json_object_put(o);
	if (export_wgconf(&x, nm, &opt, &out) == 0)
		while (export_more(&x, &out, out.n + 100))
			;
	export_end(&x);
	if (export_hosts(&x, nm, "host") == 0)
		while (export_more(&x, &out, out.n + 100))
			;
	export_end(&x);
	check(out.n == 0 || memchr(out.p, 0, out.n) == NULL, "text of the exports");
	pb_free(&out);
	(void)netmap_self(nm, &self);
}

/* Every directive is within its bounds and safe for C. */
static void
check_side(const struct directives *s)
{
	static const struct ipc_dial_plan none;
	const struct ipc_dial_plan *plan = s->dial_plan != NULL ? s->dial_plan : &none;

	check(s->sleep_ms <= 300000, "sleep");
	check(plan->n <= IPC_MAX_PLAN, "dial plan");
	for (uint32_t i = 0; i < plan->n; i++)
		check(plan->e[i].delay_ms <= 60000 && plan->e[i].timeout_ms <= 60000, "times of the plan");
	for (const char *c = s->browse; c != NULL && *c != '\0'; c++)
		check((uint8_t)*c >= 0x20 && *c != 0x7f, "URL to show");
	for (const char *c = s->ping != NULL ? s->ping->url : NULL; c != NULL && *c != '\0'; c++)
		check((uint8_t)*c >= 0x20 && *c != 0x7f, "URL to ping");
	check(s->ping == NULL || s->ping->payload_len == 0 || s->ping->payload != NULL, "payload");
}

static void
one_message(struct netmap *nm, struct ingest *g, const uint8_t *s, size_t n, size_t piece)
{
	struct netmap_change ch;
	struct wtime now = { 1800000000, 0 };
	char *before = printed(nm), *after;
	size_t part;
	int r = 0, changed = -1;

	ingest_begin(g);
	for (; n > 0 && r == 0; s += part, n -= part) {
		part = n < piece ? n : piece;
		r = ingest_data(g, s, part);
	}
	if (r == 0 && ingest_end(g) == 0) {
		check_side(ingest_directives(g));
		changed = ingest_apply(g, now, &ch);
	} else
		check(ingest_error(g)[0] != '\0', "an error has a text");
	check(changed == -1 || !ingest_over_limit(g), "a limit that was passed refuses");
	check(changed == -1 || ingest_dropped(g) < (1u << 22), "what was left out is counted");
	after = printed(nm);
	if (changed == -1)
		check(strcmp(before, after) == 0, "a refused message changes nothing");
	check_printed(nm, after);
	if (changed == 1 && netmap_expire(nm, (struct wtime){ 2000000000, 0 }, &ch) == 1) {
		free(after);
		after = printed(nm);
		check_printed(nm, after);
	}
	free(before);
	free(after);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct netmap *nm = netmap_new();
	struct ingest *g = ingest_new(nm);
	struct dict *d = dict_new();
	struct pubkey k = { { 1 } };
	const uint8_t *end;
	size_t piece, n;

	if (size < 1)
		goto out;
	piece = data[0] == 0 ? SIZE_MAX : data[0];
	*ingest_limits(g) = (struct ingest_limits){ .max_peers = 40, .max_member = 8000, .max_bytes = 100000 };
	netmap_session_begin(nm, &k, &k);
	for (data++, size--; size > 0; data += n, size -= n) {
		end = memchr(data, 0x1e, size);
		n = end == NULL ? size : (size_t)(end - data);
		one_message(nm, g, data, n, piece);
		one_value(d, data, n, TY_ANY);
		one_value(d, data, n, TY_NODE);
		one_value(d, data, n, TY_MAPRESPONSE);
		if (end != NULL)
			n++;
		if (piece == 7) {
			netmap_session_end(nm);
			netmap_session_begin(nm, &k, &k);
		}
	}
out:
	dict_free(d);
	ingest_free(g);
	netmap_free(nm);
	return 0;
}
