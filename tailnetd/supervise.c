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
#define SILENT_MAX    3      /* unanswered PINGs: the child hangs (KA-02, in mapd, is about the server) */

static void child_start(struct child *c);

/* --- start --- */

/* It is wrong for ten minutes after the last time. */
static void
complain(struct child *c, enum health_code code, const char *text)
{
	struct parent *p = c->p;

	*(code == HEALTH_OUT_OF_MEMORY ? &p->sup->memory_ms : &p->sup->fault_ms) = time_mono_ms();
	if (health_raise(&p->health, code, text))
		status_changed(p->control);
}

/* There is no process or no descriptor for it: tried again each second, logged once. */
static void
not_started(struct child *c)
{
	char text[120];

	snprintf(text, sizeof(text), "%s cannot be started: %s", c->name, strerror(errno));
	if (!c->unstarted)
		log_errorx("%s", text);
	c->unstarted = 1;
	complain(c, HEALTH_CHILD_CRASH, text);
	(void)timer_set_ms(&c->retry, CRASH_MIN_MS);
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
	c->pid = spawn_start(c->role == IPC_AUTHD ? &p->img_authd : &p->img_mapd, sv[1], -1, NULL);
	close(sv[1]);
	if (c->pid == -1) {
		c->pid = 0;
		not_started(c);
		close(sv[0]);
		return;
	}
	started_again(c);
	c->ipc = ipc_new(p->base, sv[0], IPC_PARENT_SIDE, c->role, ++c->generation, c->kind->handlers, c);
	if (c->ipc == NULL) {
		close(sv[0]);
		kill(c->pid, SIGKILL); /* reaped as any other */
		return;
	}
	c->phase = CHILD_STARTING;
	c->started = time_wall();
	c->layers = c->unanswered = 0;
	c->violated = c->overdue = 0;
	c->ponged = 1;
	(void)timer_set_ms(&c->deadline, READY_MS);
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
		(void)timer_set_ms(&c->retry, c->not_before - now);
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
	(void)timer_set_ms(&c->deadline, STOP_MS);
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
		(void)timer_set_ms(&c->linger, linger_ms);
}

void
child_kill(struct child *c, const char *why)
{
	if (c->pid == 0 || c->violated)
		return;
	log_errorx("%s[%d] protocol violation: killed: %s", c->name, (int)c->pid, why);
	c->violated = 1;
	kill(c->pid, SIGKILL);
}

void
child_hung_up(struct child *c)
{
	if (c->pid != 0 && c->phase != CHILD_STOPPING)
		(void)timer_set_ms(&c->deadline, HANGUP_MS);
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
		log_errorx("%s[%d] closed its channel but did not exit", c->name, (int)c->pid);
	c->overdue = c->phase != CHILD_STOPPING;
	kill(c->pid, SIGKILL);
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

static uint64_t
pause_after(struct child *c, enum death how, int healthy)
{
	unsigned steps = how == DIED_CRASHED || how == DIED_OVERDUE ? 2 : 1; /* D8: a crash counts double */

	if (healthy)
		backoff_reset(&c->fails);
	return how == DIED_KILLED ? backoff_double(&c->fails, KILLED_MIN_MS, KILLED_MAX_MS, steps, randombytes_random())
				  : backoff_double(&c->fails, CRASH_MIN_MS, CRASH_MAX_MS, steps, randombytes_random());
}

static void
report_death(struct child *c, enum death how, int status)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0, code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	char what[80], text[120];

	if (sig != 0)
		snprintf(what, sizeof(what), "killed by signal %d (%s)", sig, strsignal(sig));
	else if (code == EXIT_MEMORY)
		snprintf(what, sizeof(what), "ran out of memory (status %d)", code);
	else if (code == EXIT_SANDBOX)
		snprintf(what, sizeof(what), "could not enter its sandbox (status %d)", code);
	else
		snprintf(what, sizeof(what), "exited with status %d", code);
	snprintf(text, sizeof(text), "%s[%d] %s", c->name, (int)c->pid, what);
	log_errorx("%s", text);
	if (how != DIED_EXITED && how != DIED_KILLED)
		complain(c, how == DIED_MEMORY ? HEALTH_OUT_OF_MEMORY : HEALTH_CHILD_CRASH, text);
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

	if (!on_purpose)
		report_death(c, how, status);
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
	if (!on_purpose) {
		c->restarts++;
		c->not_before = now + pause_after(c, how, !never_ready && now - c->ready_ms >= HEALTHY_MS);
	}
	c->kind->gone(c); /* also when it was stopped: it sends no further reports */
	if (c->wanted)
		child_want(c);
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
		else
			dialler_sigchld(s->p->dialler, pid, status);
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
		kill(c->pid, SIGKILL);
		(void)waitpid(c->pid, NULL, 0);
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

void
supervise_config(struct supervisor *s)
{
	struct child *all[] = { &s->authd, &s->mapd };
	size_t i;

	for (i = 0; i < 2; i++) /* also to one that is not READY yet: it has the old one */
		if (child_listens(all[i]) || (all[i]->phase == CHILD_STARTING && all[i]->ipc != NULL))
			childsend_config(all[i]);
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
forget_fault(struct supervisor *s, enum health_code code, uint64_t *since_ms)
{
	if (*since_ms == 0 || time_mono_ms() - *since_ms < HEALTHY_MS)
		return;
	*since_ms = 0;
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
		forget_fault(s, HEALTH_CHILD_CRASH, &s->fault_ms);
	forget_fault(s, HEALTH_OUT_OF_MEMORY, &s->memory_ms);
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
