/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "login_act.h"
#include "login_auth.h"
#include "login_logout.h"
#include "login_map.h"

/* Logging in: server key, register, follow-up.  One operation at a time; c->op says which. */

#define CHECK_AGAIN_MS (5u * 60 * 1000) /* a suspicious handshake leads to /key at most this often (security.md T1) */
#define CHECK_RETRY_MS 30000            /* when /key did not answer */
#define RETRY_MIN_MS   1000             /* 429, BACK-05; authd has clamped it, but authd is not trusted */
#define RETRY_MAX_MS   (60u * 60 * 1000)
#define VOUCH_MIN_SEC  2   /* our clock says expired, the server says not: ask again after the time that it is past, */
#define VOUCH_MAX_SEC  300 /* within these: an expiry is known to the second, and clocks differ a little */
#define LASTING_MS     60000 /* a login that is not asked for sooner after another one waits longer each time */
#define SOON_PAUSES    8     /* ... and its attempts have the pauses of this number of failures */
#define HELD_MS        10000 /* a follow-up held for less was ended early by the server */

static void
put_text(char *dst, size_t size, const char *s)
{
	strlcpy(dst, s != NULL ? s : "", size);
}

/* --- keys --- */

/* What happens to the candidate (enum candidate of login.h). */
enum candidate_step { MADE, WRITE, SAVED, NOT_TAKEN, REMOVED, STEP_COUNT };

static void
step_candidate(struct login *c, enum candidate_step s)
{
	static const signed char next[CANDIDATE_COUNT][STEP_COUNT] = {
#define NEVER (-1)
		/* MADE: generated; WRITE: its save is requested; SAVED; NOT_TAKEN: the server answered with a URL;
		 * REMOVED: wiped, or the current key now */
		[CANDIDATE_NONE] = { CANDIDATE_MEMORY, NEVER, NEVER, CANDIDATE_NONE, CANDIDATE_NONE },
		[CANDIDATE_MEMORY] = { NEVER, CANDIDATE_WRITING, NEVER, CANDIDATE_MEMORY, CANDIDATE_NONE },
		[CANDIDATE_WRITING] = { NEVER, CANDIDATE_WRITING, CANDIDATE_WRITTEN, CANDIDATE_MEMORY, CANDIDATE_NONE },
		[CANDIDATE_WRITTEN] = { NEVER, NEVER, NEVER, CANDIDATE_MEMORY, CANDIDATE_NONE },
		[CANDIDATE_EARLIER] = { NEVER, NEVER, NEVER, CANDIDATE_MEMORY, CANDIDATE_NONE },
	};

	if (next[c->candidate][s] == NEVER)
		abort(); /* no event leads there */
	c->candidate = (enum candidate)next[c->candidate][s];
	c->profile.candidate = c->candidate >= CANDIDATE_WRITING;
}

void
auth_forget_candidate(struct login *c)
{
	step_candidate(c, REMOVED);
}

void
auth_drop_candidate(struct login *c)
{
	int in_file = c->profile.candidate;

	if (c->candidate != CANDIDATE_NONE)
		login_act(c, LA_DROP_CANDIDATE, IPC_ID_NONE);
	step_candidate(c, REMOVED);
	c->goal.candidate = 0;
	if (in_file)
		login_save(c, SAVE_PLAIN);
}

void
auth_key_ok(struct login *c)
{
	c->suspect = 0;
	memset(&c->offered, 0, sizeof(c->offered));
	c->next_check_ms = 0;
}

static int
check_due(const struct login *c)
{
	return c->suspect && c->now_ms >= c->next_check_ms;
}

void
auth_suspect(struct login *c)
{
	c->suspect = 1;
	if (c->goal.kind == GOAL_NONE && !c->paused)
		auth_go(c);
}

/* --- one step at a time --- */

static void
wait_ms(struct login *c, unsigned ms)
{
	c->auth_wait = 1;
	login_arm(c, LT_AUTH, ms);
}

static void
back_off(struct login *c)
{
	wait_ms(c, login_delay(c, &c->auth_backoff));
}

static void
fetch_key(struct login *c, enum login_op op)
{
	c->op = op;
	c->op_id = login_new_id(c);
	login_act(c, LA_KEY_FETCH, c->op_id);
}

static void
send_register(struct login *c, enum ipc_reg_op op)
{
	struct login_action *a;

	c->op = OP_REGISTER;
	c->op_id = login_new_id(c);
	c->asked_ms = c->now_ms;
	a = login_act(c, LA_REGISTER, c->op_id);
	a->u.reg.op = op;
	if (op == IPC_REG_LOGOUT)
		return;
	a->u.reg.candidate = c->goal.candidate;
	if (op == IPC_REG_LOGIN) {
		a->u.reg.authkey = c->op_authkey;
		a->u.reg.ephemeral = c->goal.ephemeral; /* protocol.md D.5: the initial request only */
		c->goal.attempts++;
	}
	map_go(c); /* the map's connection may be made meanwhile */
}

/* protocol.md D.4, third row, but only the server says that the key is expired (E3 of the faults). */
static int
must_regen(const struct login *c)
{
	return !c->have_node || c->goal.interactive || c->goal.regen;
}

static int
have_auth_key(const struct login *c)
{
	return c->cfg->auth_key_file[0] != '\0';
}

/* REG-05: when the auth key is sent. */
static enum login_authkey
which_authkey(const struct login *c)
{
	if (c->goal.with_key)
		return AUTHKEY_GIVEN;
	if (have_auth_key(c) && !c->goal.interactive && must_regen(c))
		return AUTHKEY_CONFIGURED;
	return AUTHKEY_NONE;
}

static void
begin_login(struct login *c)
{
	if (c->goal.url[0] != '\0') {
		send_register(c, IPC_REG_FOLLOWUP); /* FUP-01: the same key as before */
		return;
	}
	c->op_authkey = which_authkey(c);
	c->goal.candidate = must_regen(c);
	if (c->goal.candidate && c->candidate == CANDIDATE_NONE) {
		login_act(c, LA_GENERATE, IPC_ID_NONE);
		step_candidate(c, MADE);
	}
	if (c->goal.candidate && c->op_authkey != AUTHKEY_NONE && c->candidate < CANDIDATE_WRITTEN) {
		step_candidate(c, WRITE);
		c->op = OP_WRITE_AHEAD;
		c->op_id = login_save(c, SAVE_PLAIN);
		return;
	}
	send_register(c, IPC_REG_LOGIN);
}

/* Once logged in the key is missing when a configured one was removed: the map needs one as well. */
static int
key_missing(const struct login *c)
{
	return key_is_zero(login_pin(c, NULL)) && (c->goal.kind != GOAL_NONE || c->logged_in);
}

void
auth_go(struct login *c)
{
	int idle = c->goal.kind == GOAL_NONE || (c->goal.kind == GOAL_LOGIN && c->paused);

	if (c->op != OP_NONE || c->auth_wait || (idle && (c->paused || (!check_due(c) && !key_missing(c)))))
		return;
	c->tried |= !idle;
	if (key_missing(c))
		fetch_key(c, OP_KEY);
	else if (check_due(c))
		fetch_key(c, OP_KEY_CHECK);
	else if (c->goal.kind == GOAL_LOGIN)
		begin_login(c);
	else
		send_register(c, IPC_REG_LOGOUT);
}

void
auth_stop(struct login *c)
{
	if (c->op == OP_KEY || c->op == OP_KEY_CHECK || c->op == OP_REGISTER)
		login_act(c, LA_AUTH_CANCEL, c->op_id);
	c->op = OP_NONE;
	c->op_id = IPC_ID_NONE;
	c->auth_wait = 0;
	login_disarm(c, LT_AUTH);
	backoff_reset(&c->auth_backoff);
	c->hurried = 0;
}

static int
of_itself(const struct login_goal *g)
{
	return g->by_expiry || g->by_refusal;
}

/*
 * Replaces the goal; only a candidate on which an auth key may have been spent is kept.  The new goal begins after ms,
 * but not after a pause: what follows a pause begins at once (PAU-02).
 */
void
auth_new_goal_after(struct login *c, const struct login_goal *g, unsigned ms)
{
	struct backoff pauses = c->auth_backoff;
	int keep;

	auth_stop(c);
	if (of_itself(g) || (g->kind == GOAL_NONE && of_itself(&c->goal)))
		c->auth_backoff = pauses; /* auth_ask() knows when to reset it */
	keep = g->kind != GOAL_LOGOUT && c->profile.candidate && !g->interactive;
	if (!keep)
		auth_drop_candidate(c);
	if (c->goal.with_key && !g->with_key)
		login_act(c, LA_FORGET_KEY, IPC_ID_NONE);
	c->goal = *g;
	c->prepare_failed = 0;
	if (ms > 0 && !c->paused)
		wait_ms(c, ms);
	auth_go(c);
	map_go(c);
}

void
auth_new_goal(struct login *c, const struct login_goal *g)
{
	auth_new_goal_after(c, g, 0);
}

void
auth_end_goal(struct login *c)
{
	if (c->goal.with_key)
		login_act(c, LA_FORGET_KEY, IPC_ID_NONE);
	if (!of_itself(&c->goal))
		backoff_reset(&c->auth_backoff);
	memset(&c->goal, 0, sizeof(c->goal));
	c->hurried = 0;
}

/*
 * A key that expires at once, a server (or mapd) that reports it as expired and valid in turn, or one that accepts a
 * key and does not know it, would cause endless logins: each one waits longer (EXP-03).
 */
void
auth_ask(struct login *c, int by_expiry)
{
	struct login_goal g = { .kind = GOAL_LOGIN,
		.ephemeral = c->cfg->ephemeral,
		.by_expiry = by_expiry,
		.by_refusal = !by_expiry };
	int soon = c->calm_ms != 0 && c->now_ms - c->calm_ms < LASTING_MS;

	if (c->goal.kind != GOAL_NONE || !c->profile.want_running)
		return;
	if (!soon) {
		backoff_reset(&c->expiry_backoff);
		backoff_reset(&c->auth_backoff);
	} else if (c->auth_backoff.n < SOON_PAUSES) {
		c->auth_backoff.n = SOON_PAUSES;
	}
	c->calm_ms = c->now_ms;
	/* A round asks twice: with the current key and with a new one. */
	auth_new_goal_after(c, &g, soon ? 4 * login_delay(c, &c->expiry_backoff) : 0);
}

/* --- login --- */

void
auth_login(struct login *c, const struct login_goal *g)
{
	int was = c->profile.want_running;

	c->profile.want_running = 1;
	c->next_check_ms = 0;
	auth_new_goal(c, g);
	if (!was && c->op != OP_WRITE_AHEAD)
		login_save(c, SAVE_PLAIN);
}

/* REG-10; REG-07: an answer without a profile removes nothing. */
static void
store_user(struct login *c, const struct login_user *u)
{
	if (u->id == 0 && (u->login_name == NULL || u->login_name[0] == '\0'))
		return;
	c->profile.user_id = u->id;
	put_text(c->profile.login_name, sizeof(c->profile.login_name), u->login_name);
	put_text(c->profile.display_name, sizeof(c->profile.display_name), u->display_name);
	put_text(c->profile.profile_pic, sizeof(c->profile.profile_pic), u->profile_pic);
}

static void
login_done(struct login *c)
{
	int same_key = !c->goal.candidate, alone = of_itself(&c->goal);

	c->logged_in = 1;
	c->calm_ms = c->now_ms;
	c->expired = c->self_expired = 0;
	login_clear_err(c, SRC_AUTH);
	login_act(c, LA_LOGIN_FINISHED, IPC_ID_NONE);
	auth_end_goal(c);
	expiry_check(c);
	if (alone && same_key)
		map_go(c); /* a running stream continues */
	else if (alone)
		map_renew(c);
	else
		map_restart(c);
	auth_go(c); /* the server key may be missing, or its check due */
}

/* The expiry of one key is not that of the other, and may not be saved with it; undo_keys() undoes this. */
static void
change_keys(struct login *c, enum login_op op, enum login_save how)
{
	c->uncommitted = c->profile;
	c->profile.node_key_expiry = TIME_NONE; /* until the next map */
	c->profile.unproven = op == OP_COMMIT;
	if (op == OP_COMMIT)
		c->profile.candidate = 0;
	c->op = op;
	c->op_id = login_save(c, how);
}

/* Old stays if it is the last key with a live map. */
static void
commit(struct login *c)
{
	change_keys(c, OP_COMMIT, c->profile.unproven && c->have_old ? SAVE_COMMIT_KEEP : SAVE_COMMIT);
}

static void
revert(struct login *c)
{
	change_keys(c, OP_REVERT, SAVE_REVERT);
}

static void
undo_keys(struct login *c)
{
	c->profile.node_key_expiry = c->uncommitted.node_key_expiry;
	c->profile.unproven = c->uncommitted.unproven;
	c->profile.candidate = c->candidate >= CANDIDATE_WRITING;
}

/* Until then our clock does not count (EXP-05); 0: it does not say that the key has expired. */
static uint64_t
vouched_until(const struct login *c)
{
	int64_t past = login_corrected(c, c->now).sec - c->profile.node_key_expiry.sec;

	if (time_is_none(c->profile.node_key_expiry) || past < 0)
		return 0;
	if (past > VOUCH_MAX_SEC)
		past = VOUCH_MAX_SEC;
	return c->now_ms + 1000 * (uint64_t)(past < VOUCH_MIN_SEC ? VOUCH_MIN_SEC : past);
}

static void
accepted(struct login *c, const struct login_event *e)
{
	store_user(c, &e->u.reg.user);
	if (c->goal.candidate) {
		commit(c);
		return;
	}
	c->vouched_ms = vouched_until(c);
	if (c->candidate != CANDIDATE_NONE) /* the server did not accept it: it would not know the current one */
		auth_drop_candidate(c);
	login_save(c, SAVE_PLAIN); /* no key depends on this save */
	login_done(c);
}

/* Once a minute: the answers to the candidate say the same, and a map that named each of them would cost many. */
int
auth_adopt(struct login *c)
{
	struct backoff pauses = c->auth_backoff;

	if (c->goal.kind == GOAL_LOGOUT || c->candidate == CANDIDATE_NONE || c->op == OP_WRITE_AHEAD ||
	    c->op == OP_COMMIT || c->op == OP_REVERT || (c->adopted_ms != 0 && c->now_ms - c->adopted_ms < LASTING_MS))
		return 0;
	c->adopted_ms = c->now_ms;
	auth_stop(c);
	c->auth_backoff = pauses;
	c->goal.candidate = 1;
	commit(c);
	return 1;
}

/* No user asked for this login, and the configuration leaves a new key to the user: the current one is all there is. */
static int
only_asks(const struct login *c)
{
	return (c->goal.by_expiry && c->cfg->expiry_wait) || (c->goal.by_refusal && c->cfg->login_manual);
}

/* The server has refused the current key.  1: another way than the URL that it may have sent is tried, or none may. */
static int
go_another_way(struct login *c, int expired)
{
	if (!expired && c->goal.by_refusal)
		c->logged_in = 0; /* the map and the register say the same; one alone ends no stream */
	if (!expired && c->profile.unproven && c->have_old) {
		revert(c);
	} else if (only_asks(c)) {
		c->self_expired |= expired;
		auth_end_goal(c);
		expiry_check(c);
		login_set_err(c, SRC_AUTH, CAUSE_UNKNOWN_NODE,
		    expired ? "the node key has expired" : "not a node of the tailnet");
	} else if (expired || c->expired || c->candidate >= CANDIDATE_WRITTEN || have_auth_key(c)) {
		c->goal.regen = 1;
		auth_go(c);
	} else {
		return 0;
	}
	return 1;
}

static int
was_held(const struct login *c)
{
	return c->now_ms - c->asked_ms >= HELD_MS;
}

/*
 * A follow-up has ended without a login, and the next request is due: at once when the server held it, else after a
 * growing pause, so that a server that answers with a URL, or reports the key as expired, each time is not asked in a
 * loop (FUP-03, BACK-03).
 */
static void
ask_again(struct login *c)
{
	c->hurried = !was_held(c);
	if (c->hurried)
		back_off(c);
	else
		auth_go(c);
}

static void
visit(struct login *c, const char *url)
{
	int first = c->goal.url[0] == '\0', same = strcmp(c->goal.url, url) == 0, in_file = c->profile.candidate;

	login_clear_err(c, SRC_AUTH);
	if (first && !c->goal.candidate && c->op_authkey == AUTHKEY_NONE && go_another_way(c, 0))
		return;
	step_candidate(c, NOT_TAKEN);
	if (in_file) /* the auth key was not enough: from here on it is a login by URL */
		login_save(c, SAVE_PLAIN);
	if (!same) {
		strlcpy(c->goal.url, url, sizeof(c->goal.url));
		login_act(c, LA_BROWSE, IPC_ID_NONE);
		map_go(c); /* a connection prepared for the map would wait for too long */
	}
	if (first && !c->hurried)
		auth_go(c);
	else
		ask_again(c);
}

/*
 * REG-06; a followup that ends so is followed by a plain new attempt (protocol.md D.3, case 6).  A server may have
 * stored a candidate that was sent with an auth key: it is the node's key when an administrator extends the node.
 */
static void
key_expired(struct login *c)
{
	int followup = c->goal.url[0] != '\0', fresh = c->goal.candidate && !followup;

	c->goal.url[0] = '\0';
	if (!fresh || c->op_authkey == AUTHKEY_NONE)
		auth_drop_candidate(c);
	if (fresh) {
		login_set_err(c, SRC_AUTH, CAUSE_REFUSED, "the server reports a new node key as expired");
		login_advise(c, SRC_AUTH, "its administrator can extend the node, or its clock is wrong");
		back_off(c);
	} else if (followup) {
		c->goal.regen = 1;
		ask_again(c);
	} else {
		(void)go_another_way(c, 1);
	}
}

#define ABOUT_TAGS "if it is about tags see advertise-tags; "
#define NEW_FILE   "if it is about the auth key, put another into auth-key-file or run `tailnetctl login interactive`"
#define NEW_KEY    "if it is about the auth key, run `tailnetctl login --auth-key-file FILE` with another one"
#define ASK_ADMIN  "ask the administrator of the server, or log in again: `tailnetctl login interactive`"

/* RegisterResponse.Error may be about the key, the tags or the server's own database.  It is not interpreted. */
static void
refused(struct login *c, const char *err, int key_file)
{
	static const char *const advices[][2] = {
		[AUTHKEY_NONE] = { ASK_ADMIN, ABOUT_TAGS ASK_ADMIN },
		[AUTHKEY_CONFIGURED] = { NEW_FILE, ABOUT_TAGS NEW_FILE },
		[AUTHKEY_GIVEN] = { NEW_KEY, ABOUT_TAGS NEW_KEY },
	};

	login_set_err(c, SRC_AUTH, key_file ? CAUSE_OTHER : CAUSE_REFUSED, err); /* by ourselves, or by the server */
	login_advise(c, SRC_AUTH,
	    key_file ? "see auth-key-file in tailnetd.conf(5)" : advices[c->op_authkey][c->cfg->ntags > 0]);
}

static void
login_answer(struct login *c, const struct login_event *e)
{
	unsigned ms = e->u.reg.retry_after_ms;

	if (c->goal.url[0] != '\0' && was_held(c))
		backoff_reset(&c->auth_backoff);
	switch (e->u.reg.outcome) {
	case IPC_REG_OK: accepted(c, e); return;
	case IPC_REG_URL: visit(c, e->u.reg.url); return;
	case IPC_REG_KEY_EXPIRED: key_expired(c); return;
	case IPC_REG_RATE_LIMITED:
		login_set_err(c, SRC_AUTH, CAUSE_NONE, e->u.reg.err);
		wait_ms(c, ms < RETRY_MIN_MS ? RETRY_MIN_MS : ms > RETRY_MAX_MS ? RETRY_MAX_MS : ms);
		return;
	case IPC_REG_REFUSED:
	case IPC_REG_HTTP:
	case IPC_REG_BAD_ANSWER:
	case IPC_REG_TRANSPORT: break;
	}
	if (e->u.reg.outcome == IPC_REG_REFUSED)
		refused(c, e->u.reg.err, e->u.reg.key_file);
	else
		login_set_err(c, SRC_AUTH, e->u.reg.cause, e->u.reg.err);
	back_off(c);
}

void
login_start(struct login *c)
{
	struct login_goal g = { .kind = GOAL_LOGIN, .ephemeral = c->cfg->ephemeral, .by_expiry = c->expired };

	if (c->logged_in || c->goal.kind != GOAL_NONE || !c->profile.want_running || c->cfg->login_manual)
		return;
	if (c->have_node || c->candidate != CANDIDATE_NONE || have_auth_key(c))
		auth_new_goal(c, &g);
}

/* --- answers --- */

static void
key_failed(struct login *c, enum cause cause, const char *err)
{
	if (c->goal.kind == GOAL_LOGOUT) {
		auth_logout_failed(c, err);
		return;
	}
	login_set_err(c, SRC_AUTH, cause, err);
	back_off(c);
}

/* security.md D9: the result is a hint; the pin stays until the administrator accepts the other key. */
static void
key_checked(struct login *c, const struct login_event *e)
{
	if (e->u.key.ok && key_equal(&e->u.key.key, login_pin(c, NULL)))
		auth_key_ok(c);
	else if (e->u.key.ok && !key_is_zero(&e->u.key.key))
		c->offered = e->u.key.key;
	c->next_check_ms = c->now_ms + (e->u.key.ok ? CHECK_AGAIN_MS : CHECK_RETRY_MS);
	auth_go(c);
}

void
auth_on_key(struct login *c, const struct login_event *e)
{
	enum login_op op = c->op;

	if (e->id != c->op_id || (op != OP_KEY && op != OP_KEY_CHECK))
		return;
	c->op = OP_NONE;
	if (op == OP_KEY_CHECK) {
		key_checked(c, e);
		return;
	}
	if (!e->u.key.ok || key_is_zero(&e->u.key.key)) {
		key_failed(c, e->u.key.ok ? CAUSE_OTHER : e->u.key.cause,
		    e->u.key.ok ? "the server has no noise key" : e->u.key.err);
		return;
	}
	login_clear_err(c, SRC_AUTH);
	if (key_is_zero(&c->profile.server_key)) { /* none was accepted meanwhile */
		c->profile.server_key = e->u.key.key;
		c->profile.pin_source = PIN_FIRST_USE;
		c->profile.pin_since = c->now;
		login_save(c, SAVE_PLAIN);
	}
	auth_go(c);
	map_go(c);
}

void
auth_on_reg(struct login *c, const struct login_event *e)
{
	if (e->id != c->op_id || c->op != OP_REGISTER)
		return;
	c->op = OP_NONE;
	if (e->u.reg.outcome != IPC_REG_TRANSPORT)
		auth_key_ok(c);
	else if (e->u.reg.cause == CAUSE_SERVER_KEY)
		c->suspect = 1;
	if (c->goal.kind == GOAL_LOGIN)
		login_answer(c, e);
	else if (e->u.reg.outcome == IPC_REG_OK || e->u.reg.outcome == IPC_REG_KEY_EXPIRED)
		auth_erase(c); /* OUT-02 */
	else
		auth_logout_failed(c, e->u.reg.err);
	map_go(c);
}

/* Not an error of the login: the next authd repeats the operation. */
void
auth_on_gone(struct login *c)
{
	if (c->op != OP_KEY && c->op != OP_KEY_CHECK && c->op != OP_REGISTER)
		return;
	c->op = OP_NONE;
	auth_go(c);
}

/* --- saves --- */

static void
committed(struct login *c)
{
	c->have_old = c->have_node;
	c->have_node = 1;
	c->vouched_ms = 0;
	c->self_key = SELF_KEY_UNKNOWN;
	c->asked_for_key = 0;
	step_candidate(c, REMOVED);
	login_done(c);
}

static void
reverted(struct login *c)
{
	c->have_old = 0;
	c->vouched_ms = 0;
	c->expired = c->self_expired = 0;
	map_drop_prepared(c); /* it was made with the other key, as was a stream */
	map_renew(c);
	auth_go(c);
}

void
auth_on_saved(struct login *c, uint32_t id, int ok, const char *err)
{
	enum login_op op = c->op;

	if (op != OP_WRITE_AHEAD && op != OP_COMMIT && op != OP_REVERT && op != OP_CLEAR)
		return;
	if (id != c->op_id) {
		/*
		 * A later save succeeded after ours failed, so retry.  An earlier result is irrelevant: ours is still
		 * running.
		 */
		if (ok && op != OP_CLEAR && (int32_t)(id - c->op_id) > 0)
			auth_on_save_timer(c);
		return;
	}
	if (op == OP_CLEAR) {
		auth_erased(c, ok, err);
		return;
	}
	if (!ok) { /* LT_SAVE is armed */
		if (op == OP_COMMIT || op == OP_REVERT)
			undo_keys(c);
		return;
	}
	c->op = OP_NONE;
	if (op == OP_WRITE_AHEAD) {
		step_candidate(c, SAVED);
		send_register(c, IPC_REG_LOGIN);
	} else if (op == OP_REVERT) {
		reverted(c);
	} else {
		committed(c);
	}
}

void
auth_on_save_timer(struct login *c)
{
	uint32_t id;

	if (c->op == OP_COMMIT) {
		commit(c);
		return;
	}
	if (c->op == OP_REVERT) {
		revert(c);
		return;
	}
	id = login_save(c, SAVE_PLAIN);
	if (c->op == OP_WRITE_AHEAD)
		c->op_id = id;
}
