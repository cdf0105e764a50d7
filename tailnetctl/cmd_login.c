/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "authkey.h"
#include "cmd_login.h"
#include "ctl.h"
#include "events.h"
#include "jget.h"
#include "out.h"
#include "qr.h"
#include "scan.h"
#include "sock.h"
#include "text.h"
#include "timefmt.h"
#include "words.h"

#define NO_WAIT_MS 30000 /* --no-wait: how long to look for a URL */
#define MAP_MS     10000 /* after the login: how long to wait for the network map */
#define SILENCE_MS 3000  /* without an event for this time: ask whether the login was over before the watch began */

struct login {
	struct ctl *c;
	struct login_args a;
	struct login_progress p;
	struct source watch;
	uint64_t deadline_ms;
	uint64_t map_ms; /* 0, or logged in: when to stop waiting for the map */
};

static int
is_key_word(const char *s)
{
	static const char *const shapes[] = { "auth-key=", "--auth-key=", "authkey=", "--authkey=", "tskey-",
		"hskey-" };
	size_t i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (strncasecmp(s, shapes[i], strlen(shapes[i])) == 0)
			return 1;
	return strcmp(s, "--auth-key") == 0 || strcmp(s, "--authkey") == 0;
}

int
login_args_parse(int argc, char *const *argv, struct login_args *a, char *err, size_t errsize)
{
	static const char *const words[] = { "interactive", "ephemeral" };
	int i, w;

	memset(a, 0, sizeof(*a));
	for (i = 0; i < argc; i++) {
		if (is_key_word(argv[i])) {
			snprintf(err, errsize,
			    "an auth key on the command line can be read by everybody with ps: "
			    "use --auth-key-file FILE, or --auth-key-file - for standard input");
			return -1;
		}
		if (strcmp(argv[i], "--auth-key-file") == 0 && i + 1 < argc) {
			a->key_file = argv[++i];
		} else if (strcmp(argv[i], "--timeout") == 0 && i + 1 < argc) {
			if (text_to_i64(argv[i + 1], strlen(argv[i + 1]), 1, 10000000, &a->timeout_s) == -1) {
				snprintf(err, errsize, "--timeout: a number of seconds is needed, not '%s'",
				    argv[i + 1]);
				return -1;
			}
			i++;
		} else if (strcmp(argv[i], "--no-wait") == 0) {
			a->no_wait = 1;
		} else if (strcmp(argv[i], "--qr") == 0) {
			a->qr = 1;
		} else if (argv[i][0] == '-') {
			snprintf(err, errsize, "login: unknown or incomplete option %s", argv[i]);
			return -1;
		} else if ((w = word_match(argv[i], words, 2, sizeof(words[0]), "argument", err, errsize)) < 0) {
			return -1;
		} else if (w == 0) {
			a->interactive = 1;
		} else {
			a->ephemeral = 1;
		}
	}
	return 0;
}

enum login_step
login_step(struct login_progress *p, struct json_object *st, int finished)
{
	const char *url = jstr(st, "url"), *err = strcmp(jstr(st, "errSource"), "auth") == 0 ? jstr(st, "err") : "";
	struct json_object *goal;
	int working = json_get_obj(st, "goal", &goal) == 1;

	p->working |= working;
	p->new_url = url[0] != '\0' && strcmp(url, p->url) != 0;
	p->new_err = err[0] != '\0' && strcmp(err, p->err) != 0;
	p->refused = p->new_err && url[0] == '\0' && strcmp(jstr(st, "errCause"), "refused") == 0;
	strlcpy(p->url, url, sizeof(p->url));
	strlcpy(p->err, err, sizeof(p->err));
	if (jbool(st, "loggedIn") && (finished || (p->working && !working)))
		return LOGIN_DONE;
	/* No login is under way and there is none: it was cancelled by a logout. */
	if (p->working && !working && !jbool(st, "loggedIn") && jbool(st, "authCantContinue"))
		return LOGIN_GIVEN_UP;
	return LOGIN_GOES_ON;
}

static void
show_url(struct login *l)
{
	struct ctl *c = l->c;

	if (c->quiet || c->json)
		return;
	fputs("To log in, visit:\n\n\t", c->out);
	out_safe(c->out, l->p.url, strlen(l->p.url));
	fputs("\n\n", c->out);
	if (l->a.qr && qr_print(c->out, l->p.url) == -1)
		ctl_note(c, "the URL does not fit in a QR code");
	fflush(c->out);
}

static void
show_logged_in(struct login *l, struct json_object *st)
{
	struct json_object *user;
	struct ctl *c = l->c;
	const char *name;

	if (c->quiet || c->json)
		return;
	fputs("Logged in", c->out);
	if (json_get_obj(st, "user", &user) == 1 && (name = jstr(user, "LoginName"))[0] != '\0') {
		fputs(" as ", c->out);
		out_safe(c->out, name, strlen(name));
	}
	fputc('\n', c->out);
	if (!jbool(st, "machineAuthorized"))
		fputs("This machine waits for an administrator's approval.\n", c->out);
	fflush(c->out);
}

/* An exit code, or -1 to go on. */
static int
on_status(struct login *l, struct json_object *st, int finished)
{
	enum login_step step = login_step(&l->p, st, finished);

	if (l->p.new_url) {
		l->p.url_printed = 1;
		show_url(l);
	}
	if (l->p.new_err) {
		l->p.err_printed = 1;
		ctl_note(l->c, "%s", l->p.err);
		if (l->a.no_wait)
			return CTL_ERROR;
		if (!l->p.retry_printed++)
			ctl_note(l->c,
			    "tailnetd keeps trying; interrupting this command does not stop it (tailnetctl logout "
			    "does)");
		if (l->p.refused)
			return CTL_ERROR;
	}
	if (jbool(st, "paused") && !l->p.paused_printed++)
		ctl_note(l->c, "tailnetd is paused: run `tailnetctl unpause` to continue");
	if (step == LOGIN_DONE && l->map_ms == 0) {
		show_logged_in(l, st);
		l->map_ms = time_mono_ms() + MAP_MS;
	}
	/* The next command may read the map: `login && peers` (E6). */
	if (l->map_ms != 0 && (l->a.no_wait || strcmp(jstr(st, "netmapSource"), "none") != 0))
		return CTL_OK;
	if (step == LOGIN_GIVEN_UP)
		return ctl_fail(l->c, CTL_ERROR, "the login was cancelled by a logout");
	return l->p.url_printed && l->a.no_wait ? CTL_OK : -1;
}

/* -1: no event yet. */
static int
poll_status(struct login *l)
{
	struct json_object *st = NULL;
	struct source s;
	int rc;

	if ((rc = ctl_ask_words(l->c, &s, "status", 0, NULL)) != CTL_OK)
		return rc;
	if ((rc = ctl_answer(l->c, &s, &st)) == CTL_OK) {
		/* Our login has cleared the error before it: if there is one now, it is ours and was never printed. */
		if (!l->p.err_printed)
			l->p.err[0] = '\0';
		/* We may have been too slow to see the work begin. */
		l->p.working = 1;
		rc = on_status(l, st, 0);
	}
	json_object_put(st);
	source_close(&s);
	return rc;
}

static int
on_event(struct login *l)
{
	struct json_object *st;
	struct event e;
	int r, rc = -1;

	if ((r = event_next(&l->watch, &e)) != 1)
		return r == 0 ? ctl_fail(l->c, CTL_DOWN, "tailnetd has ended") : ctl_lost(l->c, &l->watch);
	event_print_json(l->c, &e);
	if ((r = ctl_answer_error(l->c, e.o)) != CTL_OK)
		rc = r;
	else if ((st = event_status(&e)) != NULL)
		rc = on_status(l, st, jbool(e.o, "loginFinished"));
	event_done(&e);
	return rc;
}

static int
follow_login(struct login *l)
{
	struct pollfd p = { l->watch.fd, POLLIN, 0 };
	uint64_t now;
	int rc = -1, wait, r;

	while (rc == -1) {
		now = time_mono_ms();
		if (l->map_ms != 0 && (now >= l->map_ms || (l->deadline_ms != 0 && now >= l->deadline_ms))) {
			ctl_note(l->c, "logged in; the server has not sent the network map yet");
			return CTL_OK;
		}
		if (l->deadline_ms != 0 && now >= l->deadline_ms) {
			if (!l->p.err_printed && (rc = poll_status(l)) != -1)
				return rc;
			return ctl_fail(l->c, CTL_TIMEOUT, "not logged in yet; tailnetd keeps trying");
		}
		wait = SILENCE_MS;
		if (l->deadline_ms != 0 && l->deadline_ms - now < SILENCE_MS)
			wait = (int)(l->deadline_ms - now);
		if (l->map_ms != 0 && l->map_ms - now < (uint64_t)wait)
			wait = (int)(l->map_ms - now);
		if (source_pending(&l->watch))
			r = 1;
		else if ((r = poll(&p, 1, wait)) == -1 && errno != EINTR)
			return ctl_fail(l->c, CTL_ERROR, "poll: %s", strerror(errno));
		if (r > 0)
			rc = on_event(l);
		else if (r == 0)
			rc = poll_status(l);
	}
	return rc;
}

/* The request is sent from a single buffer; both it and the key are wiped. */
static int
send_login(struct login *l, const char *key)
{
	struct json_object *o = NULL;
	struct source s;
	char line[AUTHKEY_MAX + 64];
	int n, rc;

	n = snprintf(line, sizeof(line), "login%s%s%s%s\n", l->a.interactive ? " interactive" : "",
	    l->a.ephemeral ? " ephemeral" : "", key[0] ? " auth-key=" : "", key);
	rc = ctl_ask(l->c, &s, line, (size_t)n);
	explicit_bzero(line, sizeof(line));
	if (rc != CTL_OK)
		return rc;
	if (l->c->json)
		rc = ctl_relay(l->c, &s, END_NONE);
	else if ((rc = ctl_answer(l->c, &s, &o)) == CTL_OK)
		rc = ctl_show_ok(l->c, o);
	json_object_put(o);
	source_close(&s);
	return rc;
}

/* The watch begins before the login: no event of it can be missed. */
static int
start_watch(struct login *l)
{
	struct json_object *st;
	struct event e;
	int rc, r;

	if ((rc = ctl_ask_words(l->c, &l->watch, "watch", 0, NULL)) != CTL_OK)
		return rc;
	if ((r = event_next(&l->watch, &e)) != 1)
		return ctl_lost(l->c, &l->watch);
	rc = ctl_answer_error(l->c, e.o);
	/* What is known already is not printed: the URL of an earlier login is about to become void (INT-03). */
	if ((st = event_status(&e)) != NULL) {
		strlcpy(l->p.err, jstr(st, "err"), sizeof(l->p.err));
		strlcpy(l->p.url, jstr(st, "url"), sizeof(l->p.url));
	}
	event_done(&e);
	return rc;
}

int
cmd_login(struct ctl *c, int argc, char **argv)
{
	struct login l = { .c = c, .watch = { .fd = -1 } };
	char err[400] = "", key[AUTHKEY_MAX + 1] = "";
	int rc;

	if (login_args_parse(argc, argv, &l.a, err, sizeof(err)) == -1)
		return ctl_fail(c, CTL_USAGE, "%s", err);
	if (l.a.key_file != NULL && authkey_read(l.a.key_file, key, err, sizeof(err)) == -1)
		return ctl_fail(c, CTL_ERROR, "%s", err);
	if ((rc = start_watch(&l)) == CTL_OK)
		rc = send_login(&l, key);
	explicit_bzero(key, sizeof(key));
	/* With a key there is no URL to wait for. */
	if (rc == CTL_OK && !(l.a.no_wait && l.a.key_file != NULL)) {
		if (l.a.timeout_s > 0)
			l.deadline_ms = time_mono_ms() + (uint64_t)l.a.timeout_s * 1000;
		else if (l.a.no_wait)
			l.deadline_ms = time_mono_ms() + NO_WAIT_MS;
		l.watch.deadline_ms = l.deadline_ms; /* also in the middle of an event */
		rc = follow_login(&l);
	}
	source_close(&l.watch);
	return rc;
}
