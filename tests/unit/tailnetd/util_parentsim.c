/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "control.h"
#include "dispatch.h"
#include "exits.h"
#include "log.h"
#include "parent.h"
#include "timefmt.h"
#include "util_parentsim.h"

void
ps_need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "parentsim: %s\n", what);
	abort();
}

static int
ps_fsync(int fd)
{
	(void)fd;
	return 0; /* no power failure here */
}

static void
ps_quiet(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

void
ps_config(struct psim *s, const char *more)
{
	char text[2048], err[400];
	int n;

	n = snprintf(text, sizeof(text),
	    "control-url http://127.0.0.1:9\nstate-dir %s/state\ncontrol-socket %s/sock\nsandbox best-effort\n"
	    "endpoints none\nhostname test\n%s",
	    s->dir, s->dir, more);
	ps_need(config_parse("test", text, (size_t)n, &s->p.cfg, err, sizeof(err)) == 0, err);
}

/* As parent_run() does it, without what needs privilege, the sandbox and the signals. */
struct psim *
ps_new(const char *more_config)
{
	static const struct state_io io = { .fsync = ps_fsync };
	struct psim *s = calloc(1, sizeof(*s));
	struct parent *p;
	sigset_t signals;

	ps_need(s != NULL, "memory");
	p = &s->p;
	log_to_sink(ps_quiet, NULL);
	/* parent_open() saves a new machine's state: in memory, where there is some, that waits for no disk. */
	snprintf(s->dir, sizeof(s->dir), "%s/psXXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ps_need(mkdtemp(s->dir) != NULL, "mkdtemp");
	ps_config(s, more_config);
	ps_need(mkdir(p->cfg.state_dir, 0700) == 0,
	    "state directory"); /* one that state_open() makes it also waits for */
	p->ids.control_gid = getegid();
	p->started = time_wall();
	p->started_ms = time_mono_ms();
	sigprocmask(SIG_BLOCK, NULL, &signals);
	ps_need(parent_open(p) == EXIT_OK, "parent_open");
	sigprocmask(SIG_SETMASK, &signals, NULL);
	state_set_io(p->store, &io);
	ps_need(parent_assemble(p) == EXIT_OK, "parent_assemble");
	p->sup->authd.not_before = p->sup->mapd.not_before = p->sup->doctor.not_before = time_mono_ms() + 1000000000;
	control_start(p->control);
	parent_simple_event(p, LE_START, 0);
	return s;
}

static void
ps_unlink(const struct psim *s, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	if (unlink(path) == -1 && errno != ENOENT)
		rmdir(path);
}

void
ps_free(struct psim *s)
{
	static const char *const files[] = { "state/state", "state/state.prev", "state/state.tmp", "state/.initialised",
		"state", "sock" };
	size_t i;

	parent_close(&s->p);
	event_base_free(s->p.base);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		ps_unlink(s, files[i]);
	rmdir(s->dir);
	free(s);
}

int
ps_attach(struct psim *s, struct child *c)
{
	int sv[2];

	ps_need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0, "socketpair");
	c->ipc = ipc_new(s->p.base, sv[0], IPC_PARENT_SIDE, c->role, ++c->generation, c->kind->handlers, c);
	ps_need(c->ipc != NULL, "ipc_new");
	c->pid = PS_NO_PID;
	c->phase = CHILD_STARTING;
	c->violated = 0;
	c->unanswered = 0;
	c->ponged = 1;
	return sv[1];
}

void
ps_detach(struct child *c, int raw)
{
	close(raw);
	if (c->ipc != NULL)
		ipc_free(c->ipc);
	c->ipc = NULL;
	dispatch_forget(c);
	timer_stop(&c->deadline);
	c->pid = 0;
	c->phase = CHILD_NONE;
	c->kind->gone(c);
}

void
ps_run(struct psim *s)
{
	int i;

	for (i = 0; i < 8; i++)
		event_base_loop(s->p.base, EVLOOP_NONBLOCK);
}

static int
ps_timer_due(const struct event_base *base, const struct event *ev, void *arg)
{
	struct ps_timers *t = arg;
	struct timeval at, now, left;

	(void)base;
	event_base_gettimeofday_cached(event_get_base(ev), &now);
	if ((event_get_events(ev) & (EV_READ | EV_WRITE | EV_SIGNAL)) != 0 || !event_pending(ev, EV_TIMEOUT, &at) ||
	    t->n == sizeof(t->due) / sizeof(t->due[0]))
		return 0;
	evutil_timersub(&at, &now, &left);
	if (left.tv_sec < 60)
		t->due[t->n++] = (struct event *)(uintptr_t)ev;
	return 0;
}

void
ps_time_passes(struct psim *s)
{
	struct ps_timers t = { .n = 0 };
	unsigned i;

	event_base_foreach_event(s->p.base, ps_timer_due, &t);
	for (i = 0; i < t.n; i++)
		event_active(t.due[i], EV_TIMEOUT, 0);
	ps_run(s);
}

int
ps_connect(struct psim *s)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/sock", s->dir);
	ps_need(fd != -1 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0, "connect");
	ps_run(s);
	return fd;
}

int
ps_read(struct psim *s, int fd, struct buf *out)
{
	char text[16384];
	ssize_t n;

	for (;;) {
		ps_run(s);
		if ((n = read(fd, text, sizeof(text))) <= 0)
			return n == 0 || (errno != EAGAIN && errno != EINTR);
		buf_put(out, text, (size_t)n);
	}
}

const char *
ps_ask(struct psim *s, const char *line)
{
	static struct buf answer;
	int fd = ps_connect(s), closed;

	buf_free(&answer);
	buf_init(&answer, PS_MAX_ANSWER);
	ps_need(write(fd, line, strlen(line)) == (ssize_t)strlen(line) && write(fd, "\n", 1) == 1, "write");
	closed = ps_read(s, fd, &answer);
	close(fd);
	ps_run(s);
	buf_putc(&answer, '\0');
	return closed ? (const char *)buf_ptr(&answer) : "(no answer yet)";
}
