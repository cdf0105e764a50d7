/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "unit.h"
#include "util_map.h"

/*
 * The store against a naive model: an array of json-c objects, changed by the rules of protocol.md E.6 in the
 * plainest way.  Random messages with all operations mixed; readers hold snapshots meanwhile, which must go on
 * showing the map of the time when they were made.
 */
#define IDS      60 /* small: ids meet again and again */
#define MESSAGES 12000
#define OPS      10 /* of each kind in a message, at most: more than 100,000 operations in all */
#define READERS  6

/* Ids in no special order of size. */
static int64_t
id_of(unsigned i)
{
	return i % 3 == 0 ? -(int64_t)i * 7919 : i % 3 == 1 ? (int64_t)i << 50 : (int64_t)i;
}

struct model {
	struct json_object *peer[IDS]; /* NULL: not there */
};

struct reader {
	int active;
	struct dump d;
	struct pb out;
	char *want;
};

static unsigned long operations;

static void
put(struct json_object *o, const char *name, const char *text)
{
	struct json_object *v = json_tokener_parse(text);

	json_object_object_add(o, name, v);
}

/* A random node: as text for the message and as object for the model. */
static struct json_object *
random_node(unsigned i, char *text, size_t size)
{
	struct json_object *o = json_object_new_object(), *addrs;
	char tmp[200];

	json_object_object_add(o, "ID", json_object_new_int64(id_of(i)));
	snprintf(tmp, sizeof(tmp), "\"nodekey:%064x\"", mt_rnd(1000));
	put(o, "Key", tmp);
	json_object_object_add(o, "User", json_object_new_int64(mt_rnd(200)));
	snprintf(tmp, sizeof(tmp), "\"p%u.x.\"", mt_rnd(100));
	put(o, "Name", tmp);
	snprintf(tmp, sizeof(tmp), "[\"100.64.%u.%u/32\"]", mt_rnd(3), mt_rnd(100));
	put(o, "Addresses", tmp);
	if (mt_rnd(2))
		put(o, "Online", mt_rnd(2) ? "true" : "false");
	if (mt_rnd(2))
		put(o, "HomeDERP", mt_rnd(2) ? "3" : "12");
	if (mt_rnd(3) == 0)
		put(o, "LastSeen", "\"2026-01-02T03:04:05Z\"");
	if (mt_rnd(3) == 0)
		put(o, "Endpoints", mt_rnd(2) ? "[]" : "[\"192.0.2.1:1\",\"[2001:db8::1]:2\"]");
	if (mt_rnd(3) == 0)
		put(o, "CapMap", mt_rnd(2) ? "{\"a\":null}" : "{\"b\":[1,{\"x\":\"y\"}]}");
	if (mt_rnd(4) == 0)
		put(o, "Hostinfo", "{\"OS\":\"linux\",\"Hostname\":\"h\\u00e9\"}");
	if (mt_rnd(4) == 0)
		put(o, "AllowedIPs", "[\"10.0.0.0/8\"]");
	snprintf(text, size, "%s", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	if (!json_object_object_get_ex(o, "AllowedIPs", NULL)) {
		json_object_object_get_ex(o, "Addresses", &addrs);
		put(o, "AllowedIPs", json_object_to_json_string(addrs));
	}
	return o;
}

static void
set(struct model *md, unsigned i, struct json_object *o)
{
	json_object_put(md->peer[i]);
	md->peer[i] = o;
}

/* Objects in older copies of the model are shared: change a copy. */
static struct json_object *
own(struct model *md, unsigned i)
{
	struct json_object *copy = NULL;

	if (md->peer[i] != NULL && json_object_deep_copy(md->peer[i], &copy, NULL) == 0)
		set(md, i, copy);
	return md->peer[i];
}

static void
patch(struct model *md, unsigned i, char *text, size_t size)
{
	struct json_object *o = own(md, i);
	size_t n = (size_t)snprintf(text, size, "{\"NodeID\":%lld", (long long)id_of(i));
	char tmp[120];

#define BOTH(name, target, value) \
	do { \
		const char *both = value; /* once: it draws numbers */ \
		n += (size_t)snprintf(text + n, size - n, ",\"%s\":%s", name, both); \
		if (o != NULL) \
			put(o, target, both); \
	} while (0)
	if (mt_rnd(2))
		BOTH("Online", "Online", mt_rnd(2) ? "true" : "false");
	if (mt_rnd(3) == 0)
		BOTH("DERPRegion", "HomeDERP", mt_rnd(2) ? "5" : "6");
	if (mt_rnd(3) == 0)
		BOTH("Endpoints", "Endpoints", mt_rnd(2) ? "[]" : "[\"198.51.100.7:7\"]");
	if (mt_rnd(3) == 0)
		BOTH("CapMap", "CapMap", mt_rnd(2) ? "{}" : "{\"c\":[true]}");
	if (mt_rnd(3) == 0)
		BOTH("Cap", "Cap", mt_rnd(2) ? "120" : "5");
	if (mt_rnd(4) == 0)
		BOTH("LastSeen", "LastSeen",
		    mt_rnd(2) ? "\"2026-05-05T05:05:05.5Z\"" : "\"2026-05-05T05:05:05+01:00\"");
	if (mt_rnd(4) == 0)
		BOTH("KeyExpiry", "KeyExpiry", mt_rnd(2) ? "\"2099-05-05T05:05:05Z\"" : "\"0001-01-01T00:00:00Z\"");
	if (mt_rnd(4) == 0)
		BOTH("KeySignature", "KeySignature", "\"AAAA\"");
	if (mt_rnd(4) == 0) {
		snprintf(tmp, sizeof(tmp), "\"nodekey:%064x\"", mt_rnd(1000));
		BOTH("Key", "Key", tmp);
	}
	if (mt_rnd(4) == 0) {
		snprintf(tmp, sizeof(tmp), "\"discokey:%064x\"", mt_rnd(1000));
		BOTH("DiscoKey", "DiscoKey", tmp);
	}
#undef BOTH
	snprintf(text + n, size - n, "}");
}

/* The parts of a message in the order in which they take effect; the text has them in random order. */
static void
random_message(struct model *md, char *msg, size_t size)
{
	static char part[5][20000];
	size_t n[5] = { 0 }, w;
	unsigned k, i, count, order[5] = { 0, 1, 2, 3, 4 };
	char text[1024];
	struct json_object *o;

	if (mt_rnd(100) == 0) { /* everything at once */
		w = (size_t)snprintf(msg, size, "{\"Peers\":[");
		for (i = 0; i < IDS; i++)
			set(md, i, NULL);
		for (count = 0; count == 0;)
			for (i = 0; i < IDS; i++) {
				if (mt_rnd(2) || md->peer[i] != NULL)
					continue;
				o = random_node(i, text, sizeof(text));
				set(md, i, o);
				w += (size_t)snprintf(msg + w, size - w, "%s%s", count++ ? "," : "", text);
				operations++;
			}
		snprintf(msg + w, size - w, "],\"PeersRemoved\":[%lld]}", (long long)id_of(1));
		return;
	}
	for (k = 0; k < 5; k++) {
		static const char *const open[] = { "\"PeersRemoved\":[", "\"PeersChanged\":[", "\"PeerSeenChange\":{",
			"\"OnlineChange\":{", "\"PeersChangedPatch\":[" };
		char used[IDS] = { 0 };

		n[k] = (size_t)sprintf(part[k], "%s", open[k]);
		count = mt_rnd(3) ? 0 : mt_rnd(OPS + 1);
		for (; count > 0; count--) {
			i = mt_rnd(IDS);
			if (used[i] && (k == 2 || k == 3))
				continue; /* names of an object come once */
			text[0] = '\0';
			operations++;
			if (part[k][n[k] - 1] != '[' && part[k][n[k] - 1] != '{')
				part[k][n[k]++] = ',';
			used[i] = 1;
			switch (k) {
			case 0:
				snprintf(text, sizeof(text), "%lld", (long long)id_of(i));
				set(md, i, NULL);
				break;
			case 1:
				o = random_node(i, text, sizeof(text));
				set(md, i, o);
				break;
			case 2:
			case 3: {
				int on = (int)mt_rnd(2);

				snprintf(text, sizeof(text), "\"%lld\":%s", (long long)id_of(i), on ? "true" : "false");
				if ((o = own(md, i)) == NULL)
					break;
				if (k == 3)
					put(o, "Online", on ? "true" : "false");
				else if (on)
					put(o, "LastSeen", "\"2027-01-15T08:00:00Z\"");
				else
					json_object_object_del(o, "LastSeen");
				break;
			}
			default: patch(md, i, text, sizeof(text)); break;
			}
			n[k] += (size_t)sprintf(part[k] + n[k], "%s", text);
		}
		part[k][n[k]++] = k == 2 || k == 3 ? '}' : ']';
		part[k][n[k]] = '\0';
	}
	for (k = 4; k > 0; k--) {
		i = mt_rnd(k + 1);
		count = order[k];
		order[k] = order[i];
		order[i] = count;
	}
	w = (size_t)sprintf(msg, "{");
	for (k = 0; k < 5; k++)
		w += (size_t)snprintf(msg + w, size - w, "%s%s", k ? "," : "", part[order[k]]);
	snprintf(msg + w, size - w, "}");
}

static int
by_id(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * The model as the daemon would list it: one object per line, by id.  Members in the order of json-c's printing of a
 * sorted object are not needed: compared as values.
 */
static char *
model_text(const struct model *md)
{
	int64_t ids[IDS];
	size_t n = 0, w = 0, i, k;
	char *out = malloc(IDS * 1024 + 1);

	for (i = 0; i < IDS; i++)
		if (md->peer[i] != NULL)
			ids[n++] = id_of((unsigned)i);
	qsort(ids, n, sizeof(*ids), by_id);
	out[0] = '\0';
	for (k = 0; k < n; k++)
		for (i = 0; i < IDS; i++)
			if (md->peer[i] != NULL && id_of((unsigned)i) == ids[k])
				w += (size_t)snprintf(out + w, 1024, "%s\n",
				    json_object_to_json_string_ext(md->peer[i], JSON_C_TO_STRING_PLAIN));
	return out;
}

static void
compare_lines(const char *have, const char *want)
{
	struct json_object *a, *b;
	size_t la, lb;

	for (; *have != '\0' && *want != '\0'; have += la + 1, want += lb + 1) {
		char one[2048], two[2048];

		la = strcspn(have, "\n");
		lb = strcspn(want, "\n");
		snprintf(one, sizeof(one), "%.*s", (int)la, have);
		snprintf(two, sizeof(two), "%.*s", (int)lb, want);
		a = json_tokener_parse(one);
		b = json_tokener_parse(two);
		if (a == NULL || b == NULL || !json_object_equal(a, b))
			fail_msg("store: %s\nmodel: %s", one, two);
		json_object_put(a);
		json_object_put(b);
	}
	assert_string_equal(have, want);
}

/* Every way to find a peer finds one that has what was asked for, and misses none. */
static void
check_lookups(struct map_test *m, const struct model *md)
{
	const struct peers *p = m->nm->cur->peers;
	unsigned i;

	for (i = 0; i < IDS; i++) {
		const struct node *n = peers_find(p, id_of(i));
		struct json_object *v;
		struct pubkey key;
		uint8_t addr[16];
		unsigned family, bits;
		const char *s;

		assert_int_equal(n != NULL, md->peer[i] != NULL);
		if (n == NULL)
			continue;
		json_object_object_get_ex(md->peer[i], "Key", &v);
		s = json_object_get_string(v);
		assert_int_equal(key_parse(KEY_NODE, s, strlen(s), &key), 0);
		assert_non_null(n = mt_by_key(p, key.b));
		assert_memory_equal(n->key, key.b, KEY_LEN);
		json_object_object_get_ex(md->peer[i], "Addresses", &v);
		n = peers_find(p, id_of(i));
		assert_int_equal(pk_addr(pk_first(node_get(n, NM_Addresses)), p->dict, addr, &family, &bits), 1);
		assert_non_null(n = mt_by_addr(p, addr, family));
		assert_int_equal(node_has_address(n, p->dict, addr, family), 1);
		json_object_object_get_ex(md->peer[i], "Name", &v);
		s = json_object_get_string(v);
		assert_non_null(n = mt_by_name(p, s, ""));
	}
}

static void
reader_check(struct reader *r, int finish)
{
	int more;

	do
		more = dump_more(&r->d, &r->out, r->out.n + 1 + mt_rnd(3000));
	while (more && finish);
	if (more)
		return;
	pb_byte(&r->out, '\0');
	compare_lines((const char *)r->out.p, r->want);
	dump_end(&r->d);
	pb_free(&r->out);
	free(r->want);
	r->active = 0;
}

static void
test_against_model(void **state)
{
	struct map_test *m = mt_new();
	struct model md = { { NULL } };
	struct reader readers[READERS] = { { 0 } };
	static char msg[120000];
	char *have, *want, *before;
	unsigned i, k;
	int r;

	(void)state;
	mt_ok(m, "{" NODE_SELF "}");
	for (i = 0; i < MESSAGES; i++) {
		before = model_text(&md);
		random_message(&md, msg, sizeof(msg));
		r = mt_raw(m, msg, strlen(msg), 1 + mt_rnd(5000));
		if (r == REFUSED)
			fail_msg("refused: %s: %s", ingest_error(m->g), msg);
		want = model_text(&md);
		if (r == 0)
			compare_lines(before, want);
		have = mt_peers(m);
		compare_lines(have, want);
		free(have);
		free(before);
		if (i % 50 == 0)
			check_lookups(m, &md);
		for (k = 0; k < READERS; k++) {
			if (readers[k].active)
				reader_check(&readers[k], 0);
			else if (mt_rnd(8) == 0) {
				assert_int_equal(dump_peers(&readers[k].d, m->nm, UINT64_MAX, 0, 0), 0);
				readers[k].want = strdup(want);
				readers[k].active = 1;
			}
		}
		free(want);
	}
	for (k = 0; k < READERS; k++)
		if (readers[k].active)
			reader_check(&readers[k], 1);
	for (i = 0; i < IDS; i++)
		json_object_put(md.peer[i]);
	assert_true(operations >= 100000);
	mt_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_against_model) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
