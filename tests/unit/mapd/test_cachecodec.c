/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "unit.h"

#include "cacheio.h"
#include "export.h"
#include "mapresp.h"
#include "timefmt.h"
#include "util_map.h"

/* The netmap cache: the map as a message, the file around it, and the map it becomes again. */

/* clang-format off */
#define FULL \
	"{" NODE_SELF ",'Peers':[" \
	PEER("9", "9", "99", \
	    ",'KeyExpiry':'2020-01-02T03:04:05Z','Endpoints':['192.0.2.9:1'],'HomeDERP':3,'Online':true") "," \
	PEER("-5", "5", "55", \
	    ",'LastSeen':'2026-01-02T03:04:05.5Z','Novel':{'a':[1,2.50,'`']},'DERP':'127.3.3.40:7'") "," \
	PEER("9007199254740995", "7", "77", \
	    ",'Sharer':11,'Tags':['tag:x'],'Capabilities':['c']") \
	"],'DNSConfig':{'Resolvers':[{'Addr':'192.0.2.53'}]" \
	",'Routes':{'corp.':[]},'Odd':null}," \
	"'DERPMap':{'HomeParams':{'RegionScore':{'1':2.5}}," \
	"'Regions':{'1':{'RegionID':1,'RegionCode':'a'}},'New':1}," \
	"'PacketFilter':[{'SrcIPs':['*'],'DstPorts':[{'IP':" \
	"'*','Ports':{'First':0,'Last':65535}}]}]," \
	"'PacketFilters':{'z':[{'SrcIPs':['100.64.0.1'],'DstPorts':[]}],'a\\u0000\\\"b':[],'c':[{'SrcIPs':[]},{}]}," \
	"'UserProfiles':[{'ID':10,'LoginName':'alice'},{'ID':11,'LoginName':'bob'},{'ID':12,'LoginName':'unseen'}]," \
	"'Domain':'example.com','DomainDataPlaneAuditLogID':'audit','CollectServices':true,'Health':['bad','worse']," \
	"'DisplayMessages':{'m1':{'Title':'T','Severity':'high'},'m\\n2':{'Text':'x'}},'SSHPolicy':{'rules':[]}," \
	"'TKAInfo':{'Head':'h'},'ControlTime':'2027-01-15T09:00:00Z','ClientVersion':{'LatestVersion':'2'}," \
	"'DefaultAutoUpdate':true}"
/* clang-format on */

#define RECEIVED ((struct wtime){ 1700000000, 123000000 })

static struct cache_owner
owner(void)
{
	struct cache_owner ident;

	memset(&ident, 0, sizeof(ident));
	memset(ident.profile, 0xab, sizeof(ident.profile));
	memset(&ident.node_key, 0x11, sizeof(ident.node_key));
	memset(&ident.machine_key, 0x22, sizeof(ident.machine_key));
	return ident;
}

static int
memory_file(void)
{
	char path[] = "/tmp/tailnetd-unit.XXXXXX";
	int fd = mkstemp(path);

	assert_int_not_equal(fd, -1);
	unlink(path);
	return fd;
}

/* Writes the map of m in pieces of `about` bytes; the file's bytes, to be freed. */
static uint8_t *
save(struct map_test *m, size_t about, size_t *len)
{
	struct cache_owner ident = owner();
	struct mapresp resp;
	struct cachewriter *w;
	struct pb text = { 0 };
	int fd = memory_file(), copy = dup(fd), more;
	const char *why;
	uint8_t *p;

	assert_non_null(w = cachewriter_new(copy, &ident, RECEIVED, IPC_CACHE_MAX));
	assert_int_equal(mapresp_begin(&resp, m->nm), 0);
	do {
		text.n = 0;
		more = mapresp_more(&resp, &text, about);
		assert_int_equal(cachewriter_put(w, text.p, text.n), 0);
	} while (more);
	mapresp_end(&resp);
	assert_int_equal(cachewriter_end(w), 0);
	assert_int_equal(cachewriter_result(w, &why), IPC_CACHE_OK);
	*len = (size_t)cachewriter_size(w);
	cachewriter_free(w);
	assert_int_equal(lseek(fd, 0, SEEK_END), *len);
	assert_non_null(p = malloc(*len + 1));
	assert_int_equal(pread(fd, p, *len, 0), *len);
	close(fd);
	pb_free(&text);
	return p;
}

/* Result of reading the n bytes as a file of `size`; on OK the map is in m. */
static enum ipc_cache_result
load_as(struct map_test *m, const struct cache_owner *ident, const uint8_t *p, size_t n, size_t size, size_t piece,
    char *text)
{
	struct cachereader *r = cachereader_new(m->g, ident, size, 512u << 20);
	struct netmap_origin o = { ident->node_key, ident->machine_key, TIME_NONE };
	enum ipc_cache_result result;
	const char *why;
	size_t part;
	int rv = 0;

	assert_non_null(r);
	for (; n > 0 && rv == 0; p += part, n -= part) {
		part = n < piece ? n : piece;
		rv = cachereader_feed(r, p, part);
	}
	result = cachereader_result(r, &why);
	snprintf(text, 300, "%s", why);
	o.received = cachereader_received(r);
	if (rv == 1) {
		assert_int_equal(result, IPC_CACHE_OK);
		if (ingest_restore(m->g, &o, m->now, &m->ch) != 1) {
			snprintf(text, 300, "%s", ingest_error(m->g));
			result = IPC_CACHE_BAD;
		}
	} else {
		assert_int_equal(result == IPC_CACHE_OK, rv == 0); /* 0: the end is missing */
		if (rv == 0)
			result = IPC_CACHE_NOTHING;
		ingest_discard(m->g);
	}
	cachereader_free(r);
	return result;
}

static enum ipc_cache_result
load(struct map_test *m, const uint8_t *p, size_t n, size_t piece, char *text)
{
	struct cache_owner ident = owner();

	return load_as(m, &ident, p, n, n, piece, text);
}

static struct map_test *
idle(void)
{
	struct map_test *m = mt_new();

	netmap_session_end(m->nm);
	return m;
}

/* The two netmap objects without Seq, Source and ReceivedAt. */
static void
same_map(struct map_test *a, struct map_test *b)
{
	struct json_object *x = mt_json(a), *y = mt_json(b);
	static const char *const differ[] = { "Seq", "Source", "ReceivedAt" };
	size_t i;

	for (i = 0; i < 3; i++) {
		json_object_object_del(x, differ[i]);
		json_object_object_del(y, differ[i]);
	}
	assert_string_equal(json_object_to_json_string(x), json_object_to_json_string(y));
	json_object_put(x);
	json_object_put(y);
}

static void
comes_back_as_it_was(void **state)
{
	static const size_t pieces[] = { 1, 7, 300, 1u << 20 };
	struct map_test *a = mt_new(), *b;
	char text[300];
	uint8_t *p;
	size_t n, i;

	(void)state;
	mt_ok(a, FULL);
	for (i = 0; i < 4; i++) {
		p = save(a, pieces[i], &n);
		b = idle();
		assert_int_equal(load(b, p, n, pieces[3 - i], text), IPC_CACHE_OK);
		same_map(a, b);
		mt_expect(b, "Source", "'cached'");
		mt_expect(b, "ReceivedAt", "'2023-11-14T22:13:20.123Z'");
		mt_ids(b, "-5 9 9007199254740995");
		assert_true(b->ch.full && b->ch.self_changed && b->ch.seq == 1);
		/* Again from the result: nothing was lost or added. */
		free(p);
		p = save(b, 1000, &n);
		mt_free(b);
		b = idle();
		assert_int_equal(load(b, p, n, 1000, text), IPC_CACHE_OK);
		same_map(a, b);
		mt_free(b);
		free(p);
	}
	mt_free(a);
}

static void
small_maps(void **state)
{
	static const char *const maps[] = { "{" NODE_SELF "}", "{" NODE_SELF ",'PacketFilters':{}}",
		"{" NODE_SELF ",'PacketFilter':[]}", "{" NODE_SELF ",'PacketFilters':{'base':[{}],'b':[]}}",
		"{" NODE_SELF ",'DisplayMessages':{}}", "{" NODE_SELF ",'Health':[],'Peers':[]}" };
	char text[300];
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		struct map_test *a = mt_new(), *b = idle();
		uint8_t *p;

		mt_ok(a, maps[i]);
		p = save(a, 5, &n);
		assert_int_equal(load(b, p, n, n, text), IPC_CACHE_OK);
		same_map(a, b);
		free(p);
		mt_free(a);
		mt_free(b);
	}
}

/* Our own mark hides key, endpoints and DERP of a peer; it is not written, but set again by the present time. */
static void
marks_are_not_saved(void **state)
{
	struct map_test *a = mt_new(), *b = idle();
	struct cache_owner ident = owner();
	char text[300];
	uint8_t *p;
	size_t n;

	(void)state;
	mt_ok(a, FULL);
	mt_peer(a, 9, "Expired", "true");
	mt_peer(a, 9, "Endpoints", NULL);
	p = save(a, 1000, &n);
	b->now.sec = 1577836800; /* the day before that expiry */
	assert_int_equal(load_as(b, &ident, p, n, n, n, text), IPC_CACHE_OK);
	mt_peer(b, 9, "Expired", NULL);
	mt_peer(b, 9, "Endpoints", "['192.0.2.9:1']");
	mt_peer(b, 9, "HomeDERP", "3");
	mt_peer(b, 9, "Key", "'" KEY_OF("99") "'");
	free(p);
	mt_free(a);
	mt_free(b);
}

/* What was true of the clock then is not true now; the first message of a stream replaces all. */
static void
cached_is_not_live(void **state)
{
	struct map_test *a = mt_new(), *b = idle();
	char text[300], *before, *after;
	struct ipc_self self;
	uint8_t *p;
	size_t n;

	(void)state;
	mt_ok(a, FULL);
	p = save(a, 1000, &n);
	netmap_seq_base(b->nm, 41);
	b->now.sec += 90 * 86400;
	assert_int_equal(load(b, p, n, n, text), IPC_CACHE_OK);
	assert_int_equal(netmap_source(b->nm), IPC_SRC_CACHED);
	assert_int_equal(netmap_clock_delta(b->nm), 0);
	assert_int_equal(netmap_seq(b->nm), 42);
	assert_int_equal(netmap_self(b->nm, &self), 1);
	/* A second one has no place; the first stays as it is. */
	before = mt_dump(b);
	assert_int_equal(load(b, p, n, n, text), IPC_CACHE_BAD);
	after = mt_dump(b);
	assert_string_equal(before, after);
	free(before);
	free(after);
	/* Streams without a message do not change it. */
	mt_session(b);
	assert_int_equal(netmap_source(b->nm), IPC_SRC_CACHED);
	mt_refused(b, "{'Domain':'no node'}", "no Node");
	mt_same(b, "{'KeepAlive':true}");
	netmap_session_end(b->nm);
	assert_int_equal(netmap_source(b->nm), IPC_SRC_CACHED);
	mt_session(b);
	mt_ok(b, "{" NODE_SELF ",'Domain':'new'}");
	assert_int_equal(netmap_source(b->nm), IPC_SRC_LIVE);
	mt_ids(b, "");
	mt_expect(b, "DERPMap", "null");
	mt_expect(b, "UserProfiles", "{}");
	mt_expect(b, "Seq", "43");
	assert_int_equal(load(b, p, n, n, text), IPC_CACHE_BAD);
	assert_int_equal(netmap_source(b->nm), IPC_SRC_LIVE);
	free(p);
	mt_free(a);
	mt_free(b);
}

/* --- damage --- */

static void
every_cut(void **state)
{
	struct map_test *a = mt_new(), *b = idle();
	struct cache_owner ident = owner();
	char text[300];
	uint8_t *p;
	size_t n, i;

	(void)state;
	mt_ok(a, FULL);
	p = save(a, 1000, &n);
	for (i = 0; i < n; i++) {
		if (i > 0) {
			assert_int_not_equal(load_as(b, &ident, p, i, n, 64, text),
			    IPC_CACHE_OK); /* shorter than it was */
			assert_int_not_equal(load(b, p, i, 64, text), IPC_CACHE_OK);
		}
		assert_int_equal(netmap_source(b->nm), IPC_SRC_NONE);
	}
	p[n] = 0;
	assert_int_equal(load_as(b, &ident, p, n + 1, n, 64, text), IPC_CACHE_BAD);
	assert_int_equal(load(b, p, n + 1, 64, text), IPC_CACHE_BAD);
	assert_int_equal(load(b, p, n, 64, text), IPC_CACHE_OK);
	free(p);
	mt_free(a);
	mt_free(b);
}

static void
every_byte_wrong(void **state)
{
	struct map_test *a = mt_new(), *b = idle();
	char text[300];
	uint8_t *p;
	size_t n, i;
	unsigned bit;

	(void)state;
	mt_ok(a, FULL);
	p = save(a, 1000, &n);
	for (i = 0; i < n; i++)
		for (bit = 0; bit < 8; bit += i < CACHE_HEAD ? 1 : 3) {
			p[i] ^= (uint8_t)(1u << bit);
			if (load(b, p, n, 4096, text) == IPC_CACHE_OK)
				fail_msg("byte %zu bit %u: taken", i, bit);
			assert_true(text[0] != '\0');
			assert_int_equal(netmap_source(b->nm), IPC_SRC_NONE);
			p[i] ^= (uint8_t)(1u << bit);
		}
	assert_int_equal(load(b, p, n, 4096, text), IPC_CACHE_OK);
	free(p);
	mt_free(a);
	mt_free(b);
}

static void
somebody_elses(void **state)
{
	struct map_test *a = mt_new(), *b = idle();
	struct cache_owner ident;
	char text[300];
	uint8_t *p;
	size_t n;

	(void)state;
	mt_ok(a, FULL);
	p = save(a, 1000, &n);
	ident = owner();
	ident.profile[31] ^= 1;
	assert_int_equal(load_as(b, &ident, p, n, n, n, text), IPC_CACHE_FOREIGN);
	assert_string_equal(text, "of another control server");
	ident = owner();
	ident.node_key.b[0] ^= 1;
	assert_int_equal(load_as(b, &ident, p, n, n, n, text), IPC_CACHE_FOREIGN);
	assert_string_equal(text, "of another node key");
	ident = owner();
	ident.machine_key.b[31] ^= 1;
	assert_int_equal(load_as(b, &ident, p, n, n, n, text), IPC_CACHE_FOREIGN);
	p[16] = 2;
	assert_int_equal(load(b, p, n, n, text), IPC_CACHE_BAD);
	assert_string_equal(text, "unsupported version: format 2");
	p[0] = 'T';
	assert_int_equal(load(b, p, n, n, text), IPC_CACHE_BAD);
	assert_string_equal(text, "not a netmap cache");
	assert_int_equal(netmap_source(b->nm), IPC_SRC_NONE);
	free(p);
	mt_free(a);
	mt_free(b);
}

/* A file whose frame and sums are right, around a text that is no netmap. */
static enum ipc_cache_result
load_text(const char *json, char *text)
{
	struct cache_owner ident = owner();
	struct map_test *b = idle();
	int fd = memory_file(), copy = dup(fd);
	struct cachewriter *w = cachewriter_new(copy, &ident, RECEIVED, IPC_CACHE_MAX);
	char *s = mt_quotes(json);
	enum ipc_cache_result r;
	uint8_t buf[4096];
	ssize_t n;

	assert_int_equal(cachewriter_put(w, s, strlen(s)), 0);
	assert_int_equal(cachewriter_end(w), 0);
	cachewriter_free(w);
	n = pread(fd, buf, sizeof(buf), 0);
	close(fd);
	r = load(b, buf, (size_t)n, 100, text);
	if (r != IPC_CACHE_OK)
		assert_int_equal(netmap_source(b->nm), IPC_SRC_NONE);
	free(s);
	mt_free(b);
	return r;
}

static void
not_a_netmap(void **state)
{
	static const char *const texts[] = { "", "null", "[]", "{}", "{'KeepAlive':true}", "{'Domain':'x'}",
		"{" NODE_SELF, "{" NODE_SELF "}{}", "{" NODE_SELF ",'Peers':[{'ID':'x'}]}",
		"{" NODE_SELF ",'KeepAlive':true}" };
	char text[300];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (load_text(texts[i], text) != IPC_CACHE_BAD)
			fail_msg("taken: %s", texts[i]);
		assert_true(text[0] != '\0');
	}
	/* Requests of a server in it are ignored. */
	assert_int_equal(load_text("{" NODE_SELF ",'Debug':{'Exit':3,'SleepSeconds':100},'PopBrowserURL':'https://x',"
				   "'PingRequest':{'URL':'http://x'}}",
			     text),
	    IPC_CACHE_OK);
}

/* --- writing that fails --- */

static void
no_room(void **state)
{
	struct cache_owner ident = owner();
	struct cachewriter *w = cachewriter_new(open("/dev/full", O_WRONLY), &ident, RECEIVED, IPC_CACHE_MAX);
	char text[4096];
	const char *why;
	uint64_t size;
	int i, fd, rv = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(cachewriter_put(w, text, sizeof(text)), -1);
	assert_int_equal(cachewriter_put(w, text, sizeof(text)), -1);
	assert_int_equal(cachewriter_end(w), -1);
	assert_int_equal(cachewriter_result(w, &why), IPC_CACHE_FAILED);
	assert_non_null(strstr(why, "No space"));
	cachewriter_free(w);
	fd = memory_file();
	w = cachewriter_new(dup(fd), &ident, RECEIVED, 100000);
	for (i = 0; i < 1000 && rv == 0; i++) {
		size_t k;

		for (k = 0; k < sizeof(text); k++)
			text[k] = (char)rand();
		rv = cachewriter_put(w, text, sizeof(text));
	}
	assert_int_equal(rv, -1);
	assert_int_equal(cachewriter_result(w, &why), IPC_CACHE_TOO_LARGE);
	assert_int_equal(cachewriter_end(w), -1);
	size = cachewriter_size(w);
	assert_true(size <= 100000 && lseek(fd, 0, SEEK_END) == (off_t)size);
	cachewriter_free(w);
	close(fd);
}

/* The map changes while it is written: the file has the map of the beginning. */
static void
written_while_it_changes(void **state)
{
	struct map_test *a = mt_new(), *b = idle(), *then = mt_new();
	struct cache_owner ident = owner();
	int fd = memory_file();
	struct cachewriter *w = cachewriter_new(dup(fd), &ident, RECEIVED, IPC_CACHE_MAX);
	struct mapresp resp;
	struct pb out = { 0 };
	char text[300];
	uint8_t buf[8192];
	ssize_t n;
	int i, more;

	(void)state;
	mt_ok(a, FULL);
	mt_ok(then, FULL);
	assert_int_equal(mapresp_begin(&resp, a->nm), 0);
	for (i = 0, more = 1; more; i++) {
		out.n = 0;
		more = mapresp_more(&resp, &out, 1);
		assert_int_equal(cachewriter_put(w, out.p, out.n), 0);
		if (i == 1)
			mt_ok(a, "{'PeersRemoved':[9],'PeersChanged':[" PEER("8", "8", "88", "") "],'Domain':'later'}");
		if (i == 3)
			mt_ok(a,
			    "{'Peers':[" PEER("6", "6", "66", "") "],'UserProfiles':[{'ID':10,'LoginName':'other'}]}");
	}
	mapresp_end(&resp);
	assert_int_equal(cachewriter_end(w), 0);
	cachewriter_free(w);
	n = pread(fd, buf, sizeof(buf), 0);
	close(fd);
	assert_int_equal(load(b, buf, (size_t)n, 100, text), IPC_CACHE_OK);
	same_map(then, b);
	mt_ids(a, "6");
	pb_free(&out);
	mt_free(a);
	mt_free(b);
	mt_free(then);
}

/* The hash in them has an alignment of its own; several, since any of them may be aligned by chance. */
static void
on_their_boundary(void **state)
{
	struct map_test *m = mt_new();
	struct cache_owner ident = owner();
	struct cachewriter *w[8];
	struct cachereader *r[8];
	size_t i;

	(void)state;
	for (i = 0; i < 8; i++) {
		w[i] = cachewriter_new(memory_file(), &ident, RECEIVED, IPC_CACHE_MAX);
		r[i] = cachereader_new(m->g, &ident, 1000, 1000);
		assert_int_equal((uintptr_t)w[i] % _Alignof(crypto_generichash_state), 0);
		assert_int_equal((uintptr_t)r[i] % _Alignof(crypto_generichash_state), 0);
	}
	for (i = 0; i < 8; i++) {
		cachewriter_free(w[i]);
		cachereader_free(r[i]);
	}
	mt_free(m);
}

static void
nothing_to_write(void **state)
{
	struct map_test *m = mt_new();
	struct mapresp resp;

	(void)state;
	assert_int_equal(mapresp_begin(&resp, m->nm), -1);
	mapresp_end(&resp);
	mt_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was),
		cmocka_unit_test(small_maps),
		cmocka_unit_test(marks_are_not_saved),
		cmocka_unit_test(cached_is_not_live),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(every_byte_wrong),
		cmocka_unit_test(somebody_elses),
		cmocka_unit_test(not_a_netmap),
		cmocka_unit_test(no_room),
		cmocka_unit_test(written_while_it_changes),
		cmocka_unit_test(on_their_boundary),
		cmocka_unit_test(nothing_to_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
