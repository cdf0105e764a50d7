/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_LOGINSIM_H
#define UTIL_LOGINSIM_H

#include "unit.h"

#include "login.h"

/*
 * A parent for login.c without any I/O: carries the actions out on numbers instead of keys, a struct instead of a
 * file and a clock that only moves when the test moves it.
 */
#define SIM_LOG	 64
#define SIM_QUEUE 8	/* action.c has room for as many */

struct sim_keys { int node, old, cand; };	/* key numbers, 0 = none */

struct sim {
	struct login	 c;
	struct config cfg;
	uint64_t	 ms, asleep_ms;		/* how long the host was suspended, in all */
	struct wtime	 wall;
	uint32_t	 seed;
	int		 last_key;
	struct sim_keys	 mem, disk;
	struct profile disk_profile;
	int		 disk_full;		/* saves fail */
	unsigned	 saves;			/* those that changed the disk */
	uint64_t	 timer[LT_COUNT];	/* when; 0 = off */
	unsigned	 timer_ms[LT_COUNT];	/* as last armed */

	/* what was asked for */
	struct login_action reg, map, done;
	struct sim_keys	 reg_keys;		/* at the time of the last register */
	int		 reg_disk_cand;
	char		 reg_url[128];
	uint32_t	 key_id, cancelled;
	unsigned	 nreg, nkey, ncancel, nstart, nstop, nkill, nbrowse, nfinished, ndone, nforget;
	int		 stop_drop;
	/* each action of the last event, in order */
	enum login_act	 log[SIM_LOG];
	unsigned	 nlog;
	/* states seen, each change once */
	enum login_state states[SIM_LOG];
	unsigned	 nstates;
	/* looked at before each action is carried out (model test) */
	void		 (*hook)(struct sim *s, const struct login_action *a);
	void		*hook_arg;
};

#define SIM_AUTH_KEY_FILE "/etc/tailnetd/auth-key"
void	 sim_auth_key(struct sim *s, int configured);	/* auth-key-file, set or not */
void	 sim_reload(struct sim *s, const struct config *next);	/* s->cfg becomes it: LE_CONFIG */
/* One event with all that follows from it at once; then the state as a status event would show it. */
void	 sim_event(struct sim *s, const struct login_event *e);
void	 sim_simple(struct sim *s, enum login_ev type);
/* Time passes: timers that fall due fire in order. */
void	 sim_advance(struct sim *s, uint64_t ms);
struct pubkey sim_server_key(int n);
/* The daemon starts from what is on the disk. */
void	 sim_boot(struct sim *s);
struct sim *sim_new(void);

/* --- what children answer --- */

void	 sim_key(struct sim *s, uint32_t id, int n, const char *err);
void	 sim_reg(struct sim *s, uint32_t id, enum ipc_reg_outcome o, const char *url, const char *err);
void	 sim_ok(struct sim *s);
void	 sim_url(struct sim *s, const char *url);
void	 sim_closed(struct sim *s, const char *err);
void	 sim_live(struct sim *s);
void	 sim_self(struct sim *s, struct wtime expiry, int expired, int authorized);

/* --- what people want --- */

enum { WITH_KEY = 1, INTERACTIVE = 2, EPHEMERAL = 4 };

void	 sim_login(struct sim *s, int flags);
void	 sim_logout(struct sim *s, int force);
/* A machine that has logged in once with an auth key, and is synchronized. */
struct sim *sim_synced(void);
const char *sim_err(const struct sim *s);

/* --- what several tests begin with or look at --- */

extern const struct wtime soon, later;

void	 expect_states(const struct sim *s, const enum login_state *want, unsigned n);
#define STATES(s, ...) \
	expect_states(s, (const enum login_state[]){ __VA_ARGS__ }, \
	    sizeof((const enum login_state[]){ __VA_ARGS__ }) / sizeof(enum login_state))

struct sim *at_url(void);
struct sim *expiring(int wait);

#endif
