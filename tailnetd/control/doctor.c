/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "cclient.h"
#include "clients.h"
#include "control_int.h"
#include "dial.h"
#include "dialaddr.h"
#include "doctor.h"
#include "jsonwrite.h"
#include "text.h"
#include "timer.h"

#define DOCTOR_MS 60000 /* the whole run */

/* In the order they are tried. */
enum at { AT_NAME, AT_TCP, AT_TLS, AT_KEY, AT_UPGRADE, AT_NOISE, AT_HTTP2, AT_REGISTER, AT_END };

static const char *const names[AT_END] = { "name resolution", "TCP", "TLS", "/key", "upgrade", "Noise", "HTTP/2",
	"register" };

struct doctor {
	const struct control_ops *o;
	struct cclient *cc; /* NULL: no run */
	enum at at;
	unsigned lines;    /* written */
	uint64_t since_us; /* this step began */
	struct dial *dial;
	struct timer deadline;
	struct pubkey key; /* from /key; zero = none yet */
	int registers;     /* the last step names our node key */
	uint32_t last_id;
};

static void begin_key(struct doctor *d);

/* --- lines --- */

static void
named_line(struct doctor *d, const char *name, int ok, int timed, const char *text)
{
	char clean[IPC_ERR_MAX + 1];
	struct jw w;

	text_sanitize(text, strlen(text), clean, sizeof(clean));
	jw_init(&w, &d->cc->out);
	jw_obj(&w);
	jw_kstr(&w, "name", name);
	jw_kbool(&w, "ok", ok);
	jw_key(&w, "ms");
	if (timed)
		jw_f1(&w, (double)(time_mono_us() - d->since_us) / 1000);
	else
		jw_null(&w);
	jw_kstr(&w, "text", clean);
	jw_obj_end(&w);
	buf_putc(&d->cc->out, '\n');
	d->lines++;
}

static void
line(struct doctor *d, int ok, int timed, const char *text)
{
	named_line(d, names[d->at], ok, timed, text);
}

static void
next(struct doctor *d)
{
	d->at = d->at + 1;
	d->since_us = time_mono_us();
}

/* The step is done.  The client may be closed by it, which ends the run: 0 then. */
static int
passed(struct doctor *d, const char *text)
{
	line(d, 1, 1, text);
	next(d);
	cclient_flush(d->cc);
	return d->cc != NULL;
}

static void
passed_over(struct doctor *d, const char *text)
{
	line(d, 1, 0, text);
	next(d);
}

static void
rest(struct doctor *d)
{
	timer_stop(&d->deadline);
	if (d->dial != NULL)
		dial_cancel(d->dial);
	d->dial = NULL;
	d->cc = NULL;
	d->o->doctor_unwant(d->o->arg);
}

static void
finish(struct doctor *d)
{
	struct cclient *cc = d->cc;
	char text[END_MAX];

	cc->wants_doctor = 0;
	rest(d);
	buf_put(&cc->out, text, end_line(text, d->lines, d->o->netmap->seq));
	cclient_finish(cc);
}

static void
failed(struct doctor *d, const char *text)
{
	line(d, 0, 1, text[0] != '\0' ? text : "no reason given");
	finish(d);
}

static void
too_long(void *arg)
{
	failed(arg, "stopped: took longer than one minute");
}

/* --- name resolution and TCP: by the parent itself --- */

static void
looked_up(void *arg, const struct ipc_addr *addrs, unsigned n)
{
	struct doctor *d = arg;
	char text[IPC_ERR_MAX], where[80];
	size_t used;
	unsigned i;

	used = (size_t)snprintf(text, sizeof(text), "%u address%s:", n, n == 1 ? "" : "es");
	for (i = 0; i < n && used < sizeof(text) - sizeof(where); i++) {
		dial_address_text(&addrs[i], 0, where, sizeof(where));
		where[strlen(where) - 2] = '\0'; /* the port, ":0" */
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", where);
	}
	line(d, 1, 1, text); /* sent with the next line: the run must not end within the callback of the dial */
	next(d);
}

static void
connected(void *arg, int fd, int err, const char *text)
{
	struct doctor *d = arg;

	(void)err;
	d->dial = NULL;
	if (fd != -1)
		close(fd);
	if (d->at == AT_NAME && fd != -1) {
		line(d, 0, 1, "no answer: trying the last good address");
		next(d);
	}
	if (fd == -1)
		failed(d, text);
	else if (passed(d, text))
		begin_key(d);
}

/* --- the rest: by a process of authd --- */

static void
begin_key(struct doctor *d)
{
	if (!d->o->cfg->https)
		passed_over(d, "not used: the control URL is http");
	d->o->doctor_want(d->o->arg);
}

static void
ask(struct doctor *d, enum ipc_type type, void *m, size_t len)
{
	d->o->doctor_ask(d->o->arg, type, ++d->last_id, m, len);
}

void
doctor_ready(struct control *c)
{
	struct doctor *d = c->doctor;
	struct ipc_empty none = { 0 };

	if (d->cc == NULL)
		return;
	d->since_us = time_mono_us();
	ask(d, IPC_KEY_FETCH, &none, sizeof(none));
}

void
doctor_dialled(struct control *c)
{
	struct doctor *d = c->doctor;

	if (d->at == AT_TLS || d->at == AT_KEY || d->at == AT_UPGRADE)
		d->since_us = time_mono_us(); /* TCP has its own line */
}

const struct pubkey *
doctor_server_key(const struct control *c)
{
	const struct pubkey *pin = login_pin(c->ops.login, NULL);

	return key_is_zero(pin) ? &c->doctor->key : pin;
}

/* Nothing with the present key may reach the server beside its logout or behind a new key (ROT-04). */
static int
key_changes(const struct login *c)
{
	return c->goal.kind == GOAL_LOGOUT || (c->goal.kind == GOAL_LOGIN && c->goal.candidate);
}

static void
begin_upgrade(struct doctor *d)
{
	const struct control_ops *o = d->o;
	struct ipc_register m;

	memset(&m, 0, sizeof(m));
	d->registers = login_logged_in(o->login) && !key_changes(o->login);
	m.op = d->registers ? IPC_REG_LOGIN : IPC_REG_PROBE;
	if (d->registers) {
		m.node_key = *keyring_public(o->keys, SLOT_NODE);
		m.old_node_key = *keyring_public(o->keys, SLOT_OLD);
		m.ephemeral = (uint32_t)o->cfg->ephemeral;
	}
	ask(d, IPC_REGISTER, &m, sizeof(m));
}

static const char *
way(const struct doctor *d, uint32_t kind, char *out, size_t size)
{
	const struct config *c = d->o->cfg;
	int tls = kind == IPC_DIAL_TLS;

	snprintf(out, size, "%s, port %u", tls ? "inside TLS" : "clear text", tls ? c->tls_port : c->clear_port);
	return out;
}

void
doctor_step(struct control *c, uint32_t id, const struct ipc_step *s)
{
	static const enum at ends[] = { [IPC_STEP_TLS] = AT_TLS,
		[IPC_STEP_UPGRADE] = AT_UPGRADE,
		[IPC_STEP_NOISE] = AT_NOISE,
		[IPC_STEP_HTTP2] = AT_HTTP2 };
	struct doctor *d = c->doctor;
	char text[80];

	if (d->cc == NULL || id != d->last_id || ends[s->what] != d->at)
		return; /* of an attempt that lost the race */
	switch (d->at) {
	case AT_TLS: (void)passed(d, "certificate valid"); break;
	case AT_UPGRADE: (void)passed(d, way(d, s->kind, text, sizeof(text))); break;
	case AT_NOISE: (void)passed(d, "server key verified"); break;
	default: (void)passed(d, "received the server's HTTP/2 settings"); break;
	}
}

/* No step of the server's: the proxy did not let us through. */
static void
proxy_failed(struct doctor *d, const char *err)
{
	named_line(d, "proxy", 0, 1, err);
	finish(d);
}

/*
 * Certificate and /key are where the server's key is from.  With a pinned one the daemon does without them, as with a
 * clock for which the certificate is not valid: they are no failure then.
 */
static void
key_not_needed(struct doctor *d, const char *err)
{
	char text[IPC_ERR_MAX];

	snprintf(text, sizeof(text), "not needed, for the server's key is pinned; it fails: %.330s", err);
	if (!passed(d, text))
		return;
	if (d->at == AT_KEY)
		passed_over(d, "not needed: the server's key is pinned");
	begin_upgrade(d);
}

void
doctor_key_result(struct control *c, uint32_t id, const struct ipc_key_result *r)
{
	struct doctor *d = c->doctor;
	const struct pubkey *pin = login_pin(c->ops.login, NULL);
	char err[IPC_ERR_MAX + 1], key[KEY_TEXT_MAX], text[IPC_ERR_MAX];

	if (d->cc == NULL || id != d->last_id)
		return;
	IPC_STR(r, err, err);
	if (!r->ok || d->at != AT_KEY) {
		if (r->cause == CAUSE_PROXY)
			proxy_failed(d, err);
		else if (!key_is_zero(pin) && (d->at == AT_TLS || d->at == AT_KEY))
			key_not_needed(d, err);
		else
			failed(d, err);
		return;
	}
	d->key = r->key;
	(void)key_format(KEY_MACHINE, &r->key, key);
	if (key_is_zero(pin) || memcmp(pin, &r->key, sizeof(*pin)) == 0) {
		snprintf(text, sizeof(text), "%s, %s", key, key_is_zero(pin) ? "none is pinned yet" : "as pinned");
		if (passed(d, text))
			begin_upgrade(d);
	} else {
		snprintf(text, sizeof(text), "the server offers %s, which is not the pinned key: see `server-key`",
		    key);
		failed(d, text);
	}
}

static const char *
register_trouble(const struct ipc_reg_result *r, const char *err)
{
	if (r->outcome == IPC_REG_URL)
		return "the server requires a new login";
	if (r->outcome == IPC_REG_KEY_EXPIRED)
		return "the node key has expired: log in again";
	return err;
}

void
doctor_reg_result(struct control *c, uint32_t id, const struct ipc_reg_result *r)
{
	struct doctor *d = c->doctor;
	char err[IPC_ERR_MAX + 1];

	if (d->cc == NULL || id != d->last_id)
		return;
	IPC_STR(r, err, err);
	if (r->outcome != IPC_REG_OK && r->cause == CAUSE_PROXY)
		proxy_failed(d, err);
	else if (r->outcome != IPC_REG_OK || d->at != AT_REGISTER)
		failed(d, register_trouble(r, err));
	else {
		if (d->registers)
			line(d, 1, 1, "the server knows this node");
		else if (login_logged_in(d->o->login))
			line(d, 1, 0, "not tried: a new key or a logout is under way");
		else
			line(d, 1, 0, "not tried: this machine is not logged in");
		finish(d);
	}
}

/* No step of the server's is to blame. */
void
doctor_child_gone(struct control *c, const char *how)
{
	struct doctor *d = c->doctor;

	if (d->cc == NULL)
		return;
	named_line(d, "authd", 0, 1, how);
	finish(d);
}

/* --- from outside --- */

int
doctor_busy(const struct doctor *d)
{
	return d->cc != NULL;
}

void
doctor_start(struct doctor *d, struct cclient *cc)
{
	const struct config *c = d->o->cfg;
	struct ipc_addr literal;

	d->cc = cc;
	d->at = AT_NAME;
	d->lines = 0;
	d->since_us = time_mono_us();
	memset(&d->key, 0, sizeof(d->key));
	d->registers = 0;
	cc->phase = CC_WAITING;
	cc->wants_doctor = 1;
	cclient_listen(cc);
	(void)timer_set_ms(&d->deadline, DOCTOR_MS);
	if (dial_parse_literal(c->via_proxy ? c->proxy_host : c->host, &literal) == 0)
		passed_over(d, "not needed: the configuration has an address");
	if ((d->dial = dial_start(d->o->dialler, &(struct dial_spec){ .kind = IPC_DIAL_URL }, connected, d)) == NULL)
		failed(d, "cannot start to look up");
	else
		dial_tell_lookup(d->dial, looked_up);
}

void
doctor_look(struct control *c)
{
	struct doctor *d = c->doctor;

	if (d->cc == NULL)
		return;
	if (c->ops.login->paused)
		failed(d, "stopped: paused");
	else if (d->registers && key_changes(c->ops.login))
		failed(d, "stopped: a new key or a logout is under way");
}

void
doctor_shutting_down(struct control *c)
{
	struct doctor *d = c->doctor;
	struct cclient *cc = d->cc;

	if (cc == NULL)
		return;
	cc->wants_doctor = 0;
	rest(d);
	cclient_error(cc, ERR_SHUTTING_DOWN, "incomplete: the daemon is ending");
}

void
doctor_abandon(struct doctor *d)
{
	rest(d);
}

struct doctor *
doctor_new(struct control *c)
{
	struct doctor *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->o = &c->ops;
	if (timer_init(&d->deadline, c->ops.base, too_long, d) == -1) {
		free(d);
		return NULL;
	}
	return d;
}

void
doctor_free(struct doctor *d)
{
	if (d == NULL)
		return;
	if (d->dial != NULL)
		dial_cancel(d->dial);
	timer_free(&d->deadline);
	free(d);
}
