/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "cmd_status.h"
#include "cmd_watch.h"
#include "ctl.h"
#include "events.h"
#include "jget.h"
#include "out.h"
#include "scan.h"
#include "sock.h"
#include "text.h"
#include "timefmt.h"
#include "words.h"

#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS   2000
#define RETRY_FOR_MS   15000 /* time without the daemon until `watch netmap` gives up */

static void
print_prefix(struct ctl *c, struct event *e)
{
	char text[32] = "--:--:--";
	time_t tt;
	struct tm tm;
	int64_t t;

	if (jtime(e->o, "time", &t)) {
		tt = (time_t)t;
		if (localtime_r(&tt, &tm) != NULL)
			strftime(text, sizeof(text), "%H:%M:%S", &tm);
	}
	out_color(c, COLOR_DIM, text);
	fputs("  ", c->out);
	out_safe(c->out, e->name, strlen(e->name));
	fprintf(c->out, "%*s ", strlen(e->name) < 8 ? (int)(8 - strlen(e->name)) : 0, "");
}

static void
print_status(struct ctl *c, struct event *e)
{
	struct json_object *st = event_status(e);
	char text[300];

	status_state(st, text, sizeof(text));
	out_color(c, st != NULL ? status_color(st) : COLOR_NONE, text);
	if (jbool(e->o, "loginFinished"))
		fputs(", login finished", c->out);
	if (jstr(st, "url")[0] != '\0') {
		fputs(", log in at ", c->out);
		out_color(c, COLOR_WARN, jstr(st, "url"));
	}
	if (jstr(st, "err")[0] != '\0') {
		fputs(", ", c->out);
		out_color(c, COLOR_BAD, jstr(st, "errSource"));
		fputs(": ", c->out);
		out_color(c, COLOR_BAD, jstr(st, "err"));
	}
}

static size_t
array_len(struct json_object *o, const char *name)
{
	struct json_object *a;

	return json_get_arr(o, name, &a) == 1 ? json_object_array_length(a) : 0;
}

static void
print_delta(struct ctl *c, struct json_object *o)
{
	char fields[300];

	fprintf(c->out, "seq %" PRId64 ": %zu changed, %zu removed", ji64(o, "netmapSeq"), array_len(o, "changed"),
	    array_len(o, "removed"));
	jlist(o, "fields", " ", fields, sizeof(fields));
	if (fields[0] != '\0') {
		fputs(", ", c->out);
		out_safe(c->out, fields, strlen(fields));
	}
}

static void
print_child(struct ctl *c, struct json_object *o)
{
	struct json_object *v;

	out_safe(c->out, jstr(o, "name"), strlen(jstr(o, "name")));
	fputc(' ', c->out);
	out_safe(c->out, jstr(o, "what"), strlen(jstr(o, "what")));
	if ((v = json_get(o, "signal", NULL)) != NULL)
		fprintf(c->out, ", signal %" PRId64, json_object_get_int64(v));
	if ((v = json_get(o, "status", NULL)) != NULL)
		fprintf(c->out, ", status %" PRId64, json_object_get_int64(v));
}

static void
print_event(struct ctl *c, struct event *e)
{
	int64_t peers = ji64(e->o, "peers"), dropped = ji64(e->o, "dropped");

	print_prefix(c, e);
	if (strcmp(e->name, "status") == 0)
		print_status(c, e);
	else if (strcmp(e->name, "netmap") == 0)
		fprintf(c->out, "seq %" PRId64 ", %" PRId64 " peer%s", ji64(e->o, "netmapSeq"), peers,
		    peers == 1 ? "" : "s");
	else if (strcmp(e->name, "delta") == 0)
		print_delta(c, e->o);
	else if (strcmp(e->name, "browse") == 0)
		out_safe(c->out, jstr(e->o, "url"), strlen(jstr(e->o, "url")));
	else if (strcmp(e->name, "child") == 0)
		print_child(c, e->o);
	else if (strcmp(e->name, "lagged") == 0)
		fprintf(c->out, "%" PRId64 " event%s lost: we read too slowly", dropped, dropped == 1 ? "" : "s");
	fputc('\n', c->out);
	fflush(c->out);
}

struct follower {
	struct ctl *c;
	int argc;
	char **argv;
	int seen;     /* an event was received over this connection */
	int retrying; /* a connection was lost: errors of new attempts are not printed */
};

static int
is_error_text(const struct source *s)
{
	return s->len - s->off >= 9 && memcmp(s->buf + s->off, "{\"error\":", 9) == 0;
}

static int
follow_json(struct follower *f, struct source *s)
{
	struct ctl *c = f->c;
	char last = '\n';
	struct json_out j = { 0 };

	/* The first bytes show whether it is an error or events. */
	if (source_fill(s) == 1 && is_error_text(s))
		return f->retrying ? CTL_SYNC : ctl_relay(c, s, END_NONE);
	while (source_fill(s) == 1) {
		f->seen = 1;
		s->timeout_ms = -1; /* between events there is no limit */
		last = s->buf[s->len - 1];
		if (!c->quiet)
			out_json(c->out, &j, s->buf + s->off, s->len - s->off);
		if (!c->quiet && fflush(c->out) != 0)
			return CTL_ERROR;
		s->off = s->len;
	}
	/* Closed in the middle of a map: the data of the next connection begins on a new line. */
	if (last != '\n' && !c->quiet) {
		out_json_end(c->out, &j);
		fputc('\n', c->out);
	}
	return s->err != 0 ? ctl_lost(c, s) : CTL_OK;
}

/* Until the other side closes; then 0.  Trouble and errors of the daemon: an exit code. */
static int
follow(struct follower *f, struct source *s)
{
	struct ctl *c = f->c;
	struct event e;
	int r, rc = CTL_OK;

	while (rc == CTL_OK && (r = event_next(s, &e)) == 1) {
		if (json_get(e.o, "error", NULL) != NULL)
			rc = f->retrying && !f->seen ? CTL_SYNC : ctl_answer_error(c, e.o);
		else
			f->seen = 1;
		s->timeout_ms = -1; /* between events there is no limit */
		if (rc == CTL_OK && !c->quiet)
			print_event(c, &e);
		event_done(&e);
		if (ferror(c->out))
			rc = CTL_ERROR;
	}
	if (rc == CTL_OK && r == -1 && s->err == EPROTO && f->seen && f->argc > 0)
		return CTL_OK; /* `watch netmap`: closed in the middle of a map */
	return rc == CTL_OK && r == -1 ? ctl_lost(c, s) : rc;
}

int
events_print(struct ctl *c, struct source *s)
{
	struct follower f = { .c = c };

	return follow(&f, s);
}

static int
follow_once(struct follower *f)
{
	struct ctl asking = *f->c;
	struct source s;
	int rc;

	f->seen = 0;
	asking.quiet |= f->retrying;
	if ((rc = ctl_ask_words(&asking, &s, "watch", f->argc, f->argv)) != CTL_OK)
		return rc;
	rc = f->c->json ? follow_json(f, &s) : follow(f, &s);
	source_close(&s);
	return rc;
}

/* mapd serves `watch netmap` and closes the connection when it ends (interface.md 6): connect again, with a message. */
static int
follow_netmap(struct follower *f)
{
	uint64_t gone_since = 0;
	int wait_ms = RETRY_FIRST_MS, rc;

	for (;;) {
		rc = follow_once(f);
		if (rc != CTL_OK && (f->seen || !f->retrying || (rc != CTL_DOWN && rc != CTL_SYNC)))
			return rc;
		if (f->seen || !f->retrying) {
			f->retrying = 1;
			gone_since = time_mono_ms();
			wait_ms = RETRY_FIRST_MS;
			ctl_note(f->c, "the connection was closed, connecting again");
		} else if (time_mono_ms() - gone_since > RETRY_FOR_MS) {
			return ctl_fail(f->c, CTL_DOWN, "tailnetd did not start again");
		}
		poll(NULL, 0, wait_ms);
		wait_ms = wait_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : wait_ms * 2;
	}
}

int
cmd_watch(struct ctl *c, int argc, char **argv)
{
	static const char *const words[] = { "netmap" };
	static char netmap[] = "netmap";
	char *args[] = { netmap }, err[100];
	struct follower f = { .c = c, .argc = argc, .argv = args };
	int rc;

	if (argc > 1)
		return ctl_usage(c);
	if (argc == 1) {
		if (word_match(argv[0], words, 1, sizeof(words[0]), "argument", err, sizeof(err)) != 0)
			return ctl_fail(c, CTL_USAGE, "%s", err);
		return follow_netmap(&f);
	}
	/* A plain watch lives as long as the daemon. */
	rc = follow_once(&f);
	return rc == CTL_OK ? ctl_fail(c, CTL_DOWN, "tailnetd has ended") : rc;
}

/* --- wait --- */
enum wanted { WANT_AUTHENTICATED, WANT_SYNCHRONIZED, WANT_URL };

static int
is_so(struct json_object *st, enum wanted w)
{
	switch (w) {
	case WANT_AUTHENTICATED: return jbool(st, "loggedIn");
	case WANT_SYNCHRONIZED:
		return jbool(st, "loggedIn") && jbool(st, "synced"); /* an expired key may have a stream */
	case WANT_URL: return jstr(st, "url")[0] != '\0';
	}
	return 0;
}

static void
print_wanted(struct ctl *c, struct json_object *st, enum wanted w)
{
	if (c->quiet || c->json || w != WANT_URL)
		return;
	out_safe(c->out, jstr(st, "url"), strlen(jstr(st, "url")));
	fputc('\n', c->out);
}

static int
wait_until(struct ctl *c, struct source *s, enum wanted w)
{
	struct json_object *st;
	struct event e;
	int r, rc;

	while ((r = event_next(s, &e)) == 1) {
		if ((rc = ctl_answer_error(c, e.o)) != CTL_OK) {
			event_done(&e);
			return rc;
		}
		s->timeout_ms = -1; /* ... but a daemon that hangs does not even send the first */
		st = event_status(&e);
		if (st != NULL && is_so(st, w)) {
			print_wanted(c, st, w);
			event_print_json(c, &e);
			event_done(&e);
			return CTL_OK;
		}
		event_done(&e);
	}
	if (r == 0)
		return ctl_fail(c, CTL_DOWN, "tailnetd has ended");
	return s->err == ETIMEDOUT && s->deadline_ms != 0 ? ctl_fail(c, CTL_TIMEOUT, "timeout") : ctl_lost(c, s);
}

int
cmd_wait(struct ctl *c, int argc, char **argv)
{
	static const char *const words[] = { "authenticated", "synchronized", "url" };
	int64_t timeout = 0;
	int w = WANT_SYNCHRONIZED, rc;
	struct source s;
	char err[200];

	for (; argc >= 2; argc -= 2, argv += 2) {
		if (strcmp(argv[0], "--for") == 0) {
			if ((w = word_match(argv[1], words, 3, sizeof(words[0]), "state", err, sizeof(err))) < 0)
				return ctl_fail(c, CTL_USAGE, "%s", err);
		} else if (strcmp(argv[0], "--timeout") != 0 ||
		    text_to_i64(argv[1], strlen(argv[1]), 1, 10000000, &timeout) == -1) {
			return ctl_usage(c);
		}
	}
	if (argc != 0)
		return ctl_usage(c);
	if ((rc = ctl_ask_words(c, &s, "watch", 0, NULL)) != CTL_OK)
		return rc;
	s.deadline_ms = timeout > 0 ? time_mono_ms() + (uint64_t)timeout * 1000 : 0;
	rc = wait_until(c, &s, (enum wanted)w);
	source_close(&s);
	return rc;
}
