/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cclient.h"
#include "command.h"
#include "command_query.h"
#include "command_set.h"
#include "control.h"
#include "control_int.h"
#include "doctor.h"
#include "eventwatch.h"
#include "log.h"
#include "metrics.h"
#include "status.h"
#include "text.h"

/* The verbs of interface.md 3 as data: name, who may, how many arguments, handler. */

#define MAX_ARGS 80

struct verb {
	const char *name;
	enum ipc_query_class who;
	int min, max; /* arguments */
	const char *usage;
	void (*run)(struct cclient *cc, char **args, int n);
	int raw; /* the handler takes the rest of the line as one argument */
};

/* Class W, and the rate of everybody in it but root. */
static int
may_write(struct cclient *cc, const char *what)
{
	if (cc->class == IPC_CLASS_R) {
		cclient_error(cc, "denied", "%s is for root and the control-operator", what);
		return 0;
	}
	if (cc->class != IPC_CLASS_ROOT && !control_w_rate(cc->ctl)) {
		cclient_error(cc, "busy", "too many commands; wait a second");
		return 0;
	}
	return 1;
}

static void
usage(struct cclient *cc, const struct verb *v)
{
	cclient_error(cc, "usage", "usage: %s", v->usage);
}

/* --- R --- */

static void
run_status(struct cclient *cc, char **args, int n)
{
	(void)args;
	(void)n;
	status_json(&cc->ctl->ops, STATUS_WHOLE, &cc->out);
	buf_putc(&cc->out, '\n');
	cclient_finish(cc);
}

static void
run_processes(struct cclient *cc, char **args, int n)
{
	(void)args;
	(void)n;
	processes_json(&cc->ctl->ops, &cc->out);
	buf_putc(&cc->out, '\n');
	cclient_finish(cc);
}

void
command_metrics_now(struct cclient *cc)
{
	metrics_text(&cc->ctl->ops, &cc->out);
	cclient_finish(cc);
}

static void
run_metrics(struct cclient *cc, char **args, int n)
{
	struct ipc *mapd = command_mapd(cc);
	struct ipc_empty none = { 0 };

	(void)args;
	(void)n;
	if (mapd == NULL) {
		command_metrics_now(cc);
		return;
	}
	cc->phase = CC_WAITING;
	cc->wants_counters = 1;
	cclient_listen(cc);
	if (control_await_counters(cc->ctl))
		ipc_send(mapd, IPC_COUNTERS_REQ, IPC_ID_NONE, &none, sizeof(none), -1);
}

static void
run_watch(struct cclient *cc, char **args, int n)
{
	if (n == 1 && strcmp(args[0], "netmap") != 0) {
		cclient_error(cc, "usage", "usage: watch [netmap]");
		return;
	}
	if (n == 1 && command_mapd(cc) != NULL) {
		command_watch_netmap(cc);
		return;
	}
	cc->wants_netmap = n;
	cc->phase = CC_WATCHING;
	cclient_listen(cc);
	watchers_add(cc->ctl->watchers, cc);
}

/* --- W --- */

/* auth-key=KEY: into locked memory, and out of the line. */
static int
take_auth_key(struct cclient *cc, char *value)
{
	const struct control_ops *o = &cc->ctl->ops;
	size_t len = strlen(value), i;

	for (i = 0; i < len; i++)
		if ((unsigned char)value[i] <= ' ' || (unsigned char)value[i] >= 0x7f)
			break;
	if (len == 0 || len > IPC_AUTHKEY_MAX || i < len) {
		cclient_error(cc, "invalid", "the auth key is empty, too long or has odd characters");
		return -1;
	}
	if (o->auth_key(o->arg, value, len) == -1) {
		cclient_error(cc, "internal", "no locked memory");
		return -1;
	}
	return 0;
}

/* The words of `login`; *key is the auth key's place in the line, or NULL. */
static int
login_words(char **args, int n, struct login_event *e, char **key)
{
	int i;

	*key = NULL;
	for (i = 0; i < n; i++) {
		if (strcmp(args[i], "interactive") == 0)
			e->u.login.interactive = 1;
		else if (strcmp(args[i], "ephemeral") == 0)
			e->u.login.ephemeral = 1;
		else if (strncmp(args[i], "auth-key=", 9) == 0 && *key == NULL)
			*key = args[i] + 9;
		else
			return -1;
	}
	return 0;
}

static void
run_login(struct cclient *cc, char **args, int n)
{
	const struct control_ops *o = &cc->ctl->ops;
	struct login_event e = { .type = LE_LOGIN };
	char *key;

	/* All of it is looked at first: what is not done must not take the key of a login under way. */
	if (login_words(args, n, &e, &key) == -1) {
		cclient_error(cc, "usage", "usage: login [interactive] [ephemeral] [auth-key=KEY]");
		return;
	}
	if (key == NULL)
		(void)o->auth_key(o->arg, NULL, 0);
	else if (take_auth_key(cc, key) == -1)
		return;
	e.u.login.with_key = key != NULL;
	buf_puts(&cc->out, "{\"ok\":true}\n");
	o->event(o->arg, &e);
	cclient_finish(cc);
}

static void
run_logout(struct cclient *cc, char **args, int n)
{
	const struct control_ops *o = &cc->ctl->ops;
	struct login_event e = { .type = LE_LOGOUT };

	if (n == 1 && strcmp(args[0], "force") != 0) {
		cclient_error(cc, "usage", "usage: logout [force]");
		return;
	}
	e.u.logout.force = n == 1;
	cc->phase = CC_WAITING;
	cc->wants_logout = 1;
	cclient_listen(cc);
	o->event(o->arg, &e); /* control_logout_done() answers, perhaps already */
}

static void
simple(struct cclient *cc, enum login_ev type)
{
	const struct control_ops *o = &cc->ctl->ops;
	struct login_event e = { .type = type };

	o->event(o->arg, &e);
	cclient_ok(cc);
}

static void
run_pause(struct cclient *cc, char **args, int n)
{
	(void)args;
	(void)n;
	simple(cc, LE_PAUSE);
}

static void
run_unpause(struct cclient *cc, char **args, int n)
{
	(void)args;
	(void)n;
	simple(cc, LE_UNPAUSE);
}

static void
run_reconnect(struct cclient *cc, char **args, int n)
{
	(void)args;
	(void)n;
	simple(cc, LE_RECONNECT);
}

static void
run_log(struct cclient *cc, char **args, int n)
{
	enum log_level level;

	(void)n;
	if (log_level_parse(args[0], &level) == -1) {
		cclient_error(cc, "invalid", "a level is error, warn, info or debug");
		return;
	}
	cc->ctl->ops.log_level(cc->ctl->ops.arg, level);
	cclient_ok(cc);
}

static void
run_shutdown(struct cclient *cc, char **args, int n)
{
	const struct control_ops *o = &cc->ctl->ops; /* cc may be gone when its answer is written */

	(void)args;
	(void)n;
	cclient_ok(cc);
	log_info("shutdown by command");
	o->shutdown(o->arg);
}

static void
run_doctor(struct cclient *cc, char **args, int n)
{
	struct control *c = cc->ctl;

	(void)args;
	(void)n;
	if (c->ops.login->paused)
		cclient_error(cc, "invalid", "paused: nothing goes to the network before `unpause`");
	else if (doctor_busy(c->doctor))
		cclient_error(cc, "busy", "the doctor is with somebody else");
	else
		doctor_start(c->doctor, cc);
}

/* --- server-key: R to look, W to accept --- */

static void
server_key_json(const struct login *login, struct buf *out)
{
	static const char *const sources[] = { "", "config", "first-use", "accepted" };
	enum pin_source source;
	const struct pubkey *k = login_pin(login, &source);
	char text[KEY_TEXT_MAX], when[TIME_TEXT_MAX];
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w);
	jw_kstr(&w, "serverKey", key_is_zero(k) ? "" : key_format(KEY_MACHINE, k, text));
	jw_kstr(&w, "source", sources[source]);
	jw_kstr(&w, "since",
	    source == PIN_CONFIG || time_is_none(login->profile.pin_since)
		? ""
		: time_format(login->profile.pin_since, when));
	jw_kstr(&w, "offered", key_is_zero(&login->offered) ? "" : key_format(KEY_MACHINE, &login->offered, text));
	jw_obj_end(&w);
	buf_putc(out, '\n');
}

static void
run_server_key(struct cclient *cc, char **args, int n)
{
	const struct control_ops *o = &cc->ctl->ops;
	struct login_event e = { .type = LE_ACCEPT_KEY };
	enum pin_source source;
	char key[KEY_SHORT_MAX];

	if (n == 0) {
		server_key_json(o->login, &cc->out);
		cclient_finish(cc);
		return;
	}
	if (n != 2 || strcmp(args[0], "accept") != 0) {
		cclient_error(cc, "usage", "usage: server-key [accept mkey:HEX]");
		return;
	}
	if (!may_write(cc, "server-key accept"))
		return;
	(void)login_pin(o->login, &source);
	if (source == PIN_CONFIG) {
		cclient_error(cc, "invalid", "the configuration pins the key; change `server-key` there");
		return;
	}
	if (key_parse(KEY_MACHINE, args[1], strlen(args[1]), &e.u.accept) == -1 || key_is_zero(&e.u.accept)) {
		cclient_error(cc, "invalid", "expected mkey: and 64 hex digits");
		return;
	}
	log_warnx("server key %s accepted by uid %u", key_short(KEY_MACHINE, &e.u.accept, key), (unsigned)cc->uid);
	o->event(o->arg, &e);
	cclient_ok(cc);
}

/* --- the table --- */

static const struct verb verbs[] = {
	{ "status", IPC_CLASS_R, 0, 0, "status", run_status, 0 },
	{ "netmap", IPC_CLASS_R, 0, 0, "netmap", command_netmap, 0 },
	{ "peers", IPC_CLASS_R, 0, 2, "peers [limit=N] [after=ID]", command_peers, 0 },
	{ "peer", IPC_CLASS_R, 1, 1, "peer NAME|IP|KEY|ID", command_peer, 0 },
	{ "watch", IPC_CLASS_R, 0, 1, "watch [netmap]", run_watch, 0 },
	{ "wgconf", IPC_CLASS_R, 0, 1, "wgconf [private]", command_wgconf, 0 },
	{ "hosts", IPC_CLASS_R, 0, 0, "hosts", command_hosts, 0 },
	{ "metrics", IPC_CLASS_R, 0, 0, "metrics", run_metrics, 0 },
	{ "processes", IPC_CLASS_R, 0, 0, "processes", run_processes, 0 },
	{ "server-key", IPC_CLASS_R, 0, 2, "server-key [accept mkey:HEX]", run_server_key, 0 },
	{ "login", IPC_CLASS_W, 0, 3, "login [interactive] [ephemeral] [auth-key=KEY]", run_login, 0 },
	{ "logout", IPC_CLASS_W, 0, 1, "logout [force]", run_logout, 0 },
	{ "pause", IPC_CLASS_W, 0, 0, "pause", run_pause, 0 },
	{ "unpause", IPC_CLASS_W, 0, 0, "unpause", run_unpause, 0 },
	{ "reconnect", IPC_CLASS_W, 0, 0, "reconnect", run_reconnect, 0 },
	{ "doctor", IPC_CLASS_W, 0, 0, "doctor", run_doctor, 0 },
	{ "set", IPC_CLASS_W, 1, 1, "set hostinfo|netinfo|endpoints|disco-key VALUE", command_set, 1 },
	{ "log", IPC_CLASS_W, 1, 1, "log error|warn|info|debug", run_log, 0 },
	{ "shutdown", IPC_CLASS_W, 0, 0, "shutdown", run_shutdown, 0 },
};

int
command_is_set(const char *line, size_t n)
{
	for (; n > 0 && (*line == ' ' || *line == '\t'); n--)
		line++;
	return n >= 4 && memcmp(line, "set", 3) == 0 && (line[3] == ' ' || line[3] == '\t');
}

static const struct verb *
find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int
split(char *s, char **args)
{
	int n = 0;

	for (;;) {
		while (*s == ' ' || *s == '\t')
			s++;
		if (*s == '\0')
			return n;
		if (n == MAX_ARGS)
			return -1;
		args[n++] = s;
		while (*s != '\0' && *s != ' ' && *s != '\t')
			s++;
		if (*s != '\0')
			*s++ = '\0';
	}
}

static int
line_clean(const char *line, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			return 0;
	return utf8_valid(line, n);
}

void
command_run(struct cclient *cc, char *line, size_t n)
{
	char *args[MAX_ARGS], *rest;
	const struct verb *v;
	char safe[40];
	int count;

	if (!line_clean(line, n)) {
		cclient_error(cc, "invalid", "a command is one line of UTF-8 text");
		return;
	}
	while (*line == ' ' || *line == '\t')
		line++;
	for (rest = line; *rest != '\0' && *rest != ' ' && *rest != '\t'; rest++)
		;
	if (*rest != '\0')
		*rest++ = '\0';
	if ((v = find_verb(line)) == NULL) {
		text_sanitize(line, strlen(line), safe, sizeof(safe));
		cclient_error(cc, "unknown-command", "unknown command \"%s\"", safe);
		return;
	}
	if (cc->ctl->ops.stopping(cc->ctl->ops.arg)) {
		cclient_error(cc, "shutting-down", "the daemon is ending");
		return;
	}
	if (v->who != IPC_CLASS_R && !may_write(cc, v->name))
		return;
	if (v->raw) {
		while (*rest == ' ' || *rest == '\t')
			rest++;
		args[0] = rest;
		count = *rest != '\0';
	} else
		count = split(rest, args);
	if (count < v->min || count > v->max) {
		usage(cc, v);
		return;
	}
	v->run(cc, args, count);
}
