/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/utsname.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "hostinfo.h"
#include "json.h"
#include "jsonparse.h"
#include "sysinfo.h"
#include "unit.h"

#define URL "control-url https://hs.example.com\n"

static struct config *
conf(const char *more)
{
	static struct config c;
	char text[4096], err[400];

	snprintf(text, sizeof(text), URL "%s", more);
	if (config_parse("t", text, strlen(text), &c, err, sizeof(err)) == -1)
		fail_msg("%s", err);
	return &c;
}

static const struct state *
state_with_id(void)
{
	static struct state st;

	snprintf(st.backend_log_id, sizeof(st.backend_log_id), "0123abcd");
	return &st;
}

/* The built text, parsed. */
static struct json_object *
built(const struct config *c, const struct hostinfo_set *set)
{
	struct json_object *o;
	struct buf b;
	char err[200];

	buf_init(&b, 1 << 18);
	assert_int_equal(hostinfo_build(c, state_with_id(), set, &b), 0);
	o = json_parse((const char *)buf_ptr(&b), buf_len(&b), NULL, err, sizeof(err));
	assert_non_null(o);
	buf_free(&b);
	return o;
}

static void
is_str(struct json_object *o, const char *name, const char *want)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, name, &v);
	if (v == NULL || strcmp(json_object_get_string(v), want) != 0)
		fail_msg("%s is %s, not %s", name, v == NULL ? "absent" : json_object_get_string(v), want);
}

static void
absent(struct json_object *o, const char *name)
{
	assert_false(json_object_object_get_ex(o, name, NULL));
}

static int
set(struct hostinfo_set *s, int netinfo, const char *text)
{
	char err[300] = "";
	int changed = -1;

	if (hostinfo_set(s, netinfo, text, strlen(text), &changed, err, sizeof(err)) == -1)
		fail_msg("%s: %s", text, err);
	return changed;
}

static void
refused(struct hostinfo_set *s, int netinfo, const char *text, const char *want)
{
	char err[300] = "";
	int changed = -1;

	assert_int_equal(hostinfo_set(s, netinfo, text, strlen(text), &changed, err, sizeof(err)), -1);
	assert_int_equal(changed, 0);
	if (strstr(err, want) == NULL)
		fail_msg("%s: \"%s\" is not in \"%s\"", text, want, err);
}

static void
test_collected(void **unused)
{
	struct hostinfo_set none = { NULL, NULL };
	struct json_object *o = built(conf(""), &none);
	struct utsname u;
	char host[256];

	(void)unused;
	assert_int_equal(uname(&u), 0);
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	host[strcspn(host, ".")] = '\0';
	is_str(o, "IPNVersion", "0.1.0-tailnetd");
	is_str(o, "BackendLogID", "0123abcd");
	is_str(o, "OSVersion", u.release);
	is_str(o, "Machine", u.machine);
	is_str(o, "Hostname", host);
#ifdef __linux__
	is_str(o, "OS", "linux");
	assert_true(json_object_object_get_ex(o, "Container", NULL));
#endif
#ifdef __x86_64__
	is_str(o, "GoArch", "amd64");
#endif
	absent(o, "RoutableIPs");
	absent(o, "RequestTags");
	absent(o, "NetInfo");
	json_object_put(o);
}

/* rows: REG-11 */
static void
test_from_configuration(void **unused)
{
	struct hostinfo_set none = { NULL, NULL };
	struct json_object *o =
	    built(conf("hostname box.example.com\nadvertise-routes 10.0.0.0/8 ::/0\nadvertise-tags tag:a tag:b\n"),
		&none);
	struct state empty;
	struct buf b;

	(void)unused;
	is_str(o, "Hostname", "box"); /* first label only */
	is_str(o, "RoutableIPs", "[ \"10.0.0.0\\/8\", \"::\\/0\" ]");
	is_str(o, "RequestTags", "[ \"tag:a\", \"tag:b\" ]");
	json_object_put(o);
	memset(&empty, 0, sizeof(empty));
	buf_init(&b, 65536);
	assert_int_equal(hostinfo_build(conf(""), &empty, &none, &b), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(buf_len(&b), 0);
	buf_free(&b);
	buf_init(&b, 40);
	assert_int_equal(hostinfo_build(conf(""), state_with_id(), &none, &b), -1);
	buf_free(&b);
}

static void
test_same_text_every_time(void **unused)
{
	struct hostinfo_set s = { NULL, NULL };
	struct buf a, b;

	(void)unused;
	set(&s, 0, "{\"App\":\"x\",\"OS\":\"plan9\"}");
	set(&s, 1, "{\"PreferredDERP\":3}");
	buf_init(&a, 65536);
	buf_init(&b, 65536);
	assert_int_equal(hostinfo_build(conf("advertise-tags tag:a\n"), state_with_id(), &s, &a), 0);
	assert_int_equal(hostinfo_build(conf("advertise-tags tag:a\n"), state_with_id(), &s, &b), 0);
	assert_int_equal(buf_len(&a), buf_len(&b));
	assert_memory_equal(buf_ptr(&a), buf_ptr(&b), buf_len(&a));
	buf_free(&a);
	buf_free(&b);
	hostinfo_set_free(&s);
}

static void
test_set_replaces(void **unused)
{
	const struct config *c = conf("hostname box\nadvertise-routes 10.0.0.0/8\nadvertise-tags tag:a\n");
	struct hostinfo_set s = { NULL, NULL };
	struct json_object *o;

	(void)unused;
	assert_int_equal(set(&s, 0, "{}"), 0);
	assert_int_equal(set(&s, 0, "{\"hostname\":\"other\",\"RoutableIPs\":[],\"x-Own\":{\"a\":1}}"), 1);
	assert_int_equal(set(&s, 0, "{\"Hostname\":\"other\"}"), 0); /* the same again */
	assert_int_equal(set(&s, 0, "{\"Services\":[{\"Proto\":\"tcp\",\"Port\":22}]}"), 1);
	o = built(c, &s);
	is_str(o, "Hostname", "other"); /* under its exact name, once */
	absent(o, "hostname");
	is_str(o, "RoutableIPs", "[ ]"); /* interface.md 3: withdrawn */
	is_str(o, "RequestTags", "[ \"tag:a\" ]");
	is_str(o, "x-Own", "{ \"a\": 1 }");
	is_str(o, "Services", "[ { \"Proto\": \"tcp\", \"Port\": 22 } ]");
	json_object_put(o);
	assert_int_equal(set(&s, 0, "{\"RoutableIPs\":null,\"Hostname\":null}"), 1);
	assert_int_equal(set(&s, 0, "{\"RoutableIPs\":null,\"Nothing\":null}"), 0);
	o = built(c, &s);
	is_str(o, "Hostname", "box");
	is_str(o, "RoutableIPs", "[ \"10.0.0.0\\/8\" ]");
	json_object_put(o);
	hostinfo_set_free(&s);
	hostinfo_set_free(&s);
}

/* rows: LITE-02 */
static void
test_netinfo_is_apart(void **unused)
{
	struct hostinfo_set s = { NULL, NULL };
	struct json_object *o, *ni;

	(void)unused;
	assert_int_equal(set(&s, 1, "{\"PreferredDERP\":3,\"WorkingUDP\":true}"), 1);
	assert_int_equal(set(&s, 0, "{\"App\":\"x\"}"), 1);
	assert_int_equal(set(&s, 0, "{\"NetInfo\":null}"), 0);
	refused(&s, 0, "{\"NetInfo\":{\"PreferredDERP\":4}}", "set netinfo");
	o = built(conf(""), &s);
	is_str(o, "App", "x");
	assert_true(json_object_object_get_ex(o, "NetInfo", &ni));
	is_str(ni, "PreferredDERP", "3");
	is_str(ni, "WorkingUDP", "true");
	json_object_put(o);
	assert_int_equal(set(&s, 1, "{\"PreferredDERP\":5}"), 1);
	o = built(conf(""), &s);
	is_str(o, "App", "x");
	assert_true(json_object_object_get_ex(o, "NetInfo", &ni));
	is_str(ni, "PreferredDERP", "5");
	is_str(ni, "WorkingUDP", "true");
	json_object_put(o);
	/* protocol.md F.2: changed latencies alone are not reported, but stored */
	assert_int_equal(set(&s, 1, "{\"DERPLatency\":{\"1-v4\":0.012}}"), 0);
	o = built(conf(""), &s);
	assert_true(json_object_object_get_ex(o, "NetInfo", &ni));
	is_str(ni, "DERPLatency", "{ \"1-v4\": 0.012 }");
	json_object_put(o);
	hostinfo_set_free(&s);
	assert_int_equal(set(&s, 1, "{\"DERPLatency\":{\"1-v4\":0.012}}"), 1);
	hostinfo_set_free(&s);
}

static void
test_refused(void **unused)
{
	static const struct {
		int netinfo;
		const char *text, *want;
	} cases[] = {
		{ 0, "", "JSON object" },
		{ 0, "null", "JSON object" },
		{ 0, "[]", "JSON object" },
		{ 0, "{", "JSON object" },
		{ 0, "{} x", "JSON object" },
		{ 0, "{\"OS\":5}", "OS must be a string" },
		{ 0, "{\"os\":{}}", "OS must be a string" },
		{ 0, "{\"ShieldsUp\":\"yes\"}", "true or false" },
		{ 0, "{\"Container\":1}", "true or false" },
		{ 0, "{\"RoutableIPs\":\"10.0.0.0/8\"}", "prefixes" },
		{ 0, "{\"RoutableIPs\":[\"10.0.0.1/8\"]}", "prefixes" },
		{ 0, "{\"RoutableIPs\":[null]}", "prefixes" },
		{ 0, "{\"RoutableIPs\":[\"10.0.0.0/8\\u0000\"]}", "prefixes" },
		{ 0, "{\"RequestTags\":[1]}", "array of strings" },
		{ 0, "{\"Services\":{}}", "an array" },
		{ 0, "{\"Location\":[]}", "an object" },
		{ 0, "{\"BackendLogID\":\"\"}", "BackendLogID" },
		{ 1, "{\"PreferredDERP\":\"1\"}", "an integer" },
		{ 1, "{\"PreferredDERP\":1.5}", "an integer" },
		{ 1, "{\"DERPLatency\":{\"1\":\"x\"}}", "numbers" },
		{ 1, "{\"DERPLatency\":[]}", "numbers" },
		{ 1, "{\"WorkingUDP\":0}", "true or false" },
	};
	struct hostinfo_set s = { NULL, NULL };
	char *big = malloc(HOSTINFO_TEXT_MAX + 2), err[300];
	int changed;
	size_t i;

	(void)unused;
	set(&s, 0, "{\"App\":\"kept\"}");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refused(&s, cases[i].netinfo, cases[i].text, cases[i].want);
	refused(&s, 0, "{\"App\":\"lost\",\"OS\":5}", "OS"); /* all or nothing */
	assert_string_equal(json_object_get_string(json_get(s.hostinfo, "App", NULL)), "kept");
	assert_null(s.netinfo);
	assert_non_null(big);
	memset(big, ' ', HOSTINFO_TEXT_MAX + 1);
	big[0] = '{';
	big[HOSTINFO_TEXT_MAX] = '}';
	assert_int_equal(hostinfo_set(&s, 0, big, HOSTINFO_TEXT_MAX + 1, &changed, err, sizeof(err)), -1);
	big[HOSTINFO_TEXT_MAX - 1] = '}';
	assert_int_equal(hostinfo_set(&s, 0, big, HOSTINFO_TEXT_MAX, &changed, err, sizeof(err)), 0);
	free(big);
	hostinfo_set_free(&s);
}

static void
test_os_release(void **unused)
{
	static const char text[] = "NAME=\"x\"\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME='book "
				   "worm'\nQ=\"a\\\"b\\\\c\"\nE=\nOPEN=\"abc\nLAST=z";
	char out[16];

	(void)unused;
#define GET(key) (sysinfo_os_release(text, sizeof(text) - 1, key, out, sizeof(out)), out)
	assert_string_equal(GET("ID"), "debian");
	assert_string_equal(GET("VERSION_ID"), "12");
	assert_string_equal(GET("VERSION_CODENAME"), "book worm");
	assert_string_equal(GET("Q"), "a\"b\\c");
	assert_string_equal(GET("E"), "");
	assert_string_equal(GET("OPEN"), "abc");
	assert_string_equal(GET("LAST"), "z");
	assert_string_equal(GET("NONE"), "");
	assert_int_equal(sysinfo_os_release("ID=0123456789abcdef\n", 20, "ID", out, sizeof(out)), 0);
	assert_string_equal(out, "");
	assert_int_equal(sysinfo_os_release("", 0, "ID", out, sizeof(out)), 0);
	assert_true(sysinfo_cgroup_is_container("0::/docker/abc\n", 15));
	assert_false(sysinfo_cgroup_is_container("0::/init.scope\n", 15));
}

#ifdef __linux__
static int
forward(int v4, int v6)
{
	static const char *const paths[] = { "/proc/sys/net/ipv4/ip_forward",
		"/proc/sys/net/ipv6/conf/all/forwarding" };
	const int on[] = { v4, v6 };
	int i, fd, ok = 1;

	for (i = 0; i < 2; i++) {
		fd = open(paths[i], O_WRONLY);
		ok &= fd != -1 && write(fd, on[i] ? "1\n" : "0\n", 2) == 2;
		close(fd);
	}
	return ok ? 0 : -1;
}

/* rows: LITE-07 */
static void
test_forwarding(void **unused)
{
	static const struct {
		const char *set, *conf; /* RoutableIPs of `set hostinfo`, "" = none; the configuration */
		int v4, v6;             /* is such a family missing what it needs */
	} cases[] = {
		{ "", "", 0, 0 }, { "", "advertise-routes 10.0.0.0/8\n", 1, 0 },
		{ "", "advertise-routes 10.0.0.0/8 2001:db8::/32\n", 1, 1 }, { "[\"192.0.2.0/24\"]", "", 1, 0 },
		{ "[\"2001:db8::/32\"]", "", 0, 1 }, { "[\"2001:db8::/32\",\"0.0.0.0/0\"]", "", 1, 1 },
		{ "[]", "advertise-routes 10.0.0.0/8\n", 0, 0 }, /* what is set counts, also when it is nothing */
		{ "[\"::/0\"]", "advertise-routes 10.0.0.0/8\n", 0, 1 },
		{ "null", "advertise-routes 10.0.0.0/8\n", 1, 0 }, /* taken back */
	};
	size_t i;
	int on;

	(void)unused;
	if (unshare(CLONE_NEWNET) == -1 || forward(0, 0) == -1) {
		print_message("not permitted to change a network namespace\n");
		skip();
	}
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct config *c = conf(cases[i].conf);
		struct hostinfo_set s = { NULL, NULL };
		char text[200];

		snprintf(text, sizeof(text), "{\"RoutableIPs\":%s}", cases[i].set);
		if (cases[i].set[0] != '\0')
			set(&s, 0, text);
		for (on = 0; on < 4; on++) {
			assert_int_equal(forward(on & 1, on & 2), 0);
			assert_int_equal(hostinfo_forwarding_broken(c, &s),
			    (cases[i].v4 && !(on & 1)) || (cases[i].v6 && !(on & 2)));
		}
		hostinfo_set_free(&s);
	}
}
#endif

/* interface.md 3: what is set is bounded as a whole; the old is kept, and Hostinfo can always be built. */
static void
test_all_that_is_set(void **state)
{
	static char text[HOSTINFO_TEXT_MAX];
	struct hostinfo_set s = { 0 };
	struct config c;
	struct state st = { 0 };
	struct buf before, after;
	char err[300];
	int changed, i, n, rv;

	(void)state;
	memset(&c, 0, sizeof(c));
	snprintf(st.backend_log_id, sizeof(st.backend_log_id), "0123");
	buf_init(&before, 256 * 1024);
	buf_init(&after, 256 * 1024);
	for (i = 0, rv = 0; rv == 0; i++) {
		n = snprintf(text, sizeof(text), "{\"more%d\":\"", i);
		memset(text + n, 'x', 40000);
		snprintf(text + n + 40000, 8, "\"}");
		rv = hostinfo_set(&s, i % 2, text, strlen(text), &changed, err, sizeof(err));
		assert_int_equal(hostinfo_build(&c, &st, &s, &after), 0);
		if (rv == 0) {
			buf_reset(&before);
			buf_put(&before, buf_ptr(&after), buf_len(&after));
		}
		if (rv == 0 || i > 4)
			buf_reset(&after);
		assert_true(i < 5);
	}
	assert_int_equal(i, 4); /* three of 40,000 bytes are what fits */
	assert_int_equal(rv, HOSTINFO_TOO_LARGE);
	assert_non_null(strstr(err, "larger than 131072 bytes"));
	assert_int_equal(changed, 0);
	assert_int_equal(buf_len(&before), buf_len(&after));
	assert_memory_equal(buf_ptr(&before), buf_ptr(&after), buf_len(&before));
	assert_int_equal(hostinfo_set(&s, 0, "{\"more0\":null}", 14, &changed, err, sizeof(err)), 0);
	assert_int_equal(hostinfo_set(&s, 1, text, strlen(text), &changed, err, sizeof(err)), 0);
	buf_free(&before);
	buf_free(&after);
	hostinfo_set_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_that_is_set),
		cmocka_unit_test(test_collected),
		cmocka_unit_test(test_from_configuration),
		cmocka_unit_test(test_same_text_every_time),
		cmocka_unit_test(test_set_replaces),
		cmocka_unit_test(test_netinfo_is_apart),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_os_release),
#ifdef __linux__
		cmocka_unit_test(test_forwarding),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
