/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "login_act.h"
#include "login_auth.h"
#include "login_logout.h"
#include "login_map.h"

/* Logging out, and what is erased by it. */

#define LOGOUT_MS       30000 /* without force: then the server counts as unreachable */
#define LOGOUT_FORCE_MS 10000

void
auth_erase(struct login *c)
{
	login_disarm(c, LT_LOGOUT);
	c->profile.want_running = 0;
	profile_forget_login(&c->profile);
	auth_forget_candidate(c);
	c->have_node = c->have_old = 0;
	c->vouched_ms = 0;
	c->op = OP_CLEAR;
	c->op_id = login_save(c, SAVE_CLEAR);
}

static void
logout_over(struct login *c, int ok)
{
	struct login_goal next = c->next;
	struct login_action *a;

	login_disarm(c, LT_LOGOUT);
	memset(&c->next, 0, sizeof(c->next));
	a = login_act(c, LA_LOGOUT_DONE, IPC_ID_NONE);
	a->u.done.ok = ok;
	a->u.done.at_server = c->logout_at_server;
	auth_end_goal(c);
	if (next.kind == GOAL_LOGIN)
		auth_login(c, &next);
	else
		auth_go(c); /* a check of the server key may be due */
}

/* OUT-03: the netmap is dropped with the login, whatever the server does. */
void
auth_erased(struct login *c, int saved, const char *err)
{
	c->op = OP_NONE;
	c->logged_in = c->expired = c->self_expired = 0;
	c->authorized = 1;
	login_disarm(c, LT_EXPIRY);
	map_drop(c);
	if (!saved)
		snprintf(c->logout_err, sizeof(c->logout_err), "logged out, but this could not be saved: %s", err);
	logout_over(c, saved);
}

void
auth_logout_failed(struct login *c, const char *err)
{
	strlcpy(c->logout_err, err, sizeof(c->logout_err));
	login_set_err(c, SRC_AUTH, CAUSE_NONE, err);
	login_advise(c, SRC_AUTH, "`tailnetctl logout force` forgets the login without the server");
	c->logout_at_server = 0;
	if (c->goal.force)
		auth_erase(c); /* OUT-04 */
	else
		logout_over(c, 0);
}

static void
join_logout(struct login *c, int force)
{
	if (force && !c->goal.force)
		login_arm(c, LT_LOGOUT, LOGOUT_FORCE_MS);
	c->goal.force |= force;
}

void
auth_logout(struct login *c, int force)
{
	struct login_goal g = { .kind = GOAL_LOGOUT, .force = force };

	if (c->next.with_key)
		login_act(c, LA_FORGET_KEY, IPC_ID_NONE);
	memset(&c->next, 0, sizeof(c->next));
	if (c->goal.kind == GOAL_LOGOUT) {
		join_logout(c, force); /* both are answered when it is done */
		return;
	}
	c->logout_at_server = 1;
	c->logout_err[0] = '\0';
	c->tried = 1;
	if (!c->have_node) { /* OUT-04: no node key is registered */
		auth_stop(c);
		auth_drop_candidate(c);
		auth_end_goal(c);
		c->goal = g;
		auth_erase(c);
		return;
	}
	login_arm(c, LT_LOGOUT, force ? LOGOUT_FORCE_MS : LOGOUT_MS);
	auth_new_goal(c, &g);
}

void
auth_on_logout_timer(struct login *c)
{
	if (c->goal.kind != GOAL_LOGOUT || c->op == OP_CLEAR)
		return;
	auth_stop(c);
	auth_logout_failed(c, "logout: the server does not answer");
}
