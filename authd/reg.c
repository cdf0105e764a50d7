/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "dialclient.h"
#include "json.h"
#include "jsonparse.h"
#include "log.h"
#include "reg.h"
#include "register.h"
#include "request.h"
#include "text.h"

#define BODY_ROOM     (4 * HOSTINFO_ROOM)
#define HOSTINFO_ROOM (256u * 1024)

/* Frees what the operation holds: connection, answer (it may hold a login URL), timers. */
void
reg_abandon(struct authd *a)
{
	if (a->request != NULL)
		request_cancel(a->request);
	a->request = NULL;
	if (a->session != NULL)
		child_session_free(a->c, a->session);
	a->session = NULL;
	timer_stop(&a->settle);
	register_wipe(&a->body);
	a->status = a->failed = a->greeted = 0;
	a->cause = CAUSE_NONE;
	explicit_bzero(a->retry_after, sizeof(a->retry_after));
	a->err[0] = '\0';
}

static void
settle_soon(struct authd *a)
{
	a->request = NULL;
	timer_set_ms(&a->settle, 0);
}

static void
answer_failed(struct authd *a, int outcome, const char *why)
{
	a->failed = outcome;
	text_sanitize(why, strlen(why), a->err, sizeof(a->err));
}

/* --- the request: start and end --- */

static void
on_head(void *arg, int status)
{
	struct authd *a = arg;
	const char *retry = request_header(a->request, "retry-after");

	a->status = status;
	if (retry != NULL)
		strlcpy(a->retry_after, retry, sizeof(a->retry_after));
	if (status != 200)
		op_deadline(a, ERROR_BODY_MS);
}

static int
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct authd *a = arg;
	size_t room;

	if (a->status == 200) {
		if (buf_put(&a->body, p, n) == 0)
			return 0;
		answer_failed(a, IPC_REG_BAD_ANSWER, "register: the answer is larger than 1 MiB");
		settle_soon(a);
		return -1;
	}
	room = ERROR_BODY_MAX - buf_len(&a->body);
	buf_put(&a->body, p, n < room ? n : room);
	if (n < room)
		return 0;
	settle_soon(a);
	return -1;
}

static void
on_done(void *arg, enum request_err err, const char *why)
{
	struct authd *a = arg;

	settle_soon(a);
	if (err == REQ_OK || (a->status != 0 && a->status != 200))
		return; /* an error answer counts even when its text was cut off */
	if (err == REQ_TOO_LARGE)
		answer_failed(a, IPC_REG_BAD_ANSWER, "register: the answer is larger than 1 MiB");
	else
		answer_failed(a, IPC_REG_TRANSPORT, why != NULL ? why : "connection lost");
}

static void
on_up(void *arg)
{
	(void)arg;
	log_debug("connected to the control server");
}

static void
on_down(void *arg, const char *why, enum cause cause)
{
	struct authd *a = arg;

	a->cause = cause;
	if (a->op == IPC_REG_PROBE && !a->greeted) { /* there is no request to fail */
		answer_failed(a, IPC_REG_TRANSPORT, why != NULL ? why : "connection lost");
		settle_soon(a);
		return;
	}
	if (a->failed == IPC_REG_TRANSPORT && why != NULL && why[0] != '\0')
		answer_failed(a, IPC_REG_TRANSPORT, why); /* knows more than the request's own end */
}

/* --- results --- */

static uint32_t
outcome_of(const struct authd *a, const struct register_answer *ans)
{
	/* The server has forgotten or expired the key: that is what a logout wants (OUT-02). */
	if (a->op == IPC_REG_LOGOUT && (ans->outcome == REGISTER_KEY_EXPIRED || ans->outcome == REGISTER_URL))
		return IPC_REG_OK;
	switch (ans->outcome) {
	case REGISTER_OK: return IPC_REG_OK;
	case REGISTER_URL: return IPC_REG_URL;
	case REGISTER_KEY_EXPIRED: return IPC_REG_KEY_EXPIRED;
	case REGISTER_REFUSED: return IPC_REG_REFUSED;
	case REGISTER_LIMITED: return IPC_REG_RATE_LIMITED;
	case REGISTER_HTTP: return IPC_REG_HTTP;
	case REGISTER_BAD: break;
	}
	return IPC_REG_BAD_ANSWER;
}

static void
fill_result(const struct authd *a, const struct register_answer *ans, struct ipc_reg_result *r)
{
	r->outcome = outcome_of(a, ans);
	r->http_status = (uint32_t)ans->status;
	r->retry_after_ms = ans->retry_after_ms;
	r->machine_authorized = (uint32_t)ans->machine_authorized;
	r->user_id = ans->user_id;
	r->login_id = ans->login_id;
	IPC_SET(r, login_name, ans->login_name, strlen(ans->login_name));
	IPC_SET(r, display_name, ans->display_name, strlen(ans->display_name));
	IPC_SET(r, profile_pic, ans->profile_pic, strlen(ans->profile_pic));
	if (r->outcome == IPC_REG_URL)
		IPC_SET(r, url, ans->url, strlen(ans->url));
	if (r->outcome == IPC_REG_HTTP)
		r->cause = cause_of_http(ans->status);
	else if (r->outcome == IPC_REG_BAD_ANSWER)
		r->cause = CAUSE_OTHER;
	IPC_SET(r, err, ans->err, strlen(ans->err));
}

static void
finish(struct authd *a)
{
	struct ipc_reg_result r;
	struct register_answer ans;

	memset(&r, 0, sizeof(r));
	if (a->failed != 0) {
		r.outcome = (uint32_t)a->failed;
		r.http_status = (uint32_t)a->status;
		r.cause = a->failed == IPC_REG_TRANSPORT ? cause_first(a->cause, CAUSE_OTHER) : CAUSE_OTHER;
		IPC_SET(&r, err, a->err, strlen(a->err));
	} else if (a->op == IPC_REG_PROBE)
		r.outcome = IPC_REG_OK;
	else {
		register_judge(&ans, a->status, a->retry_after[0] != '\0' ? a->retry_after : NULL, time_wall().sec,
		    buf_ptr(&a->body), buf_len(&a->body), child_wire_config(a->c)->https != 0);
		fill_result(a, &ans, &r);
		explicit_bzero(&ans, sizeof(ans));
	}
	reg_abandon(a);
	op_end(a, IPC_REG_RESULT, &r, sizeof(r));
}

void
reg_settle(void *arg)
{
	finish(arg);
}

void
reg_deadline(struct authd *a)
{
	if (a->status == 0 || a->status == 200)
		answer_failed(a, IPC_REG_TRANSPORT, "register: no answer within 60 s");
	finish(a);
}

/* --- REGISTER --- */

static int
request_ok(const struct ipc_register *m)
{
	if (m->op < IPC_REG_LOGIN || m->op > IPC_REG_PROBE || (m->op != IPC_REG_PROBE && key_is_zero(&m->node_key)))
		return 0;
	if (!IPC_OK(m, followup) || !IPC_OK(m, auth_key))
		return 0;
	return (m->op == IPC_REG_FOLLOWUP) == (m->followup_len > 0);
}

/* REG-11: without a BackendLogID nothing is sent. */
static int
hostinfo_complete(const char *s, size_t n)
{
	char why[80];
	struct json_object *o = json_parse(s, n, &json_limits_default, why, sizeof(why));
	const char *id = NULL;
	size_t len = 0;
	int ok = o != NULL && json_get_str(o, "BackendLogID", &id, &len) == 1 && len > 0;

	json_object_put(o);
	return ok;
}

/* -1: it is too large.  The session copies the body and wipes its copy once it is encrypted. */
static int
send_request(struct authd *a, const struct ipc_register *m)
{
	static const struct request_ops ops = { .head = on_head, .data = on_data, .done = on_done };
	const struct wire_config *cfg = child_wire_config(a->c);
	struct register_request r = {
		.capver = cfg->capver,
		.node_key = m->node_key,
		.old_node_key = m->old_node_key,
		.logout = m->op == IPC_REG_LOGOUT,
		.ephemeral = m->ephemeral != 0,
		.followup = m->followup,
		.followup_len = m->followup_len,
		.auth_key = m->auth_key,
		.auth_key_len = m->auth_key_len,
	};
	struct request_spec spec = { .method = "POST",
		.lb = { &m->old_node_key, &m->node_key },
		.max_answer = REGISTER_MAX_ANSWER };
	char path[sizeof(cfg->prefix) + 32];
	struct buf body;

	r.hostinfo = child_hostinfo(a->c, &r.hostinfo_len);
	buf_init(&body, BODY_ROOM);
	snprintf(path, sizeof(path), "%s/machine/register", cfg->prefix);
	if (register_build(&body, &r) == 0) {
		a->session = child_session(a->c, on_up, on_down, a);
		spec.path = path;
		spec.body = buf_ptr(&body);
		spec.body_len = buf_len(&body);
		a->request = session_request(a->session, &spec, &ops, a);
	}
	register_wipe(&body);
	return a->request != NULL ? 0 : -1;
}

static void
probe(struct authd *a)
{
	a->session = child_session(a->c, on_up, on_down, a);
	session_connect(a->session);
}

static void
begin(struct authd *a, const struct ipc_register *m)
{
	const char *hostinfo;
	size_t n;

	a->op = (enum ipc_reg_op)m->op;
	hostinfo = child_hostinfo(a->c, &n);
	if (m->op != IPC_REG_PROBE && !hostinfo_complete(hostinfo, n)) {
		answer_failed(a, IPC_REG_BAD_ANSWER, "register: Hostinfo has no BackendLogID, nothing sent");
		finish(a);
		return;
	}
	if (m->op != IPC_REG_FOLLOWUP)
		op_deadline(a, REGISTER_MS);
	if (m->op == IPC_REG_PROBE) {
		probe(a);
	} else if (send_request(a, m) == -1) {
		answer_failed(a, IPC_REG_TRANSPORT, "register: the request is too large");
		finish(a);
	}
}

void
reg_greeted(struct authd *a)
{
	if (a->op != IPC_REG_PROBE)
		return;
	a->greeted = 1;
	settle_soon(a);
}

int
authd_on_register(void *ctx, const struct ipc_msg *m)
{
	struct authd *a = ctx;

	if (!request_ok(m->payload))
		return -1;
	op_begin(a, OP_REGISTER, m->id);
	begin(a, m->payload);
	return 0;
}
