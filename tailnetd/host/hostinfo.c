/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "build.h"
#include "endpoints.h"
#include "hostinfo.h"
#include "json.h"
#include "jsonparse.h"
#include "netaddr.h"
#include "sysinfo.h"

enum kind { K_STR, K_BOOL, K_INT, K_OBJ, K_ARR, K_STRS, K_PREFIXES, K_NUMBERS, K_ELSEWHERE };

struct field {
	const char *name;
	enum kind kind;
};

/* protocol.md F.1, the members a client may send */
static const struct field hostinfo_fields[] = {
	{ "IPNVersion", K_STR },
	{ "FrontendLogID", K_STR },
	{ "BackendLogID", K_STR },
	{ "OS", K_STR },
	{ "OSVersion", K_STR },
	{ "Container", K_BOOL },
	{ "Env", K_STR },
	{ "Distro", K_STR },
	{ "DistroVersion", K_STR },
	{ "DistroCodeName", K_STR },
	{ "App", K_STR },
	{ "Desktop", K_BOOL },
	{ "Package", K_STR },
	{ "DeviceModel", K_STR },
	{ "PushDeviceToken", K_STR },
	{ "Hostname", K_STR },
	{ "ShieldsUp", K_BOOL },
	{ "ShareeNode", K_BOOL },
	{ "NoLogsNoSupport", K_BOOL },
	{ "RemoteConfig", K_BOOL },
	{ "WireIngress", K_BOOL },
	{ "IngressEnabled", K_BOOL },
	{ "AllowsUpdate", K_BOOL },
	{ "Machine", K_STR },
	{ "GoArch", K_STR },
	{ "GoArchVar", K_STR },
	{ "GoVersion", K_STR },
	{ "RoutableIPs", K_PREFIXES },
	{ "RequestTags", K_STRS },
	{ "WoLMACs", K_STRS },
	{ "Services", K_ARR },
	{ "NetInfo", K_ELSEWHERE },
	{ "sshHostKeys", K_STRS },
	{ "Cloud", K_STR },
	{ "Userspace", K_BOOL },
	{ "UserspaceRouter", K_BOOL },
	{ "AppConnector", K_BOOL },
	{ "ServicesHash", K_STR },
	{ "PeerRelay", K_BOOL },
	{ "ExitNodeID", K_STR },
	{ "Location", K_OBJ },
	{ "TPM", K_OBJ },
	{ "StateEncrypted", K_BOOL },
	{ NULL, K_STR },
};

/* protocol.md F.2 */
static const struct field netinfo_fields[] = {
	{ "MappingVariesByDestIP", K_BOOL },
	{ "WorkingIPv6", K_BOOL },
	{ "OSHasIPv6", K_BOOL },
	{ "WorkingUDP", K_BOOL },
	{ "WorkingICMPv4", K_BOOL },
	{ "UPnP", K_BOOL },
	{ "PMP", K_BOOL },
	{ "PCP", K_BOOL },
	{ "HavePortMap", K_BOOL },
	{ "HairPinning", K_BOOL },
	{ "PreferredDERP", K_INT },
	{ "LinkType", K_STR },
	{ "DERPLatency", K_NUMBERS },
	{ "FirewallMode", K_STR },
	{ NULL, K_STR },
};

/* --- checking what was given --- */

static int
all_strings(struct json_object *v, int prefixes)
{
	size_t i, n;

	if (!json_object_is_type(v, json_type_array))
		return 0;
	n = json_object_array_length(v);
	for (i = 0; i < n; i++) {
		struct json_object *e = json_object_array_get_idx(v, i);
		struct ipc_addr a;

		if (!json_object_is_type(e, json_type_string))
			return 0;
		if (prefixes &&
		    (strlen(json_object_get_string(e)) != (size_t)json_object_get_string_len(e) ||
			netaddr_prefix_parse(json_object_get_string(e), &a) == -1))
			return 0;
	}
	return 1;
}

static int
is_number(struct json_object *v)
{
	return json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double);
}

static int
all_numbers(struct json_object *v)
{
	if (!json_object_is_type(v, json_type_object))
		return 0;
	json_object_object_foreach(v, key, e) {
		(void)key;
		if (!is_number(e))
			return 0;
	}
	return 1;
}

static int
kind_ok(enum kind k, struct json_object *v)
{
	switch (k) {
	case K_STR: return json_object_is_type(v, json_type_string);
	case K_BOOL: return json_object_is_type(v, json_type_boolean);
	case K_INT: return json_object_is_type(v, json_type_int);
	case K_OBJ: return json_object_is_type(v, json_type_object);
	case K_ARR: return json_object_is_type(v, json_type_array);
	case K_STRS: return all_strings(v, 0);
	case K_PREFIXES: return all_strings(v, 1);
	case K_NUMBERS: return all_numbers(v);
	case K_ELSEWHERE: break;
	}
	return 0;
}

static const char *
kind_text(enum kind k)
{
	static const char *const texts[] = { "a string", "true or false", "an integer", "an object", "an array",
		"an array of strings", "an array of prefixes such as \"192.0.2.0/24\"", "an object of numbers",
		"set by `set netinfo`" };

	return texts[k];
}

static const struct field *
find_field(const struct field *f, const char *name)
{
	for (; f->name != NULL; f++)
		if (strcasecmp(f->name, name) == 0)
			return f;
	return NULL;
}

/* One member: its exact name (of the table, or as given), or NULL with a reason. */
static const char *
check_member(const struct field *fields, const char *name, struct json_object *v, char *err, size_t errsize)
{
	const struct field *f = find_field(fields, name);

	if (f == NULL)
		return name;
	if (v == NULL)
		return f->name;
	if (!kind_ok(f->kind, v)) {
		snprintf(err, errsize, "%s must be %s", f->name, kind_text(f->kind));
		return NULL;
	}
	if (strcmp(f->name, "BackendLogID") == 0 && json_object_get_string_len(v) == 0) {
		snprintf(err, errsize, "BackendLogID must not be empty");
		return NULL;
	}
	return f->name;
}

/* --- merging --- */

/* Adds v under name; v NULL: takes name away.  0 / -1 (memory). */
static int
put_member(struct json_object *o, const char *name, struct json_object *v)
{
	if (v == NULL) {
		json_object_object_del(o, name);
		return 0;
	}
	if (json_object_object_add(o, name, json_object_get(v)) == 0)
		return 0;
	json_object_put(v);
	return -1;
}

static int
merge(struct json_object *into, struct json_object *from, const struct field *fields, char *err, size_t errsize)
{
	json_object_object_foreach(from, key, v) {
		const char *name = check_member(fields, key, v, err, errsize);

		if (name == NULL)
			return -1;
		if (put_member(into, name, v) == -1) {
			snprintf(err, errsize, "out of memory");
			return HOSTINFO_NO_MEMORY;
		}
	}
	return 0;
}

/* A new object with the members of o, which stay shared: nothing ever changes a member's value. */
static struct json_object *
copy_members(struct json_object *o)
{
	struct json_object *copy = json_object_new_object();
	char none[8];
	static const struct field no_fields[] = { { NULL, K_STR } };

	if (copy != NULL && o != NULL && merge(copy, o, no_fields, none, sizeof(none)) != 0) {
		json_object_put(copy);
		return NULL;
	}
	return copy;
}

/* Does b differ from a for the server?  F.2: all but DERPLatency counts. */
static int
differs(struct json_object *a, struct json_object *b, int netinfo)
{
	struct json_object *x, *y;
	int rv;

	if (!netinfo || a == NULL)
		return a == NULL ? json_object_object_length(b) > 0 : !json_object_equal(a, b);
	x = copy_members(a);
	y = copy_members(b);
	if (x != NULL && y != NULL) {
		json_object_object_del(x, "DERPLatency");
		json_object_object_del(y, "DERPLatency");
	}
	rv = x == NULL || y == NULL || !json_object_equal(x, y);
	json_object_put(x);
	json_object_put(y);
	return rv;
}

/* Reduces *left by the bytes of o as text.  0, or a result of hostinfo_set(). */
static int
fits(struct json_object *o, size_t *left)
{
	struct buf b;
	int rv = 0;

	if (o == NULL)
		return 0;
	buf_init(&b, *left);
	errno = 0;
	if (json_print(&b, o) == -1)
		rv = errno == ENOMEM ? HOSTINFO_NO_MEMORY : HOSTINFO_TOO_LARGE;
	else
		*left -= buf_len(&b);
	buf_free(&b);
	return rv;
}

static int
all_fits(const struct hostinfo_set *s, int netinfo, struct json_object *merged, char *err, size_t errsize)
{
	size_t left = HOSTINFO_SET_MAX;
	int rv;

	if ((rv = fits(merged, &left)) == 0)
		rv = fits(netinfo ? s->hostinfo : s->netinfo, &left);
	if (rv == HOSTINFO_NO_MEMORY)
		snprintf(err, errsize, "out of memory");
	else if (rv != 0)
		snprintf(err, errsize, "all that is set would be larger than %u bytes; take members back with null",
		    HOSTINFO_SET_MAX);
	return rv;
}

void
hostinfo_set_free(struct hostinfo_set *s)
{
	json_object_put(s->hostinfo);
	json_object_put(s->netinfo);
	s->hostinfo = s->netinfo = NULL;
}

int
hostinfo_set(struct hostinfo_set *s, int netinfo, const char *text, size_t n, int *changed, char *err, size_t errsize)
{
	struct json_object **slot = netinfo ? &s->netinfo : &s->hostinfo, *given, *merged = NULL;
	char why[160];
	int rv;

	*changed = 0;
	if (n > HOSTINFO_TEXT_MAX) {
		snprintf(err, errsize, "larger than %d bytes", HOSTINFO_TEXT_MAX);
		return -1;
	}
	if ((given = json_parse(text, n, NULL, why, sizeof(why))) == NULL ||
	    !json_object_is_type(given, json_type_object)) {
		snprintf(err, errsize, "expected a JSON object%s%s", given == NULL && why[0] != '\0' ? ": " : "",
		    given == NULL ? why : "");
		rv = given == NULL && why[0] != '\0' && errno == ENOMEM ? HOSTINFO_NO_MEMORY : -1;
		json_object_put(given);
		return rv;
	}
	if ((merged = copy_members(*slot)) == NULL) {
		snprintf(err, errsize, "out of memory");
		rv = HOSTINFO_NO_MEMORY;
	} else
		rv = merge(merged, given, netinfo ? netinfo_fields : hostinfo_fields, err, errsize);
	if (rv == 0)
		rv = all_fits(s, netinfo, merged, err, errsize);
	if (rv != 0) {
		json_object_put(merged);
		json_object_put(given);
		return rv;
	}
	*changed = differs(*slot, merged, netinfo);
	json_object_put(given);
	json_object_put(*slot);
	*slot = merged;
	return 0;
}

/* --- building --- */

struct build {
	struct json_object *o;
	int failed;
};

static void
add(struct build *b, const char *name, struct json_object *v)
{
	if (v == NULL || json_object_object_add(b->o, name, v) != 0) {
		json_object_put(v);
		b->failed = 1;
	}
}

static void
add_str(struct build *b, const char *name, const char *s)
{
	if (*s != '\0') /* F.1: omitted when empty */
		add(b, name, json_object_new_string(s));
}

static void
add_list(struct build *b, const char *name, const struct config *c, unsigned n,
    const char *(*text)(const struct config *, unsigned, char *, size_t))
{
	struct json_object *a;
	char room[80];
	unsigned i;

	if (n == 0)
		return;
	if ((a = json_object_new_array()) == NULL) {
		b->failed = 1;
		return;
	}
	for (i = 0; i < n; i++) {
		struct json_object *s = json_object_new_string(text(c, i, room, sizeof(room)));

		if (s == NULL || json_object_array_add(a, s) != 0) {
			json_object_put(s);
			b->failed = 1;
		}
	}
	add(b, name, a);
}

static const char *
route_text(const struct config *c, unsigned i, char *room, size_t size)
{
	return netaddr_prefix_format(&c->routes[i].a, room, size);
}

static const char *
tag_text(const struct config *c, unsigned i, char *room, size_t size)
{
	(void)room;
	(void)size;
	return c->tags[i];
}

static void
add_own(struct build *b, const struct config *c, const struct state *st)
{
	struct sysinfo_text sys;
	char name[256];

	sysinfo_collect(&sys);
	snprintf(name, sizeof(name), "%s", c->hostname[0] != '\0' ? c->hostname : sys.hostname);
	name[strcspn(name, ".")] = '\0'; /* REG-11 */
	add_str(b, "IPNVersion", TAILNETD_VERSION "-tailnetd");
	add_str(b, "BackendLogID", st->backend_log_id);
	add_str(b, "OS", sys.os);
	add_str(b, "OSVersion", sys.os_version);
	if (sys.container != -1)
		add(b, "Container", json_object_new_boolean(sys.container));
	add_str(b, "Distro", sys.distro);
	add_str(b, "DistroVersion", sys.distro_version);
	add_str(b, "DistroCodeName", sys.distro_codename);
	add_str(b, "Hostname", name);
	add_str(b, "Machine", sys.machine);
	add_str(b, "GoArch", sys.arch);
	add_list(b, "RoutableIPs", c, c->nroutes, route_text);
	add_list(b, "RequestTags", c, c->ntags, tag_text);
}

int
hostinfo_build(const struct config *c, const struct state *st, const struct hostinfo_set *set, struct buf *out)
{
	struct build b = { json_object_new_object(), 0 };
	struct json_object *id;
	size_t before = buf_len(out);
	int rv = -1;

	if (b.o == NULL) {
		errno = ENOMEM;
		return -1;
	}
	add_own(&b, c, st);
	if (set->hostinfo != NULL) {
		json_object_object_foreach(set->hostinfo, key, v)
			add(&b, key, json_object_get(v));
	}
	if (set->netinfo != NULL && json_object_object_length(set->netinfo) > 0)
		add(&b, "NetInfo", json_object_get(set->netinfo));
	id = json_get(b.o, "BackendLogID", NULL);
	if (b.failed)
		errno = ENOMEM;
	else if (id == NULL || json_object_get_string_len(id) == 0)
		errno = EINVAL; /* REG-11 */
	else if ((rv = json_print(out, b.o)) == -1)
		errno = buf_len(out) >= before && out->failed ? ENOBUFS : ENOMEM;
	json_object_put(b.o);
	return rv;
}

int
hostinfo_forwarding_broken(const struct config *c, const struct hostinfo_set *set)
{
	struct json_object *routes = set->hostinfo != NULL ? json_get(set->hostinfo, "RoutableIPs", NULL) : NULL;
	size_t i, n;
	struct ipc_addr a;

	if (routes == NULL)
		return ip_forwarding_broken(c);
	n = json_object_array_length(routes);
	for (i = 0; i < n; i++)
		if (netaddr_prefix_parse(json_object_get_string(json_object_array_get_idx(routes, i)), &a) == 0 &&
		    ip_forwarding_off(a.family))
			return 1;
	return 0;
}
