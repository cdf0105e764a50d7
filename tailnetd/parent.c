/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <sodium.h>

#include "accounts.h"
#include "cachestore.h"
#include "childsend.h"
#include "control.h"
#include "control_ops.h"
#include "daemon.h"
#include "eventlog.h"
#include "exits.h"
#include "fileowner.h"
#include "hostreport.h"
#include "log.h"
#include "notify.h"
#include "parent.h"
#include "parent_control.h"
#include "parent_ops.h"
#include "privilege.h"
#include "selfcheck.h"
#include "tailnetd_sandbox.h"
#include "sandbox.h"
#include "status.h"
#include "timer.h"

#ifdef __OpenBSD__
#define MEMLOCK_HINT "memorylocked in login.conf(5)"
#else
#define MEMLOCK_HINT "`ulimit -l`"
#endif

#define SHUTDOWN_MS    4000   /* interface.md 1: it ends within 5 s */
#define PARENT_OOM_ADJ (-500) /* D8 */
#define MAPD_OOM_ADJ   500
#define TICK_MS        30000
#define SUSPECT_MS     10000 /* more than this beyond the tick on the other clock: suspended or set (D16) */
#define BUILD_SECOND   INT64_C(1767225600) /* 2026-01-01: a clock before that is wrong */

struct signals {
	struct parent *p;
	struct event *hup, *usr1, *term, *intr;
	struct timer tick, watchdog;
};

/* --- requirements (interface.md 2, last paragraph) --- */

static int
is_empty(const char *dir)
{
	const struct dirent *e;
	DIR *d = opendir(dir);
	int n = 0;

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n == 0;
}

/* The children's root directory: empty, owned by root, writable only by root. */
static int
check_chroot(const struct parent *p)
{
	const char *dir = p->cfg.chroot_dir;
	struct stat st;

	if (!p->root)
		return 0;
	if (mkdir(dir, 0555) == -1 && errno != EEXIST) {
		log_error("chroot-dir %s", dir);
		return -1;
	}
	if (lstat(dir, &st) == -1 || !S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) != 0 ||
	    !is_empty(dir)) {
		log_errorx("chroot-dir %s must be an empty directory owned by root and writable only by root: "
			   "chown root, chmod 555",
		    dir);
		return -1;
	}
	return 0;
}

static int
open_images(struct parent *p)
{
	static const char *const names[] = { "authd", "mapd", "resolver" };
	struct spawn_image *all[] = { &p->img_authd, &p->img_mapd, &p->img_resolver };
	size_t i;

	for (i = 0; i < 3; i++)
		if (spawn_open(all[i], p->cfg.libexec_dir, names[i]) == -1) {
			log_error("libexec-dir: %s/%s", p->cfg.libexec_dir, names[i]);
			return -1;
		}
	(void)fileowner_warn(p->conf_path);
	(void)fileowner_warn(p->cfg.libexec_dir);
	for (i = 0; i < 3; i++)
		(void)fileowner_warn(all[i]->path);
	p->img_mapd.oom_adj = MAPD_OOM_ADJ;
	if (spawn_oom(PARENT_OOM_ADJ) == -1)
		log_debug("oom_score_adj stays as it is: %s", strerror(errno));
	return 0;
}

/* At start and reload, not only when a login needs it; not fatal: with a valid node key no login does (REG-05). */
static void
check_auth_key(struct parent *p)
{
	char key[IPC_AUTHKEY_MAX + 1], err[400];
	size_t len;

	(void)health_clear(&p->health, HEALTH_AUTH_KEY_UNUSABLE);
	if (p->cfg.auth_key_file[0] == '\0')
		return;
	if (parent_auth_key(p, AUTHKEY_CONFIGURED, key, sizeof(key), &len, err, sizeof(err)) == -1)
		log_errorx("%s", err);
	sodium_memzero(key, sizeof(key));
}

/* --- state --- */

static int
open_state(struct parent *p)
{
	char err[600], key[KEY_SHORT_MAX];
	enum state_result r;

	if ((p->keys = keyring_new()) == NULL) {
		log_error("locked memory for the keys (see " MEMLOCK_HINT ")");
		return EXIT_STARTUP;
	}
	if ((p->store = state_open(p->cfg.state_dir, p->root, err, sizeof(err))) == NULL) {
		log_errorx("%s", err);
		return EXIT_UNUSABLE;
	}
	r = state_load(p->store, p->cfg.control_url, &p->state, p->keys, err, sizeof(err));
	if (r == STATE_UNUSABLE) {
		log_errorx("%s", err);
		return EXIT_UNUSABLE;
	}
	if (r == STATE_FRESH)
		log_info("this machine is new to %s: machine key %s made", p->cfg.control_url,
		    key_short(KEY_MACHINE, keyring_public(p->keys, SLOT_MACHINE), key));
	if (r == STATE_RECOVERED)
		(void)health_raise(&p->health, HEALTH_STATE_RECOVERED, NULL);
	return EXIT_OK;
}

/* --- signals and clocks --- */

static void
on_hup(evutil_socket_t sig, short what, void *arg)
{
	struct parent *p = arg;
	char err[400];

	(void)sig;
	(void)what;
	notify_reloading(p->notify);
	if (parent_reload(p, err, sizeof(err)) == -1) {
		log_errorx("configuration not reloaded, the old one stays: %s", err);
		(void)health_raise(&p->health, HEALTH_CONFIG_NOT_RELOADED, err);
	} else {
		log_info("configuration reloaded");
		(void)health_clear(&p->health, HEALTH_CONFIG_NOT_RELOADED);
	}
	status_changed(p->control);
	notify_ready(p->notify);
}

static void
on_usr1(evutil_socket_t sig, short what, void *arg)
{
	struct parent *p = arg;
	const char *err;

	(void)sig;
	(void)what;
	(void)login_error(&p->login, &err);
	log_info("%s, %s, %u peers, netmap %llu, authd %d, mapd %d%s%s", login_state_name(login_state(&p->login)),
	    login_logged_in(&p->login) ? "logged in" : "not logged in", p->netmap.peers,
	    (unsigned long long)p->netmap.seq, (int)p->sup->authd.pid, (int)p->sup->mapd.pid,
	    *err != '\0' ? ", error: " : "", err);
}

static void
on_term(evutil_socket_t sig, short what, void *arg)
{
	struct parent *p = arg;

	(void)what;
	if (!p->stopping)
		log_info("shutdown by %s", sig == SIGINT ? "SIGINT" : "SIGTERM");
	parent_shutdown(p, EXIT_OK);
}

/* After a suspend the old connections may be unusable: reconnect now, not when the watchdog notices (D16). */
void
parent_tick(struct parent *p, uint64_t boot_ms, int64_t wall_s)
{
	if (boot_ms > p->tick_boot + TICK_MS + SUSPECT_MS && !p->login.paused) {
		log_info("resumed after %llu s of suspend; reconnecting",
		    (unsigned long long)(boot_ms - p->tick_boot) / 1000);
		parent_simple_event(p, LE_RECONNECT, 0);
	}
	p->tick_boot = boot_ms;
	parent_simple_event(p, LE_CLOCK, 0);
	supervise_look(p->sup);
	(void)hostreport_refresh(p->report); /* no system reports a new host name */
	selfcheck(p);
	if (health_set(&p->health, HEALTH_CLOCK_WRONG, wall_s < BUILD_SECOND))
		status_changed(p->control);
}

static void
on_tick(void *arg)
{
	struct signals *s = arg;

	(void)timer_set_ms(&s->tick, TICK_MS);
	parent_tick(s->p, time_boot_ms(), time_wall().sec);
}

/* WATCHDOG is fed only while both children answer. */
static void
on_watchdog(void *arg)
{
	struct signals *s = arg;

	(void)timer_set_ms(&s->watchdog, notify_watchdog_ms(s->p->notify));
	if (supervise_answered(s->p->sup))
		notify_alive(s->p->notify);
	supervise_ping(s->p->sup);
}

static struct event *
add_signal(struct parent *p, int sig, event_callback_fn fn)
{
	struct event *ev = evsignal_new(p->base, sig, fn, p);
	sigset_t waiting;
	int held = sigpending(&waiting) == 0 && sigismember(&waiting, sig) == 1;

	if (ev == NULL || event_add(ev, NULL) == -1)
		fatal(EXIT_STARTUP, "signal handler");
	/* With kqueue(2) libevent sets SIG_IGN, which discards one that is held (I6 of the faults). */
	if (held && (sigpending(&waiting) == -1 || sigismember(&waiting, sig) != 1))
		event_active(ev, EV_SIGNAL, 1);
	return ev;
}

static void
add_signals(struct parent *p, struct signals *s)
{
	uint64_t wd = notify_watchdog_ms(p->notify);

	s->p = p;
	s->hup = add_signal(p, SIGHUP, on_hup);
	s->usr1 = add_signal(p, SIGUSR1, on_usr1);
	s->term = add_signal(p, SIGTERM, on_term);
	s->intr = add_signal(p, SIGINT, on_term);
	p->tick_boot = time_boot_ms();
	if (timer_init(&s->tick, p->base, on_tick, s) == -1 || timer_init(&s->watchdog, p->base, on_watchdog, s) == -1)
		fatal(EXIT_STARTUP, "timer");
	(void)timer_set_ms(&s->tick, TICK_MS);
	if (wd != 0)
		(void)timer_set_ms(&s->watchdog, wd);
}

/* --- reload and shutdown --- */

/*
 * Another way to the server: sessions go on by the one that they were made with (session.h), so they are closed and
 * made again.
 */
static int
other_way(const struct config *a, const struct config *b)
{
	return a->clear_port != b->clear_port || a->tls_port != b->tls_port || a->proxy_port != b->proxy_port ||
	    strcmp(a->proxy_host, b->proxy_host) != 0 || strcmp(a->proxy_auth, b->proxy_auth) != 0;
}

int
parent_reload(struct parent *p, char *err, size_t errsize)
{
	struct login_event e = { .type = LE_CONFIG };
	struct config next;
	const char *blocker;
	int reconnect, rv = -1;

	if (config_load(p->conf_path, 1, &next, err, errsize) == -1)
		return -1;
	if ((blocker = config_reload_blocker(&p->cfg, &next)) != NULL) {
		snprintf(err, errsize, "%s: %s cannot change while tailnetd runs; restart it", p->conf_path, blocker);
		goto out;
	}
	if (accounts_operator(&next, p->root, &p->ids, err, errsize) == -1) /* the last that can fail */
		goto out;
	if (next.log_level != p->cfg.log_level) {
		log_set_level(next.log_level);
		childsend_log_level(p->sup);
	}
	reconnect = other_way(&p->cfg, &next);
	e.u.config = login_config_changes(&p->cfg, &next);
	p->cfg = next;
	dialler_config(p->dialler, &p->cfg);
	check_auth_key(p);
	childsend_new_config(p->sup);
	childsend_dial_times(p->sup);
	parent_event(p, &e);
	if (reconnect)
		parent_simple_event(p, LE_RECONNECT, 0);
	(void)hostreport_refresh(p->report);
	rv = 0;
out:
	sodium_memzero(&next, sizeof(next)); /* it may hold a proxy's password */
	return rv;
}

static void
give_up(void *arg)
{
	struct parent *p = arg;

	event_base_loopexit(p->base, NULL);
}

void
parent_shutdown(struct parent *p, int exit_code)
{
	struct login_event rest = { .type = LE_TIMER, .u.timer = LT_SELF };

	if (p->stopping)
		return; /* SHUT-01: twice is harmless */
	if (p->sup != NULL)
		parent_event(p, &rest); /* saves what is unsaved */
	p->stopping = 1;
	p->exit_code = exit_code;
	notify_stopping(p->notify);
	if (p->control != NULL)
		control_shutting_down(p->control);
	if (p->sup == NULL)
		return;
	if (!cachestore_shutdown(p->cache))
		supervise_stop_all(p->sup);
	if (supervise_all_gone(p->sup))
		event_base_loopexit(p->base, NULL);
	else
		timer_set_ms(&p->give_up, SHUTDOWN_MS);
}

/* --- start --- */

static int
enter_sandbox(struct parent *p)
{
	const struct spawn_image *images[] = { &p->img_authd, &p->img_mapd, &p->img_resolver };
	char run[1024], *slash;
	struct parent_sandbox s = { !p->cfg.best_effort, p->cfg.state_dir, run, images, 3,
		{ p->conf_path, p->cfg.ca_file, p->cfg.auth_key_file } };
	int layers;

	snprintf(run, sizeof(run), "%s", p->cfg.control_socket);
	if ((slash = strrchr(run, '/')) != NULL)
		*slash = '\0';
	if ((layers = parent_sandbox_enter(&s)) == -1)
		return -1;
	p->layers = (unsigned)layers;
	if (p->cfg.best_effort)
		(void)health_log(&p->health, HEALTH_SANDBOX_DEGRADED,
		    p->root ? "sandbox best-effort: a layer that is missing is not fatal"
			    : "sandbox best-effort without root: no separate users and no chroot");
	return 0;
}

/*
 * From the moment the socket can be seen a signal means what it says in tailnetd(8); it is held until the handler is
 * set.
 */
static void
hold_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(how, &set, NULL);
}

int
parent_open(struct parent *p)
{
	struct control_ops ops;
	char err[600];
	int rv;

	if ((rv = open_state(p)) != EXIT_OK)
		return rv;
	check_auth_key(p);
	if ((p->base = event_base_new()) == NULL || timer_reserve(p->base) == -1 ||
	    timer_init(&p->give_up, p->base, give_up, p) == -1) {
		log_error("event loop");
		return EXIT_STARTUP;
	}
	hold_signals(SIG_BLOCK);
	if ((p->report = parent_ops_report(p)) == NULL ||
	    (p->dialler = dialler_new(p->base, &p->cfg, &p->img_resolver)) == NULL) {
		log_error("start");
		return EXIT_STARTUP;
	}
	parent_control_ops(p, &ops);
	if ((p->control = control_new(&ops, err, sizeof(err))) == NULL) {
		log_errorx("%s", err);
		return EXIT_STARTUP;
	}
	return EXIT_OK;
}

int
parent_assemble(struct parent *p)
{
	if ((p->eventlog = eventlog_new(p->base, &p->login)) == NULL || (p->sup = supervise_new(p)) == NULL ||
	    (p->cache = parent_ops_cache(p)) == NULL) {
		log_error("start");
		return EXIT_STARTUP;
	}
	dialler_ids(p->dialler, p->root, p->ids.res_uid, p->ids.res_gid);
	login_boot(p);
	(void)hostreport_refresh(p->report);
	return EXIT_OK;
}

static int
set_up(struct parent *p)
{
	int rv;

	if ((!p->root && privilege_check(&p->cfg, p->conf_path, 0, &p->ids) == -1) ||
	    accounts_find(&p->cfg, p->root, &p->ids) == -1 ||
	    (p->root && privilege_check(&p->cfg, p->conf_path, 1, &p->ids) == -1) || check_chroot(p) == -1 ||
	    open_images(p) == -1)
		return EXIT_STARTUP;
	if ((rv = parent_open(p)) != EXIT_OK)
		return rv;
	if (enter_sandbox(p) == -1)
		return EXIT_SANDBOX;
	return parent_assemble(p);
}

void
parent_close(struct parent *p)
{
	p->stopping = 2;          /* no more events */
	control_free(p->control); /* its clients may wait for children */
	p->control = NULL;
	timer_free(&p->give_up);
	if (p->sup != NULL)
		supervise_free(p->sup);
	cachestore_free(p->cache);
	if (p->dialler != NULL)
		dialler_free(p->dialler);
	login_end(p);
	eventlog_free(p->eventlog);
	hostreport_free(p->report);
	parent_wipe_auth_key(p);
	keyring_free(p->keys);
	state_free(&p->state);
	state_close(p->store);
	notify_free(p->notify);
}

static void
free_signals(struct signals *s)
{
	struct event *all[] = { s->hup, s->usr1, s->term, s->intr };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		event_free(all[i]);
	timer_free(&s->tick);
	timer_free(&s->watchdog);
}

int
parent_run(struct parent *p)
{
	struct signals s = { 0 };
	int rv;

	signal(SIGPIPE, SIG_IGN);
	p->started = time_wall();
	p->started_ms = time_mono_ms();
	if ((rv = set_up(p)) != EXIT_OK) {
		if (rv != EXIT_UNUSABLE)
			privilege_advice(p->root);
		control_free(p->control); /* no one will answer there */
		return rv;
	}
	add_signals(p, &s);
	hold_signals(SIG_UNBLOCK);
	control_start(p->control);
	notify_ready(p->notify);
	daemon_ready(p->ready_fd);
	parent_simple_event(p, LE_START, 0);
	event_base_dispatch(p->base);
	parent_close(p);
	hold_signals(SIG_BLOCK); /* a late second TERM must not meet SIG_DFL (SHUT-01) */
	free_signals(&s);
	event_base_free(p->base);
	return p->exit_code;
}
