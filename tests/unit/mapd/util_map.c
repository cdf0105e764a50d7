/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "timefmt.h"
#include "unit.h"
#include "peername.h"
#include "util_map.h"

void
mt_session(struct map_test *m)
{
	struct pubkey node, machine;

	memset(&node, 0x11, sizeof(node));
	memset(&machine, 0x22, sizeof(machine));
	netmap_session_end(m->nm);
	netmap_session_begin(m->nm, &node, &machine);
}

struct map_test *
mt_new(void)
{
	struct map_test *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	assert_non_null(m->nm = netmap_new());
	assert_non_null(m->g = ingest_new(m->nm));
	m->now = (struct wtime){ 1800000000, 0 };
	mt_session(m);
	return m;
}

struct map_test *
mt_with(const char *more)
{
	struct map_test *m = mt_new();
	char *text = malloc(strlen(more) + 512);

	assert_non_null(text);
	sprintf(text, "{" NODE_SELF "%s%s}", more[0] ? "," : "", more);
	mt_ok(m, text);
	free(text);
	return m;
}

void
mt_free(struct map_test *m)
{
	ingest_free(m->g);
	netmap_free(m->nm);
	free(m);
}

char *
mt_quotes(const char *text)
{
	char *s = strdup(text), *p;

	assert_non_null(s);
	for (p = s; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p == '`' ? '\'' : *p;
	return s;
}

int
mt_raw(struct map_test *m, const char *text, size_t n, size_t piece)
{
	size_t part;

	ingest_begin(m->g);
	for (; n > 0; text += part, n -= part) {
		part = n < piece ? n : piece;
		if (ingest_data(m->g, text, part) == -1)
			return REFUSED;
	}
	if (ingest_end(m->g) == -1)
		return REFUSED;
	return ingest_apply(m->g, m->now, &m->ch) == -1
	    ? REFUSED
	    : m->ch.full || m->ch.nchanged || m->ch.nremoved || m->ch.fields;
}

int
mt_msg(struct map_test *m, const char *text)
{
	char *s = mt_quotes(text);
	int r = mt_raw(m, s, strlen(s), SIZE_MAX);

	free(s);
	return r;
}

void
mt_ok(struct map_test *m, const char *text)
{
	uint64_t seq = netmap_seq(m->nm);

	if (mt_msg(m, text) != 1)
		fail_msg("not taken: %s (%s)", ingest_error(m->g), text);
	assert_true(netmap_seq(m->nm) == seq + 1);
	assert_true(m->ch.seq == seq + 1);
}

void
mt_same(struct map_test *m, const char *text)
{
	uint64_t seq = netmap_seq(m->nm);
	char *before = mt_dump(m), *after;

	if (mt_msg(m, text) != 0)
		fail_msg("changed something, or refused (%s): %s", ingest_error(m->g), text);
	after = mt_dump(m);
	assert_string_equal(before, after);
	assert_true(netmap_seq(m->nm) == seq);
	free(before);
	free(after);
}

void
mt_refused(struct map_test *m, const char *text, const char *why)
{
	uint64_t seq = netmap_seq(m->nm);
	char *before = mt_dump(m), *after;

	if (mt_msg(m, text) != REFUSED)
		fail_msg("not refused: %s", text);
	if (strstr(ingest_error(m->g), why) == NULL)
		fail_msg("refused with \"%s\", not \"%s\": %s", ingest_error(m->g), why, text);
	after = mt_dump(m);
	if (before != NULL || after != NULL)
		assert_string_equal(before, after);
	assert_true(netmap_seq(m->nm) == seq);
	free(before);
	free(after);
}

static char *
whole(struct dump *d)
{
	struct pb out = { 0 };

	while (dump_more(d, &out, out.n + 1000))
		;
	dump_end(d);
	pb_byte(&out, '\0');
	return (char *)out.p;
}

char *
mt_dump(struct map_test *m)
{
	struct dump d;

	if (dump_netmap(&d, m->nm) == -1) {
		dump_end(&d);
		return NULL;
	}
	return whole(&d);
}

char *
mt_peers(struct map_test *m)
{
	struct dump d;

	assert_int_equal(dump_peers(&d, m->nm, UINT64_MAX, 0, 0), 0);
	return whole(&d);
}

/* Members of all objects: in the order of the text ... */
static size_t
names_in_text(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++) {
		if (*s != '"')
			continue;
		for (s++; *s != '"'; s++)
			s += *s == '\\';
		n += s[1] == ':';
	}
	return n;
}

/* ... and as a parser sees them, for which the last of two of one name counts. */
static size_t
names_in_value(struct json_object *o)
{
	size_t i, n = 0;

	if (json_object_is_type(o, json_type_array))
		for (i = 0; i < json_object_array_length(o); i++)
			n += names_in_value(json_object_array_get_idx(o, i));
	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, name, v) {
			(void)name;
			n += 1 + names_in_value(v);
		}
	}
	return n;
}

struct json_object *
mt_json(struct map_test *m)
{
	char *s = mt_dump(m);
	struct json_object *o;

	assert_non_null(s);
	if ((o = json_tokener_parse(s)) == NULL)
		fail_msg("not JSON: %s", s);
	if (names_in_text(s) != names_in_value(o))
		fail_msg("a name occurs twice in one object: %s", s);
	free(s);
	return o;
}

/* The value at a dotted path. */
static int
walk(struct json_object *o, const char *path, struct json_object **out)
{
	char name[256];
	size_t n;

	for (*out = o; *path != '\0'; path += n + (path[n] == '.')) {
		n = strcspn(path, ".");
		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		if (json_object_is_type(*out, json_type_array)) {
			if ((size_t)atoi(name) >= json_object_array_length(*out))
				return 0;
			*out = json_object_array_get_idx(*out, (size_t)atoi(name));
		} else if (!json_object_object_get_ex(*out, name, out))
			return 0;
	}
	return 1;
}

static void
expect(struct json_object *o, const char *path, const char *want)
{
	struct json_object *v, *w;
	char *text;

	if (!walk(o, path, &v)) {
		if (want != NULL)
			fail_msg("%s is not there", path);
		return;
	}
	if (want == NULL)
		fail_msg("%s is %s, should not exist", path, json_object_to_json_string(v));
	text = mt_quotes(want);
	w = json_tokener_parse(text);
	if (w == NULL && strcmp(text, "null") != 0)
		fail_msg("the test itself is wrong: %s", text);
	if (!json_object_equal(v, w))
		fail_msg("%s is %s, not %s", path, json_object_to_json_string(v), text);
	json_object_put(w);
	free(text);
}

void
mt_expect(struct map_test *m, const char *path, const char *want)
{
	struct json_object *o = mt_json(m);

	expect(o, path, want);
	json_object_put(o);
}

void
mt_peer(struct map_test *m, int64_t id, const char *member, const char *want)
{
	struct json_object *o = mt_json(m), *list, *p, *v;
	size_t i;

	assert_true(json_object_object_get_ex(o, "Peers", &list));
	for (i = 0; i < json_object_array_length(list); i++) {
		p = json_object_array_get_idx(list, i);
		if (json_object_object_get_ex(p, "ID", &v) && json_object_get_int64(v) == id) {
			expect(p, member, want);
			json_object_put(o);
			return;
		}
	}
	fail_msg("no peer %lld", (long long)id);
}

void
mt_ids(struct map_test *m, const char *want)
{
	struct json_object *o = mt_json(m), *list, *v;
	char have[4096] = "";
	size_t i, n = 0;

	assert_true(json_object_object_get_ex(o, "Peers", &list));
	for (i = 0; i < json_object_array_length(list); i++) {
		assert_true(json_object_object_get_ex(json_object_array_get_idx(list, i), "ID", &v));
		n += (size_t)snprintf(have + n, sizeof(have) - n, "%s%s", i ? " " : "", json_object_to_json_string(v));
	}
	assert_string_equal(have, want);
	assert_int_equal(netmap_peers(m->nm), json_object_array_length(list));
	json_object_put(o);
}

static void
list_ids(char *out, size_t size, const int64_t *id, size_t n)
{
	size_t i, w = 0;

	out[0] = '\0';
	for (i = 0; i < n; i++)
		w += (size_t)snprintf(out + w, size - w, "%s%lld", i ? " " : "", (long long)id[i]);
}

void
mt_change(const struct map_test *m, const char *changed, const char *removed, uint32_t fields)
{
	char have[1024];

	assert_int_equal(m->ch.full, 0);
	list_ids(have, sizeof(have), m->ch.changed, m->ch.nchanged);
	assert_string_equal(have, changed);
	list_ids(have, sizeof(have), m->ch.removed, m->ch.nremoved);
	assert_string_equal(have, removed);
	assert_int_equal(m->ch.fields, fields);
}

unsigned
mt_rnd(unsigned n)
{
	static uint64_t rng = 88172645463325252u;

	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)((rng >> 11) % n);
}

static struct node *
searched(const struct peers *p, struct node *n, struct peers_search *s)
{
	while (n == NULL && s->by != SEARCH_NONE)
		n = peers_search_more(p, s, 3);
	return n;
}

const struct node *
mt_find(const struct map_test *m, const char *what)
{
	struct peers_search s;
	const struct node *n = find_peer(m->nm, what, &s);

	return n != NULL ? n : searched(m->nm->cur->peers, NULL, &s);
}

struct node *
mt_by_key(const struct peers *p, const uint8_t key[KEY_LEN])
{
	struct peers_search s;

	return searched(p, peers_find_key(p, key, &s), &s);
}

struct node *
mt_by_name(const struct peers *p, const char *name, const char *suffix)
{
	struct peers_search s;

	return searched(p, peers_find_name(p, name, suffix, &s), &s);
}

struct node *
mt_by_addr(const struct peers *p, const uint8_t addr[16], unsigned family)
{
	struct peers_search s;

	return searched(p, peers_find_addr(p, addr, family, &s), &s);
}
