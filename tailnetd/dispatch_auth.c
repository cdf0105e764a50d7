/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "dispatch.h"
#include "dispatch_auth.h"
#include "parent.h"
#include "text.h"
#include "url.h"

/* Requests to authd and its answers: one operation at a time, one result for each (ipc/msgs.h). */

#define AUTHD_LINGER_MS 5000

static void
result_came(struct child *c)
{
	if (c->unanswered > 0)
		c->unanswered--;
	if (c->unanswered == 0) {
		ipc_set_state(c->ipc, IPC_S_IDLE);
		child_unwant(c, AUTHD_LINGER_MS);
	}
}

int
dispatch_key_result_ok(const struct ipc_key_result *r)
{
	return IPC_OK(r, err) && r->ok <= 1 && r->cause < CAUSE_COUNT && (!r->ok || !key_is_zero(&r->key));
}

int
dispatch_key_result(void *arg, const struct ipc_msg *m)
{
	const struct ipc_key_result *r = m->payload;
	struct child *c = arg;
	struct login_event e = { .type = LE_KEY, .id = m->id };
	char err[IPC_ERR_MAX + 1];

	if (!dispatch_key_result_ok(r))
		return -1;
	IPC_STR(r, err, err);
	if (r->ok)
		dialler_proved_url(c->p->dialler, c);
	e.u.key.ok = (int)r->ok;
	e.u.key.key = r->key;
	e.u.key.cause = (enum cause)r->cause;
	e.u.key.err = err;
	result_came(c);
	parent_event(c->p, &e);
	return 0;
}

/* INT-05, checked again here: the child has parsed the server's data, and users open the URL unchecked. */
int
dispatch_url_ok(const struct parent *p, const char *url)
{
	return url_is_showable(url, strlen(url), p->cfg.https != 0);
}

int
dispatch_reg_result_ok(const struct ipc_reg_result *r)
{
	return r->outcome >= IPC_REG_OK && r->outcome <= IPC_REG_TRANSPORT && r->cause < CAUSE_COUNT &&
	    IPC_OK(r, login_name) && IPC_OK(r, display_name) && IPC_OK(r, profile_pic) && IPC_OK(r, url) &&
	    IPC_OK(r, err) && (r->outcome != IPC_REG_URL || r->url_len > 0);
}

/* A server may quote the key in its error, which the control group and the log can read. */
static void
hide_auth_keys(struct parent *p, char *text)
{
	static const enum login_authkey which[] = { AUTHKEY_CONFIGURED, AUTHKEY_GIVEN };
	char key[IPC_AUTHKEY_MAX + 1], ignored[400];
	size_t len, i;

	for (i = 0; *text != '\0' && i < sizeof(which) / sizeof(which[0]); i++) {
		if (which[i] == AUTHKEY_CONFIGURED ? p->cfg.auth_key_file[0] == '\0' : p->auth_key == NULL)
			continue;
		if (parent_auth_key(p, which[i], key, sizeof(key), &len, ignored, sizeof(ignored)) == 0)
			text_hide(text, key, len);
		sodium_memzero(key, sizeof(key));
	}
}

int
dispatch_reg_result(void *arg, const struct ipc_msg *m)
{
	const struct ipc_reg_result *r = m->payload;
	struct child *c = arg;
	struct login_event e = { .type = LE_REG, .id = m->id };
	static char login[IPC_NAME_MAX + 1], display[IPC_NAME_MAX + 1], pic[IPC_URL_MAX + 1], url[IPC_URL_MAX + 1];
	char err[IPC_ERR_MAX + 1];

	if (!dispatch_reg_result_ok(r))
		return -1;
	IPC_STR(r, login_name, login);
	IPC_STR(r, display_name, display);
	IPC_STR(r, profile_pic, pic);
	IPC_STR(r, url, url);
	IPC_STR(r, err, err);
	hide_auth_keys(c->p, err);
	if (r->outcome == IPC_REG_URL && !dispatch_url_ok(c->p, url))
		return -1;
	e.u.reg.outcome = (enum ipc_reg_outcome)r->outcome;
	e.u.reg.retry_after_ms = r->retry_after_ms;
	e.u.reg.cause = (enum cause)r->cause;
	e.u.reg.user = (struct login_user){ r->user_id, login, display, pic };
	e.u.reg.url = url;
	e.u.reg.err = err;
	if (r->outcome == IPC_REG_OK || r->outcome == IPC_REG_URL)
		c->p->counters.registers_ok++;
	else
		c->p->counters.registers_failed++;
	result_came(c);
	parent_event(c->p, &e);
	return 0;
}

void
dispatch_send_register(struct child *c)
{
	const struct login_action *a = &c->work;
	struct parent *p = c->p;
	struct ipc_register m;
	char key[IPC_AUTHKEY_MAX + 1], err[IPC_ERR_MAX + 1];
	size_t len = 0;

	memset(&m, 0, sizeof(m));
	m.op = (uint32_t)a->u.reg.op;
	m.ephemeral = (uint32_t)a->u.reg.ephemeral;
	m.node_key = *keyring_public(p->keys, a->u.reg.candidate ? SLOT_CANDIDATE : SLOT_NODE);
	m.old_node_key = *keyring_public(p->keys, a->u.reg.candidate ? SLOT_NODE : SLOT_OLD);
	if (a->u.reg.op == IPC_REG_FOLLOWUP)
		IPC_SET(&m, followup, p->login.goal.url, strlen(p->login.goal.url));
	if (a->u.reg.authkey != AUTHKEY_NONE) {
		if (parent_auth_key(p, a->u.reg.authkey, key, sizeof(key), &len, err, sizeof(err)) == -1) {
			struct login_event e = { .type = LE_REG, .id = a->id };

			e.u.reg.outcome = IPC_REG_REFUSED;
			e.u.reg.key_file = a->u.reg.authkey == AUTHKEY_CONFIGURED;
			e.u.reg.err = err;
			e.u.reg.url = "";
			e.u.reg.user = (struct login_user){ 0, "", "", "" };
			child_unwant(c, AUTHD_LINGER_MS);
			parent_event(p, &e);
			return;
		}
		IPC_SET(&m, auth_key, key, len);
	}
	c->unanswered++;
	ipc_set_state(c->ipc, IPC_S_BUSY);
	ipc_send(c->ipc, IPC_REGISTER, a->id, &m, sizeof(m), -1);
	sodium_memzero(key, sizeof(key));
}
