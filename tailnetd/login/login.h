/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef LOGIN_H
#define LOGIN_H

#include "backoff.h"
#include "cause.h"
#include "config.h"
#include "msgs.h"
#include "profile.h"
#include "timefmt.h"

/*
 * The login and map life-cycle as pure code: events in, actions out; no I/O, no clock and no randomness of its own
 * (protocol.md D and H, behaviours.md INT FUP ROT OUT EXP PAU BACK).  parent.c carries the actions out in order and
 * feeds results back as events. login.c says how the keys are kept safe.
 */
enum login_state {			/* names: login_state_name(), interface.md 4 */
	LS_NEW, LS_NOT_AUTHENTICATED, LS_AUTHENTICATING, LS_URL_VISIT_REQUIRED, LS_AUTHENTICATED, LS_SYNCHRONIZED,
	LS_COUNT
};
const char *login_state_name(enum login_state s);

enum login_src { SRC_AUTH, SRC_MAP, SRC_UPDATE, SRC_STATE, SRC_COUNT };	/* errSource */
const char *login_src_name(enum login_src s);

enum login_timer { LT_AUTH, LT_MAP, LT_EXPIRY, LT_SAVE, LT_LOGOUT, LT_MAP_STOP, LT_SELF, LT_STREAM, LT_COUNT };

/* --- events --- */
enum login_ev {
	LE_START,		/* the first: login_init() was given what is persisted */
	LE_LOGIN, LE_LOGOUT, LE_PAUSE, LE_UNPAUSE, LE_RECONNECT, LE_ACCEPT_KEY, LE_CONFIG,
	LE_KEY, LE_REG,		/* answers to LA_KEY_FETCH, LA_REGISTER */
	LE_AUTHD_GONE,		/* authd ended: no answer will come */
	LE_CONNECTED, LE_OPEN, LE_LIVE, LE_CLOSED,	/* STREAM of the map session id */
	LE_MAPD_GONE,		/* mapd ended, and the netmap with it */
	LE_SELF, LE_LITE, LE_CONTROL_TIME,
	LE_SAVED,		/* answer to LA_SAVE */
	LE_TIMER,
	LE_CLOCK,		/* twice a minute: the clock may have been set */
	LE_COUNT
};

/* Which key the netmap names as that of our node.  Without a node in the netmap: unknown. */
enum self_key { SELF_KEY_UNKNOWN, SELF_KEY_CURRENT, SELF_KEY_CANDIDATE, SELF_KEY_OTHER };

struct login_user { int64_t id; const char *login_name, *display_name, *profile_pic; };	/* id 0 and "": unknown */

struct login_reload { int server_key, auth_key_added, login_on_expiry, wait_on_expiry; };	/* what has changed */

struct login_event {
	enum login_ev	 type;
	uint32_t	 id;
	union {
		struct { int interactive, ephemeral, with_key; } login;	/* with_key: the parent has an auth key */
		struct { int force; } logout;
		struct pubkey accept;
		struct login_reload config;
		struct { int ok; struct pubkey key; enum cause cause; const char *err; } key;
		struct {
			enum ipc_reg_outcome outcome;
			uint32_t	 retry_after_ms;
			enum cause	 cause;		/* of err */
			int		 key_file;	/* refused by ourselves: the auth-key-file cannot be used */
			struct login_user user;
			const char	*url, *err;
		} reg;
		struct { enum cause cause; const char *err; } closed;
		struct {
			struct wtime	 expiry;
			int		 expired, authorized;
			enum self_key	 key;
			struct login_user user;
		} self;
		struct { int ok; const char *err; } result;		/* LE_LITE, LE_SAVED */
		int64_t		 control_time;
		enum login_timer timer;
	} u;
};

/* --- actions, to be carried out in order --- */
enum login_act {
	LA_KEY_FETCH,		/* id */
	LA_REGISTER,		/* id, reg */
	LA_AUTH_CANCEL,		/* id: its answer, if any comes, is of no interest */
	LA_MAP_START,		/* id, map.prepare, map.candidate (which key) */
	LA_MAP_STOP,		/* map.drop */
	LA_MAPD_KILL,		/* it did not stop the stream */
	LA_GENERATE,		/* a new candidate key */
	LA_DROP_CANDIDATE,	/* wipe it */
	LA_SAVE,		/* id, save; LE_SAVED follows, before any other event */
	LA_TIMER,		/* timer.which, timer.ms; arming again replaces */
	LA_TIMER_OFF,
	LA_LOGIN_FINISHED,	/* the next status event says so */
	LA_BROWSE,		/* goal.url is new: ask the user to open it */
	LA_LOGOUT_DONE,		/* answer those who wait: done */
	LA_FORGET_KEY		/* wipe the auth key of LE_LOGIN */
};
enum login_save {
	SAVE_PLAIN,		/* profile and keys as they are; the candidate only if profile.candidate */
	SAVE_COMMIT,		/* old := current, current := candidate, no candidate; undone when the save fails */
	SAVE_COMMIT_KEEP,	/* the same, but old stays */
	SAVE_REVERT,		/* current := old, no old; undone when the save fails */
	SAVE_CLEAR		/* node, old and candidate key wiped, saved or not (logout) */
};
enum login_authkey { AUTHKEY_NONE, AUTHKEY_CONFIGURED, AUTHKEY_GIVEN };

struct login_action {
	enum login_act	 type;
	uint32_t	 id;
	union {
		struct {
			enum ipc_reg_op	 op;
			int		 candidate;	/* NodeKey, OldNodeKey: candidate, current; else current, old */
			enum login_authkey authkey;
			int		 ephemeral;	/* Followup is goal.url */
		} reg;
		struct { int prepare, candidate; } map;
		struct { int drop; } stop;
		enum login_save save;
		struct { enum login_timer which; unsigned ms; } timer;
		struct { int ok, at_server; } done;	/* text: login.logout_err; at_server: logged out there */
	} u;
};
/* The clocks: without and with the time that the host was suspended, and the one that can be set. */
struct login_now { uint64_t mono_ms, boot_ms; struct wtime wall; };
#define LOGIN_MAX_ACTIONS 48
struct login_actions { unsigned n; struct login_action a[LOGIN_MAX_ACTIONS]; };

/* --- the machine; read by status.c, written only by login.c --- */
enum login_goal_kind { GOAL_NONE, GOAL_LOGIN, GOAL_LOGOUT };
struct login_goal {
	enum login_goal_kind kind;
	int		 interactive, ephemeral;
	int		 with_key;		/* LE_LOGIN had an auth key */
	int		 by_expiry;		/* no user asked: the key expired (EXP-04), before the start or since */
	int		 by_refusal;		/* no user asked: the server seems not to know the key (REG-05) */
	int		 regen;			/* the server refused the current key (REG-05, REG-06) */
	int		 candidate;		/* the key that registers is the candidate */
	int		 attempts;		/* register requests so far */
	int		 force;			/* logout */
	char		 url[IPC_URL_MAX + 1];	/* to be visited; "" = none */
};

/*
 * The candidate key T.  One that exists is tried again until the server answers: it may have been accepted.
 * From WRITING on it is part of the state file (profile.candidate), except during a commit.
 */
enum candidate {
	CANDIDATE_NONE,
	CANDIDATE_MEMORY,	/* known to this process only: a login by URL, or one without an auth key */
	CANDIDATE_WRITING,	/* to be used with an auth key: the save that must precede it is not done */
	CANDIDATE_WRITTEN,	/* on disk: may be sent with an auth key */
	CANDIDATE_EARLIER,	/* on disk since an earlier run of the daemon */
	CANDIDATE_COUNT
};

enum login_op { OP_NONE, OP_KEY, OP_KEY_CHECK, OP_WRITE_AHEAD, OP_REGISTER, OP_COMMIT, OP_REVERT, OP_CLEAR };
enum login_map { MAP_NONE, MAP_PREPARED, MAP_STREAM, MAP_STOPPING };

struct login {
	const struct config *cfg;		/* the parent's; changes before LE_CONFIG */
	struct profile	 profile;
	uint32_t	 (*rnd)(void *arg);
	void		*rnd_arg;
	struct login_actions *out;
	uint64_t	 now_ms, now_boot_ms;
	struct wtime	 now;
	uint32_t	 last_id;

	int		 have_node, have_old;
	enum candidate	 candidate;
	int		 paused;
	int		 logged_in;		/* the server accepted the current key in this run of the daemon */
	int		 tried;			/* no longer LS_NEW */
	int		 expired;		/* the node key */
	int		 self_expired;		/* the server says so: Node.Expired, or to a login that only asked */
	int		 authorized;
	struct login_goal goal;
	struct login_goal next;		/* a login requested during a logout (OUT-05) */

	enum login_op	 op;
	uint32_t	 op_id;
	enum login_authkey op_authkey;
	int		 auth_wait;		/* LT_AUTH is armed */
	struct backoff	 auth_backoff, save_backoff;
	int		 hurried;		/* the server ended a follow-up at once: an answer resets no delay */
	struct backoff	 expiry_backoff;	/* of logins by expiry that follow one another */
	uint64_t	 calm_ms;		/* the last login was done, or expiry began one; 0 = none */
	uint64_t	 asked_ms;		/* the last REGISTER was sent */
	struct profile	 uncommitted;		/* for a commit or revert that can't be saved */
	uint64_t	 vouched_ms;		/* the server accepted the key: until then our clock does not count */
	enum self_key	 self_key;		/* of our node in the last map; reported before LIVE */
	uint64_t	 adopted_ms;		/* a candidate was, because the netmap names it; 0 = never */
	int		 asked_for_key;		/* since the netmap names another key */
	int		 logout_at_server;
	char		 logout_err[IPC_ERR_MAX + 100];

	int		 suspect;		/* a handshake looked like a wrong server key */
	uint64_t	 next_check_ms;		/* /key is not asked again before */
	struct pubkey	 offered;		/* differs from the pin; zero = none */

	enum login_map	 map;
	uint32_t	 map_id;
	int		 synced, map_wait, prepare_failed, restart_map;
	uint64_t	 live_ms;
	uint64_t	 map_streams;		/* opened in this run */
	struct backoff	 map_backoff;

	int64_t		 clock_delta;		/* server's clock minus ours, in seconds; 0 = near enough, or unknown */
	int64_t		 control_sec;		/* ControlTime, and when it was received; 0 = none yet */
	uint64_t	 control_boot_ms;
	unsigned	 short_streams;		/* live ones in turn that the server ended within a minute */
	uint64_t	 self_ms;		/* our own node from the map was last saved; 0 = never */
	int		 self_unsaved;		/* there is more: LT_SELF is armed */
	char		 err[SRC_COUNT][IPC_ERR_MAX + 1];
	const char	*advice[SRC_COUNT];	/* what to do about it; NULL or "": nothing, or the text says it */
	enum cause	 cause[SRC_COUNT];
	uint64_t	 err_seq[SRC_COUNT], last_err_seq;
};

/* cfg outlives c. */
void	 login_init(struct login *c, const struct config *cfg, const struct profile *p, int have_node,
	    int have_old, int have_candidate, uint32_t (*rnd)(void *), void *rnd_arg);
struct login_reload login_config_changes(const struct config *from, const struct config *to);	/* for LE_CONFIG */
/* Runs one event; out receives the actions (n is set, not added to). */
void	 login_event(struct login *c, const struct login_now *now, const struct login_event *e,
	    struct login_actions *out);

enum login_state login_state(const struct login *c);
int	 login_logged_in(const struct login *c);		/* as the status reports it */
int	 login_cant_continue(const struct login *c);		/* authCantContinue */
/* The latest error not yet cleared: its source, or -1 with *text "". */
int	 login_error(const struct login *c, const char **text);
#define LOGIN_ADVISED_MAX	(IPC_ERR_MAX + 200)
int	 login_advised_error(const struct login *c, char text[LOGIN_ADVISED_MAX]);	/* the same with its advice */
/* The server key to use: zero = none known. */
const struct pubkey *login_pin(const struct login *c, enum pin_source *source);
struct wtime login_corrected(const struct login *c, struct wtime now);	/* by ControlTime (EXP-06) */

#endif
