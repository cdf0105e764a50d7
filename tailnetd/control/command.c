/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "cclient.h"
#include "command.h"
#include "command_query.h"
#include "control.h"
#include "control_int.h"
#include "doctor.h"
#include "eventwatch.h"
#include "jsonwrite.h"
#include "log.h"
#include "metricstext.h"
#include "status.h"
#include "text.h"
#include "utf8.h"

/* Running a command (interface.md 3), and those that the parent answers by itself. */

/* Class W, and the rate of everybody in it but root. */
static int
may_write(struct cclient *cc, const char *what)
{
	if (cc->class == IPC_CLASS_R) {
		cclient_error(cc, ERR_DENIED, "%s is for root and the control-operator", what);
		return 0;
	}
	if (cc->class != IPC_CLASS_ROOT && !control_w_rate(cc->ctl)) {
		cclient_error(cc, ERR_BUSY, "too many commands; wait a second");
		return 0;
	}
	return 1;
}

void
command_usage(struct cclient *cc, enum command_id id)
{
	const char *args = command_table[id].usage;

	cclient_error(cc, ERR_USAGE, "usage: %s%s%s", command_table[id].name, *args != '\0' ? " " : "", args);
}

/* --- R --- */

void
command_status(struct cclient *cc, struct command_line *cl)
{
	(void)cl;
	status_json(&cc->ctl->ops, STATUS_WHOLE, &cc->out);
	buf_putc(&cc->out, '\n');
	cclient_finish(cc);
}

void
command_processes(struct cclient *cc, struct command_line *cl)
{
	(void)cl;
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

void
command_metrics(struct cclient *cc, struct command_line *cl)
{
	struct ipc *mapd = command_mapd(cc);
	struct ipc_empty none = { 0 };

	(void)cl;
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

void
command_watch(struct cclient *cc, struct command_line *cl)
{
	if (cl->n == 1 && strcmp(cl->args[0], "netmap") != 0) {
		command_usage(cc, COMMAND_watch);
		return;
	}
	if (cl->n == 1 && command_mapd(cc) != NULL) {
		command_watch_netmap(cc);
		return;
	}
	cc->wants_netmap = cl->n;
	cc->phase = CC_WATCHING;
	cclient_listen(cc);
	watchers_add(cc->ctl->watchers, cc);
}

/* --- W --- */

/* auth-key=KEY: into locked memory; the line is wiped. */
static int
keep_auth_key(struct cclient *cc, char *value)
{
	const struct control_ops *o = &cc->ctl->ops;
	size_t len = strlen(value), i;

	for (i = 0; i < len; i++)
		if ((unsigned char)value[i] <= ' ' || (unsigned char)value[i] >= 0x7f)
			break;
	if (len == 0 || len > IPC_AUTHKEY_MAX || i < len) {
		cclient_error(cc, ERR_INVALID,
		    "the auth key is empty, too long or has characters that are not allowed");
		return -1;
	}
	if (o->auth_key(o->arg, value, len) == -1) {
		cclient_error(cc, ERR_INTERNAL, "no locked memory");
		return -1;
	}
	return 0;
}

/* The words of `login`; *key is the auth key's place in the line, or NULL. */
static int
login_words(const struct command_line *cl, struct login_event *e, char **key)
{
	int i;

	*key = NULL;
	for (i = 0; i < cl->n; i++) {
		if (strcmp(cl->args[i], "interactive") == 0)
			e->u.login.interactive = 1;
		else if (strcmp(cl->args[i], "ephemeral") == 0)
			e->u.login.ephemeral = 1;
		else if (strncmp(cl->args[i], "auth-key=", 9) == 0 && *key == NULL)
			*key = cl->args[i] + 9;
		else
			return -1;
	}
	return 0;
}

void
command_login(struct cclient *cc, struct command_line *cl)
{
	const struct control_ops *o = &cc->ctl->ops;
	struct login_event e = { .type = LE_LOGIN };
	char *key;

	/* Check everything first: a refused command must not replace the key of a running login. */
	if (login_words(cl, &e, &key) == -1) {
		command_usage(cc, COMMAND_login);
		return;
	}
	if (key == NULL)
		(void)o->auth_key(o->arg, NULL, 0);
	else if (keep_auth_key(cc, key) == -1)
		return;
	e.u.login.with_key = key != NULL;
	buf_puts(&cc->out, "{\"ok\":true}\n");
	o->event(o->arg, &e);
	cclient_finish(cc);
}

void
command_logout(struct cclient *cc, struct command_line *cl)
{
	const struct control_ops *o = &cc->ctl->ops;
	struct login_event e = { .type = LE_LOGOUT };

	if (cl->n == 1 && strcmp(cl->args[0], "force") != 0) {
		command_usage(cc, COMMAND_logout);
		return;
	}
	e.u.logout.force = cl->n == 1;
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

void
command_pause(struct cclient *cc, struct command_line *cl)
{
	(void)cl;
	simple(cc, LE_PAUSE);
}

void
command_unpause(struct cclient *cc, struct command_line *cl)
{
	(void)cl;
	simple(cc, LE_UNPAUSE);
}

void
command_reconnect(struct cclient *cc, struct command_line *cl)
{
	(void)cl;
	simple(cc, LE_RECONNECT);
}

void
command_log(struct cclient *cc, struct command_line *cl)
{
	enum log_level level;

	if (log_level_parse(cl->args[0], &level) == -1) {
		cclient_error(cc, ERR_INVALID, "a level is error, warn, info or debug");
		return;
	}
	cc->ctl->ops.log_level(cc->ctl->ops.arg, level);
	cclient_ok(cc);
}

void
command_shutdown(struct cclient *cc, struct command_line *cl)
{
	const struct control_ops *o = &cc->ctl->ops; /* cc may be freed when its answer is written */

	(void)cl;
	cclient_ok(cc);
	log_info("shutdown by command");
	o->shutdown(o->arg);
}

void
command_doctor(struct cclient *cc, struct command_line *cl)
{
	struct control *c = cc->ctl;

	(void)cl;
	if (c->ops.login->paused)
		cclient_error(cc, ERR_INVALID, "paused: no network activity until `unpause`");
	else if (doctor_busy(c->doctor))
		cclient_error(cc, ERR_BUSY, "another doctor run is in progress");
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

void
command_server_key(struct cclient *cc, struct command_line *cl)
{
	const struct control_ops *o = &cc->ctl->ops;
	struct login_event e = { .type = LE_ACCEPT_KEY };
	enum pin_source source;
	char key[KEY_SHORT_MAX];

	if (cl->n == 0) {
		server_key_json(o->login, &cc->out);
		cclient_finish(cc);
		return;
	}
	if (cl->n != 2 || strcmp(cl->args[0], "accept") != 0) {
		command_usage(cc, COMMAND_server_key);
		return;
	}
	if (!may_write(cc, "server-key accept"))
		return;
	(void)login_pin(o->login, &source);
	if (source == PIN_CONFIG) {
		cclient_error(cc, ERR_INVALID, "the configuration pins the key; change `server-key` there");
		return;
	}
	if (key_parse(KEY_MACHINE, cl->args[1], strlen(cl->args[1]), &e.u.accept) == -1 || key_is_zero(&e.u.accept)) {
		cclient_error(cc, ERR_INVALID, "expected mkey: and 64 hex digits");
		return;
	}
	log_warnx("server key %s accepted by uid %u", key_short(KEY_MACHINE, &e.u.accept, key), (unsigned)cc->uid);
	o->event(o->arg, &e);
	cclient_ok(cc);
}

/* --- all of them --- */

int
command_is_set(const char *line, size_t n)
{
	for (; n > 0 && (*line == ' ' || *line == '\t'); n--)
		line++;
	return n >= 4 && memcmp(line, "set", 3) == 0 && (line[3] == ' ' || line[3] == '\t');
}

void
command_run(struct cclient *cc, char *line, size_t n)
{
	static void (*const handlers[COMMAND_COUNT])(struct cclient *, struct command_line *) = {
#define C(id, name, class, min, max, tail, usage, run, args, help, words) [COMMAND_##id] = COMMAND_HANDLER_##tail(id),
#define T(name, run, args, help, words)
		COMMANDS(C, T)
#undef C
#undef T
	};
	const struct control_ops *o = &cc->ctl->ops;
	struct command_line cl;
	char safe[40];

	if (command_line_read(&cl, line, n) == -1) {
		cclient_error(cc, ERR_INVALID, "a command is one line of UTF-8 text");
		return;
	}
	if (cl.id == COMMAND_COUNT) {
		text_sanitize(cl.name, strlen(cl.name), safe, sizeof(safe));
		cclient_error(cc, ERR_UNKNOWN_COMMAND, "unknown command \"%s\"", safe);
		return;
	}
	if (o->stopping(o->arg)) {
		cclient_error(cc, ERR_SHUTTING_DOWN, "the daemon is ending");
		return;
	}
	if (command_table[cl.id].class != IPC_CLASS_R && !may_write(cc, cl.name))
		return;
	if (!command_line_fits(&cl))
		command_usage(cc, cl.id);
	else
		handlers[cl.id](cc, &cl);
}
