/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <inttypes.h>
#include <string.h>

#include "cmd_peers.h"
#include "cmd_status.h"
#include "ctl.h"
#include "jget.h"
#include "out.h"
#include "scan.h"
#include "sock.h"
#include "table.h"
#include "when.h"

#define ROUTES_SHOWN   12
#define ADDRESSES_SEEN 64

static const char *const peer_heads[] = { "NAME", "ADDRESSES", "SEEN", "OS", "ROUTES" };
#define PEER_COLS (sizeof(peer_heads) / sizeof(peer_heads[0]))

/* "100.64.0.1/32" is the address of one host: without its length. */
static void
add_prefix(char *out, size_t outsize, const char *sep, const char *prefix)
{
	const char *slash = strchr(prefix, '/');
	char one[64];

	strlcpy(one, prefix, sizeof(one));
	if (slash != NULL && (size_t)(slash - prefix) < sizeof(one) &&
	    (strcmp(slash, "/128") == 0 || (strcmp(slash, "/32") == 0 && strchr(prefix, ':') == NULL)))
		one[slash - prefix] = '\0';
	if (out[0] != '\0')
		strlcat(out, sep, outsize);
	strlcat(out, one, outsize);
}

/* Among the first: a node has one or two, and a hostile answer may hold a million to be compared with a million. */
static int
array_has(struct json_object *a, const char *s)
{
	size_t i;

	for (i = 0; i < json_object_array_length(a) && i < ADDRESSES_SEEN; i++) {
		struct json_object *v = json_object_array_get_idx(a, i);

		if (json_object_is_type(v, json_type_string) && strcmp(json_object_get_string(v), s) == 0)
			return 1;
	}
	return 0;
}

void
node_addresses(struct json_object *node, const char *sep, char *out, size_t outsize)
{
	struct json_object *a, *v;
	size_t i;

	out[0] = '\0';
	if (json_get_arr(node, "Addresses", &a) != 1)
		return;
	for (i = 0; i < json_object_array_length(a) && i < ROUTES_SHOWN; i++) {
		v = json_object_array_get_idx(a, i);
		if (json_object_is_type(v, json_type_string))
			add_prefix(out, outsize, sep, json_object_get_string(v));
	}
}

/* What it carries for others: AllowedIPs but its own addresses. */
static void
node_routes(struct json_object *node, const char *sep, char *out, size_t outsize)
{
	struct json_object *allowed, *own = NULL, *v;
	size_t i, printed = 0;

	out[0] = '\0';
	if (json_get_arr(node, "AllowedIPs", &allowed) != 1)
		return;
	(void)json_get_arr(node, "Addresses", &own);
	for (i = 0; i < json_object_array_length(allowed); i++) {
		v = json_object_array_get_idx(allowed, i);
		if (!json_object_is_type(v, json_type_string) ||
		    (own != NULL && array_has(own, json_object_get_string(v))))
			continue;
		if (printed++ == ROUTES_SHOWN) {
			strlcat(out, sep, outsize);
			strlcat(out, "...", outsize);
			return;
		}
		add_prefix(out, outsize, sep, json_object_get_string(v));
	}
}

void
node_name(struct json_object *node, char *out, size_t outsize)
{
	size_t n = strlcpy(out, jstr(node, "Name"), outsize);

	if (n > 0 && n < outsize && out[n - 1] == '.')
		out[n - 1] = '\0';
	if (out[0] == '\0')
		strlcpy(out, "-", outsize);
}

static void
node_seen(struct json_object *node, int64_t now, char out[WHEN_MAX])
{
	int online;
	int64_t t;

	if (jbool(node, "Expired"))
		strlcpy(out, "expired", WHEN_MAX);
	else if (json_get_bool(node, "Online", &online) == 1 && online)
		strlcpy(out, "online", WHEN_MAX);
	else if (jtime(node, "LastSeen", &t))
		when_text(t, now, out);
	else
		strlcpy(out, json_get_bool(node, "Online", &online) == 1 ? "offline" : "-", WHEN_MAX);
}

static const char *
node_os(struct json_object *node)
{
	struct json_object *hi;

	return json_get_obj(node, "Hostinfo", &hi) == 1 ? jstr(hi, "OS") : "";
}

static void
peer_row(const struct ctl *c, struct table *t, struct json_object *node)
{
	char text[700], seen[WHEN_MAX];

	node_name(node, text, sizeof(text));
	table_str(t, text);
	node_addresses(node, " ", text, sizeof(text));
	table_str(t, text);
	node_seen(node, c->now, seen);
	table_str(t, seen);
	table_str(t, node_os(node));
	node_routes(node, " ", text, sizeof(text));
	table_str(t, text);
}

/* A line of the answer.  The last may be an error: not all could be shown.  A node that is called so has an ID. */
static int
peers_line(struct ctl *c, struct table *t, struct endmark *mark, const struct buf *text)
{
	struct json_object *o = NULL;
	struct source mem;
	int rc = CTL_OK;

	source_init(&mem, -1, -1);
	mem.buf = (char *)buf_ptr(text);
	mem.len = buf_len(text);
	if (scan_json(&mem, &o) != 1)
		rc = ctl_lost(c, &mem);
	else if (json_get(o, "ID", NULL) != NULL || (rc = ctl_answer_error(c, o)) == CTL_OK) {
		endmark_line(mark, (char *)buf_ptr(text), buf_len(text));
		if (!mark->found)
			peer_row(c, t, o);
	}
	json_object_put(o);
	return rc;
}

int
peers_print(struct ctl *c, struct source *s)
{
	struct endmark mark = { .kind = END_LINES };
	struct buf text;
	struct table t;
	int r, rc = CTL_OK;

	buf_init(&text, SCAN_VALUE_MAX);
	table_init(&t, c->out, peer_heads, PEER_COLS, 0);
	while (rc == CTL_OK && (r = scan_value(s, &text)) == 1) {
		rc = peers_line(c, &t, &mark, &text);
		buf_reset(&text);
	}
	buf_free(&text);
	if (rc != CTL_OK && mark.count == 0)
		t.cells = 0;
	if (table_end(&t) == -1)
		rc = ctl_fail(c, CTL_ERROR, "out of memory");
	if (rc == CTL_OK)
		rc = r == -1 ? ctl_lost(c, s) : endmark_check(&mark, c);
	return rc;
}

int
cmd_peers(struct ctl *c, int argc, char **argv)
{
	struct source s;
	int rc;

	if ((rc = ctl_ask_words(c, &s, "peers", argc, argv)) != CTL_OK)
		return rc;
	if (c->json || c->quiet)
		rc = ctl_relay(c, &s, END_LINES);
	else {
		status_server_clock(c);
		rc = peers_print(c, &s);
	}
	source_close(&s);
	return rc;
}

static void
show_node_times(struct ctl *c, struct json_object *node)
{
	char when[WHEN_MAX], date[WHEN_MAX], text[3 * WHEN_MAX];
	int64_t t;

	node_seen(node, c->now, when);
	out_field_color(c, "Seen", strcmp(when, "online") == 0 ? COLOR_GOOD : COLOR_NONE, when);
	if (jtime(node, "KeyExpiry", &t)) {
		snprintf(text, sizeof(text), "%s (%s)", when_text(t, c->now, when), date_text(t, date));
		out_field_color(c, "Key expires", t <= c->now ? COLOR_BAD : COLOR_NONE, text);
	}
	if (jtime(node, "Created", &t))
		out_field(c, "Created", date_text(t, date));
}

static int
show_node(struct ctl *c, struct json_object *node)
{
	struct json_object *hi, *caps;
	char text[2000];

	node_name(node, text, sizeof(text));
	out_field(c, "Name", text);
	snprintf(text, sizeof(text), "%" PRId64 "  %.200s", ji64(node, "ID"), jstr(node, "StableID"));
	out_field(c, "ID", text);
	node_addresses(node, "  ", text, sizeof(text));
	out_field(c, "Addresses", text);
	node_routes(node, "  ", text, sizeof(text));
	out_field(c, "Routes", text);
	show_node_times(c, node);
	jlist(node, "Tags", "  ", text, sizeof(text));
	out_field(c, "Tags", text);
	if (json_get_obj(node, "Hostinfo", &hi) == 1) {
		snprintf(text, sizeof(text), "%.200s %.200s  %.200s", jstr(hi, "OS"), jstr(hi, "OSVersion"),
		    jstr(hi, "Hostname"));
		out_field(c, "Host", text);
	}
	jlist(node, "Endpoints", "  ", text, sizeof(text));
	out_field(c, "Endpoints", text);
	if (ji64(node, "HomeDERP") != 0) {
		snprintf(text, sizeof(text), "%" PRId64, ji64(node, "HomeDERP"));
		out_field(c, "Home DERP", text);
	}
	out_field(c, "Node key", jstr(node, "Key"));
	out_field(c, "Disco key", jstr(node, "DiscoKey"));
	if (json_get_obj(node, "CapMap", &caps) == 1) {
		snprintf(text, sizeof(text), "%d", json_object_object_length(caps));
		out_field(c, "Capabilities", text);
	}
	return CTL_OK;
}

int
cmd_peer(struct ctl *c, int argc, char **argv)
{
	if (argc != 1)
		return ctl_usage(c);
	if (!c->json && !c->quiet)
		status_server_clock(c);
	return ctl_simple(c, "peer", argc, argv, show_node);
}

/* --- netmap: one object of any size, printed member by member as it is received --- */
struct netmap_view {
	struct ctl *c;
	struct table t;
	size_t count;
	int rc;
};

static int
one_peer(void *arg, const char *name, struct source *s)
{
	struct netmap_view *v = arg;
	struct json_object *o;

	(void)name;
	if (scan_json(s, &o) != 1)
		return -1;
	peer_row(v->c, &v->t, o);
	json_object_put(o);
	return 1;
}

static int
count_one(void *arg, const char *name, struct source *s)
{
	struct netmap_view *v = arg;

	(void)name;
	v->count++;
	return scan_value(s, NULL);
}

static int
show_peers(struct netmap_view *v, struct source *s)
{
	int r;

	fputc('\n', v->c->out);
	table_init(&v->t, v->c->out, peer_heads, PEER_COLS, 0);
	r = scan_array(s, one_peer, v);
	if (table_end(&v->t) == -1)
		r = -1;
	fputc('\n', v->c->out);
	return r;
}

static int
show_count(struct netmap_view *v, const char *label, struct source *s)
{
	char text[32];
	int r, c = scan_space(s);

	v->count = 0;
	r = c == '[' ? scan_array(s, count_one, v) : c == '{' ? scan_object(s, count_one, v) : scan_value(s, NULL);
	snprintf(text, sizeof(text), "%zu", v->count);
	if (r == 1 && v->count > 0)
		out_field(v->c, label, text);
	return r;
}

static void
show_dns(struct ctl *c, struct json_object *dns)
{
	struct json_object *routes;
	char text[1000];

	jlist(dns, "Domains", "  ", text, sizeof(text));
	out_field(c, "DNS domains", text);
	if (json_get_obj(dns, "Routes", &routes) == 1) {
		snprintf(text, sizeof(text), "%d", json_object_object_length(routes));
		out_field(c, "DNS routes", text);
	}
}

static const char *
string_or_empty(struct json_object *o)
{
	return o != NULL ? json_object_get_string(o) : "";
}

static void
show_member(struct netmap_view *v, const char *name, struct json_object *o)
{
	struct json_object *regions;
	char text[300];
	size_t i;

	if (strcmp(name, "error") == 0) {
		struct json_object *whole = json_object_new_object();

		json_object_object_add(whole, "error", json_object_get(o));
		v->rc = ctl_answer_error(v->c, whole);
		json_object_put(whole);
	} else if (strcmp(name, "SelfNode") == 0) {
		show_node(v->c, o);
	} else if (strcmp(name, "DNS") == 0) {
		show_dns(v->c, o);
	} else if (strcmp(name, "DERPMap") == 0 && json_get_obj(o, "Regions", &regions) == 1) {
		snprintf(text, sizeof(text), "%d", json_object_object_length(regions));
		out_field(v->c, "DERP regions", text);
	} else if (strcmp(name, "Health") == 0 && json_object_is_type(o, json_type_array)) {
		for (i = 0; i < json_object_array_length(o); i++)
			out_field_color(v->c, "Health", COLOR_WARN, string_or_empty(json_object_array_get_idx(o, i)));
	} else if (strcmp(name, "Domain") == 0 || strcmp(name, "Source") == 0 || strcmp(name, "Seq") == 0) {
		out_field(v->c, name, string_or_empty(o));
	}
}

static int
netmap_member(void *arg, const char *name, struct source *s)
{
	static const char *const printed[] = { "error", "SelfNode", "DNS", "DERPMap", "Health", "Domain", "Source",
		"Seq" };
	struct netmap_view *v = arg;
	struct json_object *o;
	size_t i;

	if (strcmp(name, "Peers") == 0 && scan_space(s) == '[')
		return show_peers(v, s);
	if (strcmp(name, "UserProfiles") == 0)
		return show_count(v, "Users", s);
	if (strcmp(name, "PacketFilterRules") == 0)
		return show_count(v, "Filter rules", s);
	for (i = 0; i < sizeof(printed) / sizeof(printed[0]); i++)
		if (strcmp(name, printed[i]) == 0)
			break;
	if (i == sizeof(printed) / sizeof(printed[0]))
		return scan_value(s, NULL);
	if (scan_json(s, &o) != 1)
		return -1;
	show_member(v, name, o);
	json_object_put(o);
	return 1;
}

int
netmap_print(struct ctl *c, struct source *s)
{
	struct netmap_view v = { .c = c };

	return scan_object(s, netmap_member, &v) == 1 ? v.rc : ctl_lost(c, s);
}

int
cmd_netmap(struct ctl *c, int argc, char **argv)
{
	struct source s;
	int rc;

	(void)argv;
	if (argc != 0)
		return ctl_usage(c);
	if ((rc = ctl_ask_words(c, &s, "netmap", 0, NULL)) != CTL_OK)
		return rc;
	rc = c->json || c->quiet ? ctl_relay(c, &s, END_NONE) : netmap_print(c, &s);
	source_close(&s);
	return rc;
}
