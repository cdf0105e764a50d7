/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>
#include <unistd.h>

#include "jsonparse.h"
#include "unit.h"

#include "status.h"
#include "util_parentsim.h"

static int
setup(void **state)
{
	*state =
	    ps_new("server-key mkey:1111111111111111111111111111111111111111111111111111111111111111\nlogin manual\n");
	return 0;
}

static int
teardown(void **state)
{
	ps_free(*state);
	return 0;
}

static struct json_object *
status_of(struct psim *s)
{
	const char *text = ps_ask(s, "status");
	char err[100];
	struct json_object *o = json_parse(text, strlen(text), NULL, err, sizeof(err));

	assert_non_null(o);
	return o;
}

/* The text of one member as JSON. */
static const char *
member(struct json_object *o, const char *name)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, name, &v))
		fail_msg("no %s", name);
	return json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}
#define MEMBER(o, name, text) assert_string_equal(member(o, name), text)

/* rows: STAT-06 */
static void
keys_of_interface_4(void **state)
{
	static const char *const names[] = { "v", "version", "state", "loggedIn", "synced", "paused", "goal",
		"authCantContinue", "url", "err", "errSource", "errCause", "controlURL", "serverKey",
		"capabilityVersion", "machineKey", "nodeKey", "oldNodeKey", "discoKey", "expiry", "keyExpired",
		"machineAuthorized", "user", "self", "peers", "netmapSeq", "netmapSource", "netmapAgeSeconds",
		"lastMessageAgeSeconds", "mapStreamAgeSeconds", "mapStreams", "health", "hostinfo", "endpoints" };
	struct json_object *o = status_of(*state);
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		member(o, names[i]);
	MEMBER(o, "v", "1");
	MEMBER(o, "state", "\"state:new\"");
	MEMBER(o, "goal", "null");
	MEMBER(o, "user", "null");
	MEMBER(o, "self", "null");
	MEMBER(o, "nodeKey", "\"\"");
	MEMBER(o, "expiry", "\"\"");
	MEMBER(o, "authCantContinue", "true");
	MEMBER(o, "netmapSource", "\"none\"");
	MEMBER(o, "netmapAgeSeconds", "null");
	MEMBER(o, "lastMessageAgeSeconds", "null");
	MEMBER(o, "mapStreamAgeSeconds", "null");
	MEMBER(o, "mapStreams", "0");
	MEMBER(o, "endpoints", "[]");
	assert_int_equal(strncmp(member(o, "machineKey"), "\"mkey:", 6), 0);
	assert_null(strstr(ps_ask(*state, "status"), "privkey"));
	json_object_put(o);
}

/* rows: STAT-01 */
static void
goal_and_url(void **state)
{
	struct psim *s = *state;
	struct login_event e = { .type = LE_REG };
	struct json_object *o;

	ps_ask(s, "login interactive ephemeral");
	o = status_of(s);
	MEMBER(o, "state", "\"state:authenticating\"");
	MEMBER(o, "goal", "{\"wantLoggedIn\":true,\"url\":\"\",\"flags\":[\"interactive\",\"ephemeral\"]}");
	MEMBER(o, "authCantContinue", "false");
	json_object_put(o);
	e.id = s->p.login.op_id;
	e.u.reg.outcome = IPC_REG_URL;
	e.u.reg.url = "https://c/\"a";
	e.u.reg.err = "";
	parent_event(&s->p, &e);
	o = status_of(s);
	MEMBER(o, "state", "\"state:url-visit-required\"");
	MEMBER(o, "url", "\"https://c/\\\"a\"");
	MEMBER(o, "authCantContinue", "true");
	json_object_put(o);
}

/* rows: STAT-03 SHUT-03 */
static void
events_of_changes_only(void **state)
{
	struct psim *s = *state;
	int fd = ps_connect(s);
	struct buf b;
	size_t first;

	buf_init(&b, PS_MAX_ANSWER);
	assert_int_equal(write(fd, "watch\n", 6), 6);
	assert_int_equal(ps_read(s, fd, &b), 0);
	assert_memory_equal(buf_ptr(&b), "{\"v\":1,\"seq\":1,\"time\":\"", 23);
	assert_non_null(
	    memmem(buf_ptr(&b), buf_len(&b), "\"event\":\"status\",\"loginFinished\":false,\"status\":{\"v\":1,", 54));
	first = buf_len(&b);
	status_changed(s->p.control); /* it did not */
	s->p.netmap.peers = 5;        /* this alone is none (interface.md 6) */
	s->p.netmap.seq++;
	status_changed(s->p.control);
	assert_int_equal(ps_read(s, fd, &b), 0);
	assert_int_equal(buf_len(&b), first);
	ps_ask(s, "pause");
	ps_ask(s, "pause");
	assert_int_equal(ps_read(s, fd, &b), 0);
	assert_non_null(memmem(buf_ptr(&b), buf_len(&b), "{\"v\":1,\"seq\":2,", 15));
	assert_null(memmem(buf_ptr(&b), buf_len(&b), "\"seq\":3,", 8)); /* the second pause changed nothing */
	first = buf_len(&b);
	s->p.stopping = 1;
	s->p.login.synced = 1;
	status_changed(s->p.control);
	assert_int_equal(ps_read(s, fd, &b), 0);
	assert_int_equal(buf_len(&b), first);
	close(fd);
	buf_free(&b);
}

/* A watcher that starts while a change is pending receives it, also if it is undone before the others would get it. */
/* rows: STAT-01 STAT-03 */
static void
begun_in_between(void **state)
{
	struct psim *s = *state;
	const char *at = NULL, *p;
	struct buf b;
	int fd;

	buf_init(&b, PS_MAX_ANSWER);
	s->p.netmap.source = IPC_SRC_STALE;
	status_now(s->p.control);
	s->p.netmap.source = IPC_SRC_CACHED;
	status_changed(s->p.control);
	fd = ps_connect(s);
	assert_int_equal(write(fd, "watch\n", 6), 6);
	assert_int_equal(ps_read(s, fd, &b), 0);
	assert_non_null(memmem(buf_ptr(&b), buf_len(&b), "\"netmapSource\":\"cached\"", 23));
	s->p.netmap.source = IPC_SRC_STALE;
	status_changed(s->p.control);
	usleep(50000);
	assert_int_equal(ps_read(s, fd, &b), 0);
	buf_putc(&b, '\0');
	for (p = (const char *)buf_ptr(&b); (p = strstr(p, "\"netmapSource\":")) != NULL; p++)
		at = p;
	assert_non_null(at);
	assert_int_equal(strncmp(at, "\"netmapSource\":\"stale\"", 22), 0);
	close(fd);
	buf_free(&b);
}

/* A server with a thousand changes a second: a client that reads a little later has the final state. */
/* rows: STAT-01 */
static void
changes_without_an_end(void **state)
{
	struct psim *s = *state;
	int fd = ps_connect(s), i;
	const char *at = NULL, *p;
	struct buf b;

	buf_init(&b, 2 * PS_MAX_ANSWER);
	assert_int_equal(write(fd, "watch\n", 6), 6);
	assert_int_equal(ps_read(s, fd, &b), 0);
	for (i = 1; i <= 20001; i++) { /* ends paused */
		s->p.login.paused = i & 1;
		status_changed(s->p.control);
	}
	usleep(30000);
	assert_int_equal(ps_read(s, fd, &b), 0); /* 1: closed */
	buf_putc(&b, '\0');
	for (i = 0, p = (const char *)buf_ptr(&b); (p = strstr(p, "\"event\":\"status\"")) != NULL; p++, i++)
		at = p;
	assert_in_range(i, 400, 2000);
	assert_non_null(strstr(at, "\"paused\":true"));
	close(fd);
	buf_free(&b);
}

/* rows: STAT-01 */
static void
login_finished_once(void **state)
{
	struct psim *s = *state;
	struct login_event e = { .type = LE_REG };
	const char *at;
	int fd = ps_connect(s);
	struct buf b;

	buf_init(&b, PS_MAX_ANSWER);
	assert_int_equal(write(fd, "watch\n", 6), 6);
	ps_read(s, fd, &b);
	ps_ask(s, "login");
	e.id = s->p.login.op_id;
	e.u.reg.outcome = IPC_REG_OK;
	e.u.reg.url = e.u.reg.err = "";
	e.u.reg.user = (struct login_user){ INT64_C(9007199254740993), "anna", "Anna", "" };
	parent_event(&s->p, &e);
	ps_ask(s, "pause");
	ps_read(s, fd, &b);
	buf_putc(&b, '\0');
	at = strstr((const char *)buf_ptr(&b), "\"loginFinished\":true");
	assert_non_null(at);
	assert_non_null(strstr(at, "\"state\":\"state:authenticated\""));
	assert_non_null(
	    strstr(at, "\"user\":{\"ID\":\"9007199254740993\",\"LoginName\":\"anna\"")); /* above 2^53, as text */
	assert_null(strstr(at + 1, "\"loginFinished\":true"));
	close(fd);
	buf_free(&b);
}

static void
error_and_source(void **state)
{
	struct psim *s = *state;
	struct login_event e = { .type = LE_REG };
	struct json_object *o;

	ps_ask(s, "login");
	e.id = s->p.login.op_id;
	e.u.reg.outcome = IPC_REG_REFUSED;
	e.u.reg.url = "";
	e.u.reg.err = "no such key";
	parent_event(&s->p, &e);
	o = status_of(s);
	MEMBER(o, "err",
	    "\"no such key; ask the administrator of the server, or log in again: `tailnetctl login interactive`\"");
	MEMBER(o, "errSource", "\"auth\"");
	json_object_put(o);
	ps_ask(s, "pause");
	o = status_of(s);
	MEMBER(o, "err", "\"\"");
	MEMBER(o, "errSource", "\"\"");
	json_object_put(o);
}

static void
metrics_and_processes(void **state)
{
	static const char *const names[] = { "tailnetd_state{state=\"", "tailnetd_logged_in 0", "tailnetd_synced 0",
		"tailnetd_paused 0", "tailnetd_netmap_peers 0", "tailnetd_map_streams_total 0",
		"tailnetd_map_messages_total{kind=\"full\"} 0", "tailnetd_map_bytes_total{layer=\"wire\"} 0",
		"tailnetd_register_requests_total{result=\"", "tailnetd_lite_updates_total{result=\"",
		"tailnetd_dials_total{result=\"", "tailnetd_child_restarts_total{name=\"mapd\"} 0",
		"tailnetd_health{code=\"", "tailnetd_build_info{version=\"" };
	const char *text = ps_ask(*state, "metrics");
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strstr(text, names[i]) == NULL)
			fail_msg("no %s", names[i]);
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	text = ps_ask(*state, "processes");
	assert_int_equal(strncmp(text, "[{\"name\":\"tailnetd\",\"pid\":", 26), 0);
	assert_non_null(strstr(text, "{\"name\":\"authd\",\"pid\":null,"));
	assert_non_null(strstr(text, "{\"name\":\"mapd\",\"pid\":null,"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keys_of_interface_4, setup, teardown),
		cmocka_unit_test_setup_teardown(goal_and_url, setup, teardown),
		cmocka_unit_test_setup_teardown(events_of_changes_only, setup, teardown),
		cmocka_unit_test_setup_teardown(begun_in_between, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_without_an_end, setup, teardown),
		cmocka_unit_test_setup_teardown(login_finished_once, setup, teardown),
		cmocka_unit_test_setup_teardown(error_and_source, setup, teardown),
		cmocka_unit_test_setup_teardown(metrics_and_processes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
