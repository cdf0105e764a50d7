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
#include "timefmt.h"
#include "when.h"

/* No user is needed: a login with the existing node key waits for the server, or for unpause (after a restart). */
static int
resumes(struct json_object *st)
{
	struct json_object *goal;

	return jstr(st, "nodeKey")[0] != '\0' && json_get_obj(st, "goal", &goal) == 1 && jbool(goal, "wantLoggedIn");
}

static int
has_high_health(struct json_object *st)
{
	struct json_object *list;
	size_t i;

	if (json_get_arr(st, "health", &list) != 1)
		return 0;
	for (i = 0; i < json_object_array_length(list); i++)
		if (strcmp(jstr(json_object_array_get_idx(list, i), "severity"), "high") == 0)
			return 1;
	return 0;
}

/* As interface.md 8 says: the first that holds of 3, 4 (those before there is a status), 7, 5, 6, 1. */
int
status_exit(struct json_object *st, int64_t now)
{
	int64_t expiry;

	if (jbool(st, "keyExpired"))
		return CTL_EXPIRY;
	if (jtime(st, "expiry", &expiry) && expiry <= now + CTL_EXPIRY_WARN)
		return CTL_EXPIRY;
	if (jstr(st, "url")[0] != '\0' || (!jbool(st, "loggedIn") && !resumes(st)))
		return CTL_LOGIN;
	if (!jbool(st, "synced") || strcmp(jstr(st, "netmapSource"), "live") != 0)
		return CTL_SYNC;
	return has_high_health(st) ? CTL_ERROR : CTL_OK;
}

static const char *
state_name(struct json_object *st)
{
	const char *state = jstr(st, "state");

	return strncmp(state, "state:", 6) == 0 ? state + 6 : state;
}

void
status_state(struct json_object *st, char *out, size_t outsize)
{
	const char *source = jstr(st, "netmapSource");
	int64_t peers = ji64(st, "peers");
	size_t n;

	strlcpy(out, state_name(st), outsize);
	if (jbool(st, "paused"))
		strlcat(out, ", paused", outsize);
	if (jbool(st, "keyExpired"))
		strlcat(out, ", node key expired", outsize);
	if (source[0] == '\0' || strcmp(source, "none") == 0)
		return;
	n = strlen(out);
	snprintf(out + n, outsize - n, ", %" PRId64 " peer%s", peers, peers == 1 ? "" : "s");
	if (strcmp(source, "live") != 0) {
		strlcat(out, " ", outsize);
		strlcat(out, source, outsize);
	}
}

enum color
status_color(struct json_object *st)
{
	if (jbool(st, "keyExpired"))
		return COLOR_BAD;
	if (jbool(st, "paused") || !jbool(st, "loggedIn"))
		return COLOR_WARN;
	return jbool(st, "synced") ? COLOR_GOOD : COLOR_WARN;
}

static void
show_machine(struct ctl *c, struct json_object *st)
{
	struct json_object *self, *user;
	char text[600], name[150], list[400];

	if (json_get_obj(st, "self", &self) == 1) {
		node_name(self, name, sizeof(name));
		node_addresses(self, "  ", list, sizeof(list));
		snprintf(text, sizeof(text), "%s  %s", name, list);
		out_field(c, "This node", text);
	}
	if (json_get_obj(st, "user", &user) == 1) {
		snprintf(text, sizeof(text), "%.250s  %.250s", jstr(user, "LoginName"), jstr(user, "DisplayName"));
		out_field(c, "User", text);
	}
	if (jbool(st, "loggedIn") && !jbool(st, "machineAuthorized"))
		out_field_color(c, "Approval", COLOR_WARN, "this machine waits for an administrator's approval");
	out_field(c, "Node key", jstr(st, "nodeKey"));
}

static void
show_expiry(struct ctl *c, struct json_object *st)
{
	char when[WHEN_MAX], date[WHEN_MAX], text[3 * WHEN_MAX];
	int64_t t;

	if (!jtime(st, "expiry", &t))
		return;
	snprintf(text, sizeof(text), "%s (%s)", when_text(t, c->now, when), date_text(t, date));
	out_field_color(c, jbool(st, "keyExpired") ? "Expired" : "Expires",
	    t <= c->now                         ? COLOR_BAD
		: t <= c->now + CTL_EXPIRY_WARN ? COLOR_WARN
						: COLOR_NONE,
	    text);
}

static void
show_stream(struct ctl *c, struct json_object *st)
{
	char span[WHEN_MAX], text[200];
	double age;

	if (jnum(st, "mapStreamAgeSeconds", &age)) {
		snprintf(text, sizeof(text), "open for %s", span_text(age, span));
		if (jnum(st, "lastMessageAgeSeconds", &age)) {
			strlcat(text, ", last message ", sizeof(text));
			strlcat(text, span_text(age, span), sizeof(text));
			strlcat(text, " ago", sizeof(text));
		}
		out_field(c, "Map stream", text);
	}
	if (jnum(st, "netmapAgeSeconds", &age)) {
		snprintf(text, sizeof(text), "%.20s, changed %s ago, seq %" PRId64, jstr(st, "netmapSource"),
		    span_text(age, span), ji64(st, "netmapSeq"));
		out_field(c, "Netmap", text);
	}
}

static void
show_health(struct ctl *c, struct json_object *st)
{
	struct json_object *list, *h;
	char text[900];
	size_t i;

	if (json_get_arr(st, "health", &list) != 1)
		return;
	for (i = 0; i < json_object_array_length(list); i++) {
		h = json_object_array_get_idx(list, i);
		snprintf(text, sizeof(text), "%.20s: %.60s: %.480s; %.300s", jstr(h, "severity"), jstr(h, "code"),
		    jstr(h, "text"), jstr(h, "remedy"));
		out_field_color(c, i == 0 ? "Health" : "",
		    strcmp(jstr(h, "severity"), "high") == 0 ? COLOR_BAD : COLOR_WARN, text);
	}
}

void
status_print(struct ctl *c, struct json_object *st)
{
	char text[600];

	status_state(st, text, sizeof(text));
	out_field_color(c, "State", status_color(st), text);
	out_field_color(c, "Log in at", COLOR_WARN, jstr(st, "url"));
	if (jstr(st, "err")[0] != '\0') {
		snprintf(text, sizeof(text), "%.20s: %.500s", jstr(st, "errSource"), jstr(st, "err"));
		out_field_color(c, "Error", COLOR_BAD, text);
	}
	show_health(c, st);
	out_field(c, "Server", jstr(st, "controlURL"));
	show_machine(c, st);
	show_expiry(c, st);
	show_stream(c, st);
	jlist(st, "endpoints", "  ", text, sizeof(text));
	out_field(c, "Endpoints", text);
	snprintf(text, sizeof(text), "tailnetd %.40s, capability version %" PRId64, jstr(st, "version"),
	    ji64(st, "capabilityVersion"));
	out_field(c, "Daemon", text);
}

/* The status as received, and parsed. */
static int
fetch_status(struct ctl *c, struct buf *raw, struct json_object **st)
{
	struct source s, mem;
	int rc;

	if ((rc = ctl_ask_words(c, &s, "status", 0, NULL)) != CTL_OK)
		return rc;
	s.deadline_ms = time_mono_ms() + (uint64_t)c->limit_ms;
	if (scan_value(&s, raw) != 1) {
		rc = ctl_lost(c, &s);
	} else {
		source_init(&mem, -1, -1);
		mem.buf = (char *)buf_ptr(raw);
		mem.len = buf_len(raw);
		rc = ctl_answer(c, &mem, st);
	}
	source_close(&s);
	return rc;
}

/* Times of the server are compared with its clock. */
static void
use_server_clock(struct ctl *c, struct json_object *st)
{
	c->now += ji64(st, "clockOffsetSeconds");
}

void
status_server_clock(struct ctl *c)
{
	struct json_object *st = NULL;
	struct buf raw;

	buf_init(&raw, SCAN_VALUE_MAX);
	if (fetch_status(c, &raw, &st) == CTL_OK)
		use_server_clock(c, st);
	json_object_put(st);
	buf_free(&raw);
}

int
cmd_status(struct ctl *c, int argc, char **argv)
{
	struct json_object *st = NULL;
	struct buf raw;
	int rc, check = argc == 1 && strcmp(argv[0], "--check") == 0;

	if (argc > 1 || (argc == 1 && !check))
		return ctl_usage(c);
	buf_init(&raw, SCAN_VALUE_MAX);
	rc = fetch_status(c, &raw, &st);
	if (c->json && !c->quiet && buf_len(&raw) > 0)
		out_json_line(c->out, (char *)buf_ptr(&raw), buf_len(&raw));
	if (rc == CTL_OK)
		use_server_clock(c, st);
	if (rc == CTL_OK && !c->json && !c->quiet)
		status_print(c, st);
	if (rc == CTL_OK && check)
		rc = status_exit(st, c->now);
	json_object_put(st);
	buf_free(&raw);
	return rc;
}
