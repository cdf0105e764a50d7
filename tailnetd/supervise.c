/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <sodium.h>

#include "cachestore.h"
#include "childsend.h"
#include "dispatch.h"
#include "eventwatch.h"
#include "exits.h"
#include "log.h"
#include "parent.h"
#include "parent_control.h"
#include "status.h"
#include "supervise.h"

#define READY_MS      10000
#define STOP_MS       1000
#define HANGUP_MS     500
#define KILLED_MIN_MS 150  /* a child that was killed from outside is restarted at once ... */
#define KILLED_MAX_MS 3200 /* ... and soon each time: no sign of an attack.  Within 5 s, jitter included */
#define CRASH_MIN_MS  1000 /* security.md D8 */
#define CRASH_MAX_MS  300000
#define HEALTHY_MS    600000 /* alive for this time: the count of failures starts again at 0 */
#define UNHARMED_MS   60000  /* ... and after this one the count of kills from outside */
#define SILENT_MAX    3      /* unanswered PINGs: the child hangs (KA-02, in mapd, is about the server) */

static void child_start(struct child *c);

/* --- start --- */

static const struct spawn_image *
image_of(const struct child *c)
{
	return c->role == IPC_AUTHD ? &c->p->img_authd : &c->p->img_mapd;
}

/* It is wrong for ten minutes after the last time. */
static void
complain(struct child *c, enum health_code code, const char *text)
{
	struct parent *p = c->p;

	p->sup->fault_ms[code] = time_mono_ms();
	if (health_raise(&p->health, code, text))
		status_changed(p->control);
}

/* There is no process or no descriptor for it: tried again each second, logged once. */
static void
not_started(struct child *c)
{
	snprintf(c->end, sizeof(c->end), "%s cannot be started: %s", c->name, strerror(errno));
	if (!c->unstarted)
		log_errorx("%s", c->end);
	c->unstarted = 1;
	complain(c, HEALTH_CHILD_CRASH, c->end);
	timer_set_ms(&c->retry, CRASH_MIN_MS);
	if (c == &c->p->sup->doctor) {
		c->ended_badly = 1;
		c->kind->gone(c); /* a client waits for it */
	}
}

static void
started_again(struct child *c)
{
	if (!c->unstarted)
		return;
	c->unstarted = 0;
	log_info("%s could be started again", c->name);
	if (health_clear(&c->p->health, HEALTH_CHILD_CRASH))
		status_changed(c->p->control);
}

static void
child_start(struct child *c)
{
	struct parent *p = c->p;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1) {
		not_started(c);
		return;
	}
	c->ipc = ipc_new(p->base, sv[0], IPC_PARENT_SIDE, c->role, ++c->generation, c->kind->handlers, c);
	if (c->ipc == NULL) {
		close(sv[0]);
		close(sv[1]);
		errno = ENOMEM;
		not_started(c);
		return;
	}
	c->pid = spawn_start(image_of(c), sv[1], -1, NULL);
	close(sv[1]);
	if (c->pid == -1) {
		c->pid = 0;
		not_started(c);
		ipc_free(c->ipc);
		c->ipc = NULL;
		return;
	}
	started_again(c);
	c->phase = CHILD_STARTING;
	c->started = time_wall();
	c->layers = c->unanswered = 0;
	c->violated = c->overdue = 0;
	c->ponged = 1;
	timer_set_ms(&c->deadline, READY_MS);
	childsend_hello(c);
	if (c->role == IPC_AUTHD && p->cfg.https)
		(void)childsend_ca(c);
	childsend_config(c);
	log_debug("%s[%d] started", c->name, (int)c->pid);
}

void
child_want(struct child *c)
{
	uint64_t now = time_mono_ms();

	c->wanted = 1;
	timer_stop(&c->linger);
	if (c->p->stopping || c->pid != 0)
		return; /* a stopping one is started again after its end */
	if (c->not_before > now)
		timer_set_ms(&c->retry, c->not_before - now);
	else
		child_start(c);
}

static void
retry_due(void *arg)
{
	struct child *c = arg;

	if (c->wanted && c->pid == 0 && !c->p->stopping)
		child_start(c);
}

/* --- stop --- */

static void
child_stop(struct child *c)
{
	struct ipc_empty none = { 0 };

	if (c->pid == 0 || c->phase == CHILD_STOPPING)
		return;
	c->phase = CHILD_STOPPING;
	timer_set_ms(&c->deadline, STOP_MS);
	if (c->ipc != NULL)
		ipc_send(c->ipc, IPC_STOP, IPC_ID_NONE, &none, sizeof(none), -1);
}

static void
linger_over(void *arg)
{
	struct child *c = arg;

	if (!c->wanted)
		child_stop(c);
}

void
child_unwant(struct child *c, unsigned linger_ms)
{
	c->wanted = 0;
	c->pending = PENDING_NOTHING;
	timer_stop(&c->retry);
	if (linger_ms == 0)
		child_stop(c);
	else if (c->pid != 0)
		timer_set_ms(&c->linger, linger_ms);
}

/* Without the right to it the child would run on, and nothing would say so. */
static void
send_kill(struct child *c)
{
	char text[160];

	if (kill(c->pid, SIGKILL) == 0 || errno == ESRCH)
		return;
	snprintf(text, sizeof(text), "%s[%d] cannot be killed: %s", c->name, (int)c->pid, strerror(errno));
	if (health_raise(&c->p->health, HEALTH_CHILD_STUCK, text)) {
		log_errorx("%s", text);
		status_changed(c->p->control);
	}
	timer_set_ms(&c->deadline, STOP_MS); /* and again */
}

void
child_kill(struct child *c, const char *why)
{
	if (c->pid == 0 || c->violated)
		return;
	log_errorx("%s[%d] protocol violation: killed: %s", c->name, (int)c->pid, why);
	c->violated = 1;
	send_kill(c);
}

void
child_is_ready(struct child *c)
{
	struct parent *p = c->p;
	char text[300];

	timer_stop(&c->deadline);
	p->sup->sandboxed = 1;
	c->phase = CHILD_READY;
	c->ready_ms = time_mono_ms();
	c->silent = 0;
	if (c->end[0] == '\0' || !p->health.h[c->end_code].on || p->sup->fault_ms[c->end_code] == 0)
		return;
	snprintf(text, sizeof(text), "%s; it runs again", c->end);
	if (health_raise(&p->health, c->end_code, text))
		status_changed(p->control);
}

void
child_hung_up(struct child *c, const char *why)
{
	snprintf(c->why, sizeof(c->why), "%s", why);
	if (c->pid != 0 && c->phase != CHILD_STOPPING)
		timer_set_ms(&c->deadline, HANGUP_MS);
}

static void
deadline_over(void *arg)
{
	struct child *c = arg;

	if (c->pid == 0)
		return;
	if (c->phase == CHILD_STARTING)
		log_errorx("%s[%d] was not ready within %d s", c->name, (int)c->pid, READY_MS / 1000);
	else if (c->phase == CHILD_READY)
		log_errorx("%s[%d] did not exit after its channel ended: %s", c->name, (int)c->pid, c->why);
	c->overdue = c->phase != CHILD_STOPPING;
	send_kill(c);
}

void
supervise_stop_all(struct supervisor *s)
{
	child_unwant(&s->mapd, 0); /* SHUT-02: the map child first */
	child_unwant(&s->authd, 0);
	child_unwant(&s->doctor, 0);
}

int
supervise_all_gone(const struct supervisor *s)
{
	return s->authd.pid == 0 && s->mapd.pid == 0 && s->doctor.pid == 0;
}

/* --- end of a child --- */

/* How a child ended, and what that means (security.md D8). */
enum death {
	DIED_EXITED,  /* with another status */
	DIED_MEMORY,  /* EXIT_MEMORY: no sign of an attack */
	DIED_SANDBOX, /* EXIT_SANDBOX */
	DIED_KILLED,  /* SIGKILL from outside: no sign of an attack */
	DIED_OVERDUE, /* killed by the parent: it hung */
	DIED_CRASHED  /* another signal, or it violated the protocol: perhaps it was compromised */
};

static enum death
death_of(const struct child *c, int status)
{
	if (c->violated || (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL))
		return DIED_CRASHED;
	if (WIFSIGNALED(status))
		return c->overdue ? DIED_OVERDUE : DIED_KILLED;
	return WEXITSTATUS(status) == EXIT_MEMORY ? DIED_MEMORY
	    : WEXITSTATUS(status) == EXIT_SANDBOX ? DIED_SANDBOX
						  : DIED_EXITED;
}

/* How long until it may be started again.  What is killed from outside has a count of its own: it feeds no throttle. */
static uint64_t
pause_after(struct child *c, enum death how, uint64_t lived_ms)
{
	unsigned steps = how == DIED_CRASHED || how == DIED_OVERDUE ? 2 : 1; /* D8: a crash counts double */

	if (lived_ms >= HEALTHY_MS)
		backoff_reset(&c->fails);
	if (lived_ms >= UNHARMED_MS)
		backoff_reset(&c->kills);
	return how == DIED_KILLED ? backoff_double(&c->kills, KILLED_MIN_MS, KILLED_MAX_MS, steps, randombytes_random())
				  : backoff_double(&c->fails, CRASH_MIN_MS, CRASH_MAX_MS, steps, randombytes_random());
}

static enum health_code
code_of(enum death how)
{
	return how == DIED_MEMORY ? HEALTH_OUT_OF_MEMORY
	    : how == DIED_KILLED  ? HEALTH_CHILD_KILLED
				  : HEALTH_CHILD_CRASH;
}

static void
when_again(const struct child *c, uint64_t pause_ms, char *out, size_t size)
{
	struct wtime at = time_wall();
	char when[TIME_TEXT_MAX];

	if (!c->wanted) {
		snprintf(out, size, "it is started again when it is needed");
	} else if (pause_ms < CRASH_MIN_MS) {
		snprintf(out, size, "it is started again at once");
	} else {
		at.sec += (int64_t)(pause_ms / 1000);
		snprintf(out, size, "it is started again at %s, in %llu s", time_format(at, when),
		    (unsigned long long)pause_ms / 1000);
	}
}

/* Every end that was not on purpose, with what it means: in the log, as an event, as health. */
static void
report_death(struct child *c, enum death how, int status, uint64_t pause_ms)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0, code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	char what[200], again[100], text[360];

	if (c->violated)
		snprintf(what, sizeof(what), "was killed: it violated the protocol");
	else if (how == DIED_OVERDUE)
		snprintf(what, sizeof(what), "was killed: it hung");
	else
		spawn_end_text(image_of(c), status, what, sizeof(what));
	snprintf(c->end, sizeof(c->end), "%s[%d] %s", c->name, (int)c->pid, what);
	when_again(c, pause_ms, again, sizeof(again));
	snprintf(text, sizeof(text), "%s; %s", c->end, again);
	log_errorx("%s", text);
	c->end_code = code_of(how);
	complain(c, c->end_code, text);
	watch_child(c->p->control, c->name, sig, code);
}

static void
authd_gone(struct child *c)
{
	parent_simple_event(c->p, LE_AUTHD_GONE, 0);
}

static void
mapd_gone(struct child *c)
{
	counters_mapd_gone(&c->p->counters);
	watchers_mapd_gone(c->p->control);
	netmap_info_reset(&c->p->netmap); /* it was in that process */
	parent_simple_event(c->p, LE_MAPD_GONE, 0);
}

/* One that crashed may have been compromised: what it wrote and what it wanted to be dialled is dropped. */
static void
mapd_left(struct parent *p, int crashed)
{
	struct ipc_dial_plan none;

	cachestore_mapd_gone(p->cache, crashed);
	if (!crashed)
		return;
	memset(&none, 0, sizeof(none));
	dialler_plan(p->dialler, &none);
	childsend_dial_times(p->sup);
}

static void
child_gone(struct child *c, int status)
{
	struct parent *p = c->p;
	uint64_t now = time_mono_ms();
	int on_purpose = c->phase == CHILD_STOPPING, never_ready = c->phase == CHILD_STARTING;
	enum death how = death_of(c, status);

	c->ended_badly = !on_purpose;
	if (!on_purpose) {
		uint64_t pause_ms = pause_after(c, how, never_ready ? 0 : now - c->ready_ms);

		c->restarts++;
		c->not_before = now + pause_ms;
		report_death(c, how, status, pause_ms);
	}
	if (health_clear(&p->health, HEALTH_CHILD_STUCK))
		status_changed(p->control);
	if (c->ipc != NULL)
		ipc_free(c->ipc);
	c->ipc = NULL;
	dispatch_forget(c);
	timer_stop(&c->deadline);
	if (c == &p->sup->mapd)
		mapd_left(p, how == DIED_CRASHED);
	c->pid = 0;
	c->phase = CHILD_NONE;
	if (never_ready && how == DIED_SANDBOX && !p->sup->sandboxed) {
		parent_shutdown(p, EXIT_SANDBOX); /* it would fail again; one that worked before may work again */
		return;
	}
	c->kind->gone(c); /* also when it was stopped: it sends no further reports */
	if (c->wanted)
		child_want(c);
	status_changed(p->control);
}

/*
 * The resolver ends after each look-up: 0 or 1 with an answer, by SIGKILL when we no longer wait for it, by SIGALRM
 * when the name servers are silent.  By anything else it could not run.
 */
static void
resolver_ended(struct parent *p, int status)
{
	char what[200], text[240];

	if (WIFEXITED(status) && WEXITSTATUS(status) <= EXIT_STARTUP) {
		if (health_clear(&p->health, HEALTH_RESOLVER_FAILED))
			status_changed(p->control);
		return;
	}
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGALRM))
		return;
	spawn_end_text(&p->img_resolver, status, what, sizeof(what));
	snprintf(text, sizeof(text), "the resolver %s", what);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_MEMORY) {
		p->sup->fault_ms[HEALTH_OUT_OF_MEMORY] = time_mono_ms();
		if (health_log(&p->health, HEALTH_OUT_OF_MEMORY, text))
			status_changed(p->control);
		return;
	}
	if (health_log(&p->health, HEALTH_RESOLVER_FAILED, text))
		status_changed(p->control);
}

static void
sigchld(evutil_socket_t sig, short what, void *arg)
{
	struct supervisor *s = arg;
	int status;
	pid_t pid;

	(void)sig;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->authd.pid)
			child_gone(&s->authd, status);
		else if (pid == s->mapd.pid)
			child_gone(&s->mapd, status);
		else if (pid == s->doctor.pid)
			child_gone(&s->doctor, status);
		else {
			resolver_ended(s->p, status);
			dialler_sigchld(s->p->dialler, pid, status);
		}
	}
	if (s->p->stopping && supervise_all_gone(s))
		event_base_loopexit(s->p->base, NULL);
}

/* --- all of them --- */

static const struct child_kind authd_kind = { IPC_AUTHD, "authd", &authd_handlers, authd_gone, 0 };
static const struct child_kind mapd_kind = { IPC_MAPD, "mapd", &mapd_handlers, mapd_gone, 0 };
static const struct child_kind doctor_kind = { IPC_AUTHD, "doctor", &doctor_handlers, parent_doctor_gone, 1 };

static int
child_init(struct child *c, struct parent *p, const struct child_kind *kind)
{
	c->p = p;
	c->kind = kind;
	c->role = kind->role;
	c->name = kind->name;
	TAILQ_INIT(&c->dials);
	return timer_init(&c->retry, p->base, retry_due, c) == 0 &&
		timer_init(&c->deadline, p->base, deadline_over, c) == 0 &&
		timer_init(&c->linger, p->base, linger_over, c) == 0 &&
		timer_init(&c->turn, p->base, dispatch_turn, c) == 0
	    ? 0
	    : -1;
}

struct supervisor *
supervise_new(struct parent *p)
{
	struct supervisor *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->p = p;
	s->sigchld = evsignal_new(p->base, SIGCHLD, sigchld, s);
	if (s->sigchld == NULL || event_add(s->sigchld, NULL) == -1 || child_init(&s->authd, p, &authd_kind) == -1 ||
	    child_init(&s->mapd, p, &mapd_kind) == -1 || child_init(&s->doctor, p, &doctor_kind) == -1)
		return NULL; /* start-up: the process ends */
	return s;
}

static void
child_free(struct child *c)
{
	if (c->pid != 0) {
		/* One that may not be killed ends by itself when it reads the end of its channel. */
		(void)waitpid(c->pid, NULL, kill(c->pid, SIGKILL) == 0 ? 0 : WNOHANG);
	}
	if (c->ipc != NULL)
		ipc_free(c->ipc);
	dispatch_forget(c);
	timer_free(&c->retry);
	timer_free(&c->deadline);
	timer_free(&c->linger);
	timer_free(&c->turn);
}

void
supervise_free(struct supervisor *s)
{
	child_free(&s->authd);
	child_free(&s->mapd);
	child_free(&s->doctor);
	event_free(s->sigchld);
	free(s);
}

/* A child that closed its channel runs for a moment, in any phase. */
int
child_listens(const struct child *c)
{
	return c->phase == CHILD_READY && c->ipc != NULL;
}

static void
ping(struct child *c, uint32_t id)
{
	struct ipc_empty none = { 0 };

	ipc_send(c->ipc, IPC_PING, id, &none, sizeof(none), -1);
}

void
supervise_ping(struct supervisor *s)
{
	struct child *all[] = { &s->authd, &s->mapd };
	size_t i;

	for (i = 0; i < 2; i++)
		if (child_listens(all[i])) {
			all[i]->ponged = 0;
			ping(all[i], IPC_ID_NONE);
		}
}

static void
forget_fault(struct supervisor *s, enum health_code code)
{
	if (s->fault_ms[code] == 0 || time_mono_ms() - s->fault_ms[code] < HEALTHY_MS)
		return;
	s->fault_ms[code] = 0;
	if (health_clear(&s->p->health, code))
		status_changed(s->p->control);
}

/* Counted in PINGs, not in time: clocks advance while all our processes are stopped. */
void
supervise_look(struct supervisor *s)
{
	struct child *all[] = { &s->authd, &s->mapd };
	size_t i;

	if (!s->authd.unstarted && !s->mapd.unstarted)
		forget_fault(s, HEALTH_CHILD_CRASH);
	forget_fault(s, HEALTH_CHILD_KILLED);
	forget_fault(s, HEALTH_OUT_OF_MEMORY);
	for (i = 0; i < 2; i++) {
		if (!child_listens(all[i]))
			continue;
		if (++all[i]->silent > SILENT_MAX)
			child_kill(all[i], "no answer to PING");
		else
			ping(all[i], IPC_ID_LOOK);
	}
}

int
supervise_answered(const struct supervisor *s)
{
	return (!child_listens(&s->authd) || s->authd.ponged) && (!child_listens(&s->mapd) || s->mapd.ponged);
}
