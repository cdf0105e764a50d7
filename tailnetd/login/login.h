/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef LOGIN_H
#define LOGIN_H

#include "backoff.h"
#include "state.h"
#include "timefmt.h"

/*
 * The login and map life-cycle as pure code: events in, actions out; no I/O, no clock and no randomness of its own (protocol.md D
 * and H, behaviours.md INT FUP ROT OUT EXP PAU BACK).  parent.c carries the actions out in order and feeds results back as events.
 * login.c says how the keys are kept safe.
 */
enum client_state {			/* names: client_state_name(), interface.md 4 */
	CS_NEW, CS_NOT_AUTHENTICATED, CS_AUTHENTICATING, CS_URL_VISIT_REQUIRED, CS_AUTHENTICATED, CS_SYNCHRONIZED, CS_COUNT
};
const char *client_state_name(enum client_state s);

enum client_src { SRC_AUTH, SRC_MAP, SRC_UPDATE, SRC_STATE, SRC_COUNT };	/* errSource */
const char *client_src_name(enum client_src s);

struct client_config {
	int		 manual;		/* `login manual` */
	int		 expiry_wait;		/* `on-expiry wait` */
	int		 ephemeral;
	int		 start_paused;
	int		 have_auth_key;		/* an auth-key-file is configured */
	struct pubkey	 server_key;		/* `server-key`; zero = none */
};

struct client_profile {			/* what is persisted besides the keys */
	int		 want_running;		/* 0: logged out on purpose */
	int		 paused;
	int		 candidate;		/* the candidate is in the state file, too */
	struct pubkey	 server_key;		/* zero = no pin yet */
	enum pin_source	 pin_source;
	struct wtime	 pin_since;
	int64_t		 user_id;		/* 0 = unknown */
	char		 login_name[257];
	char		 display_name[257];
	char		 profile_pic[2049];
	struct wtime	 expiry;		/* of the node key; TIME_NONE = never or unknown */
};

enum client_timer { CT_AUTH, CT_MAP, CT_EXPIRY, CT_SAVE, CT_LOGOUT, CT_MAP_STOP, CT_SELF, CT_COUNT };

/* --- events --- */
enum client_ev {
	CE_START,		/* the first: client_init() was given what is persisted */
	CE_LOGIN, CE_LOGOUT, CE_PAUSE, CE_UNPAUSE, CE_RECONNECT, CE_ACCEPT_KEY, CE_CONFIG,
	CE_KEY, CE_REG,		/* answers to CA_KEY_FETCH, CA_REGISTER */
	CE_AUTHD_GONE,		/* authd ended: no answer will come */
	CE_CONNECTED, CE_OPEN, CE_LIVE, CE_CLOSED,	/* STREAM of the map session id */
	CE_MAPD_GONE,		/* mapd ended, and the netmap with it */
	CE_SELF, CE_LITE, CE_CONTROL_TIME,
	CE_SAVED,		/* answer to CA_SAVE */
	CE_TIMER,
	CE_COUNT
};

struct client_user { int64_t id; const char *login_name, *display_name, *profile_pic; };	/* id 0 and "": not told */

struct client_event {
	enum client_ev	 type;
	uint32_t	 id;
	union {
		struct { int interactive, ephemeral, with_key; } login;	/* with_key: the parent holds an auth key for it */
		struct { int force; } logout;
		struct pubkey accept;
		struct client_config config;
		struct { int ok; struct pubkey key; const char *err; } key;
		struct {
			enum ipc_reg_outcome outcome;
			uint32_t	 retry_after_ms;
			int		 suspect;
			struct client_user user;
			const char	*url, *err;
		} reg;
		struct { int suspect; const char *err; } closed;
		struct { struct wtime expiry; int expired, authorized; struct client_user user; } self;
		struct { int ok; const char *err; } result;		/* CE_LITE, CE_SAVED */
		int64_t		 control_time;
		enum client_timer timer;
	} u;
};

/* --- actions, to be carried out in order --- */
enum client_act {
	CA_KEY_FETCH,		/* id */
	CA_REGISTER,		/* id, reg */
	CA_AUTH_CANCEL,		/* id: its answer, if any comes, is of no interest */
	CA_MAP_START,		/* id, map.prepare, map.candidate (which key) */
	CA_MAP_STOP,		/* map.drop */
	CA_MAPD_KILL,		/* it does not obey */
	CA_GENERATE,		/* a new candidate key */
	CA_DROP_CANDIDATE,	/* wipe it */
	CA_SAVE,		/* id, save; CE_SAVED follows, before any other event */
	CA_TIMER,		/* timer.which, timer.ms; arming again replaces */
	CA_TIMER_OFF,
	CA_LOGIN_FINISHED,	/* the next status event says so */
	CA_BROWSE,		/* goal.url is new: tell */
	CA_LOGOUT_DONE,		/* answer those who wait: done */
	CA_FORGET_KEY		/* wipe the auth key of CE_LOGIN */
};
enum client_save {
	SAVE_PLAIN,		/* profile and keys as they are; the candidate only if profile.candidate */
	SAVE_COMMIT,		/* old := current, current := candidate, no candidate; the keys are taken back when the save fails */
	SAVE_CLEAR		/* node, old and candidate key wiped, saved or not (logout) */
};
enum client_authkey { AUTHKEY_NONE, AUTHKEY_CONFIGURED, AUTHKEY_GIVEN };

struct client_action {
	enum client_act	 type;
	uint32_t	 id;
	union {
		struct {
			enum ipc_reg_op	 op;
			int		 candidate;	/* NodeKey is the candidate, OldNodeKey the current key; else current and old */
			enum client_authkey authkey;
			int		 ephemeral;	/* Followup is goal.url */
		} reg;
		struct { int prepare, candidate; } map;
		struct { int drop; } stop;
		enum client_save save;
		struct { enum client_timer which; unsigned ms; } timer;
		struct { int ok, told; } done;	/* err: client.logout_err; told: the server knows */
	} u;
};
#define CLIENT_MAX_ACTIONS 48
struct client_actions { unsigned n; struct client_action a[CLIENT_MAX_ACTIONS]; };

/* --- the machine; read by status.c, written only by login.c --- */
enum client_goal_kind { GOAL_NONE, GOAL_LOGIN, GOAL_LOGOUT };
struct client_goal {
	enum client_goal_kind kind;
	int		 interactive, ephemeral;
	int		 with_key;		/* CE_LOGIN brought an auth key */
	int		 by_expiry;		/* nobody asked: the key expired (EXP-04), before the start or since */
	int		 regen;			/* the server called the current key expired (REG-06) */
	int		 candidate;		/* the key that registers is the candidate */
	int		 attempts;		/* register requests so far */
	int		 force;			/* logout */
	char		 url[IPC_URL_MAX + 1];	/* to be visited; "" = none */
};

enum client_op { OP_NONE, OP_KEY, OP_KEY_CHECK, OP_WRITE_AHEAD, OP_REGISTER, OP_COMMIT, OP_CLEAR };
enum client_map { MAP_NONE, MAP_PREPARED, MAP_STREAM, MAP_STOPPING };

struct client {
	struct client_config cfg;
	struct client_profile p;
	uint32_t	 (*rnd)(void *arg);
	void		*rnd_arg;
	struct client_actions *out;
	uint64_t	 now_ms;
	struct wtime	 now;
	uint32_t	 last_id;

	int		 have_node, have_candidate;
	int		 paused;
	int		 logged_in;		/* the server took the current key in this life of the daemon */
	int		 tried;			/* not CS_NEW any more */
	int		 expired;		/* the node key */
	int		 self_expired;		/* Node.Expired of our own node */
	int		 authorized;
	struct client_goal goal;
	struct client_goal next;		/* a login that came while a logout is in flight (OUT-05) */

	enum client_op	 op;
	uint32_t	 op_id;
	enum client_authkey op_authkey;
	int		 auth_wait;		/* CT_AUTH is armed */
	struct backoff	 auth_backoff, save_backoff;
	int		 hurried;		/* the server has ended a follow-up at once: it gets no credit for an answer */
	struct backoff	 expiry_backoff;	/* of logins by expiry that follow one another */
	uint64_t	 calm_ms;		/* the last login was done, or expiry began one; 0 = none */
	uint64_t	 asked_ms;		/* the last register went out */
	int		 candidate_open;	/* nobody knows whether the server took the candidate: try it again */
	int		 candidate_saved;	/* p.candidate has reached the disk */
	struct wtime	 uncommitted_expiry;	/* for a commit that can't be saved */
	int		 uncommitted_candidate;
	int		 from_disk;		/* the candidate is of an earlier life */
	int		 logout_told;
	char		 logout_err[IPC_ERR_MAX + 100];

	int		 suspect;		/* a handshake looked like a wrong server key */
	uint64_t	 next_check_ms;		/* /key is not asked again before */
	struct pubkey	 offered;		/* differs from the pin; zero = none */

	enum client_map	 map;
	uint32_t	 map_id;
	int		 synced, map_wait, prepare_failed, restart_map;
	uint64_t	 live_ms;
	uint64_t	 map_streams;		/* opened in this life */
	struct backoff	 map_backoff;

	int64_t		 clock_delta;		/* server's clock minus ours, in seconds; 0 = near enough */
	uint64_t	 self_ms;		/* what the map tells of ourselves was last saved; 0 = never */
	int		 self_unsaved;		/* there is more: CT_SELF is armed */
	struct wtime	 delta_wall;		/* both of our clocks when that was learnt */
	uint64_t	 delta_ms;
	char		 err[SRC_COUNT][IPC_ERR_MAX + 1];
	const char	*advice[SRC_COUNT];	/* what to do about it; NULL or "": it mends itself, or the text says it */
	uint64_t	 err_seq[SRC_COUNT], last_err_seq;
};

void	 client_init(struct client *c, const struct client_config *cfg, const struct client_profile *p, int have_node, int have_candidate,
	    uint32_t (*rnd)(void *), void *rnd_arg);
/* Runs one event; out receives the actions (n is set, not added to). */
void	 client_event(struct client *c, uint64_t now_mono_ms, struct wtime now, const struct client_event *e, struct client_actions *out);

enum client_state client_state(const struct client *c);
int	 client_logged_in(const struct client *c);		/* as the status tells it */
int	 client_cant_continue(const struct client *c);		/* authCantContinue */
/* The latest error not yet cleared: its source, or -1 with *text "". */
int	 client_error(const struct client *c, const char **text);
#define CLIENT_TOLD_MAX	(IPC_ERR_MAX + 120)
int	 client_told(const struct client *c, char text[CLIENT_TOLD_MAX]);	/* the same with what to do about it */
/* The server key to use: zero = none known. */
const struct pubkey *client_pin(const struct client *c, enum pin_source *source);
struct wtime client_corrected(const struct client *c, struct wtime now);	/* by ControlTime (EXP-06) */

#endif
