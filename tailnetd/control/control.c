/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "cclient.h"
#include "clients.h"
#include "command.h"
#include "control.h"
#include "control_int.h"
#include "controlsock.h"
#include "doctor.h"
#include "eventwatch.h"
#include "log.h"
#include "peerfd.h"
#include "status.h"

#define METRICS_MS   300
#define PAUSE_MS     1000  /* no descriptors left: accept again then */
#define FULL_MS      60000 /* between two log lines about it */
#define ACCEPT_BATCH 128   /* in one go: many refused clients must not make others wait a turn of the loop each */
#define W_RATE       20
#define W_BURST      100
#define DENIED       "{\"error\":{\"code\":\"denied\",\"message\":\"not for the account of the resolver\"}}\n"

/* --- accepting --- */

static int
peer_ids(int fd, uid_t *uid, gid_t *gid)
{
#ifdef __linux__
	struct ucred uc;
	socklen_t len = sizeof(uc);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &uc, &len) == -1)
		return -1;
	*uid = uc.uid;
	*gid = uc.gid;
	return 0;
#else
	return getpeereid(fd, uid, gid);
#endif
}

/* The mode and group of the socket decide who may connect; this decides who may also write (interface.md 3). */
static enum ipc_query_class
classify(const struct control_ops *o, uid_t uid)
{
	if (uid == 0)
		return IPC_CLASS_ROOT;
	if (uid == geteuid() || (o->ids->has_operator && uid == o->ids->operator_uid))
		return IPC_CLASS_W;
	return IPC_CLASS_R;
}

/* The resolver runs foreign code, and its account is no user: it may read nothing here (security.md D13). */
static int
is_resolver(const struct control_ops *o, uid_t uid)
{
	return o->root && uid == o->ids->res_uid && uid != geteuid();
}

static int
over_limit(const struct control *c, uid_t uid)
{
	const struct cclient *cc;
	unsigned same = 0;

	TAILQ_FOREACH(cc, &c->clients, entry)
		same += cc->uid == uid;
	return !clients_fit(c->n, same, uid);
}

/*
 * Keep this cheap: it runs once for each connection over the limit.  Unread input would make the kernel reset the
 * connection before the answer arrives.
 */
static void
refuse_client(int fd, const char *answer)
{
	char text[4096];

	(void)!peerfd_recv(fd, text, sizeof(text));
	(void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
	peerfd_close(fd);
}

static void
accepted(struct control *c, int fd)
{
	uid_t uid;
	gid_t gid;

	if (peer_ids(fd, &uid, &gid) == -1)
		refuse_client(fd, CLIENTS_BUSY);
	else if (is_resolver(&c->ops, uid))
		refuse_client(fd, DENIED);
	else if (over_limit(c, uid))
		refuse_client(fd, CLIENTS_BUSY);
	else
		cclient_new(c, fd, uid, gid, classify(&c->ops, uid));
}

static void
log_full(struct control *c)
{
	int err = errno;
	uint64_t now = time_mono_ms();

	c->waits_ms = now;
	if (c->full_ms != 0 && now - c->full_ms < FULL_MS)
		return;
	c->full_ms = now;
	log_warnx("control socket: accept: %s: new clients must wait", strerror(err));
}

static void
acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	int cfd, i;

	(void)what;
	for (i = 0; i < ACCEPT_BATCH && (cfd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1; i++)
		accepted(c, cfd);
	if (i == ACCEPT_BATCH)
		return;
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		log_full(c);
		event_del(c->accept);
		(void)timer_set_ms(&c->resume, PAUSE_MS);
	}
}

int
control_is_full(const struct control *c)
{
	return c->waits_ms != 0 && time_mono_ms() - c->waits_ms < FULL_MS;
}

static void
resume_accept(void *arg)
{
	struct control *c = arg;

	event_add(c->accept, NULL);
}

/* --- late answers --- */

void
control_logout_done(struct control *c, const char *err)
{
	struct cclient *cc, *next;

	for (cc = TAILQ_FIRST(&c->clients); cc != NULL; cc = next) {
		next = TAILQ_NEXT(cc, entry);
		if (!cc->wants_logout)
			continue;
		cc->wants_logout = 0;
		if (err == NULL)
			cclient_ok(cc);
		else
			cclient_error(cc, ERR_INTERNAL, "%s", err);
	}
}

void
control_shutting_down(struct control *c)
{
	struct cclient *cc, *next;

	doctor_shutting_down(c);
	for (cc = TAILQ_FIRST(&c->clients); cc != NULL; cc = next) {
		next = TAILQ_NEXT(cc, entry);
		if (!cc->wants_logout)
			continue;
		cc->wants_logout = 0;
		cclient_error(cc, ERR_SHUTTING_DOWN, "the daemon ends before the logout is done");
	}
}

void
control_counters_came(struct control *c)
{
	struct cclient *cc, *next;

	for (cc = TAILQ_FIRST(&c->clients); cc != NULL; cc = next) {
		next = TAILQ_NEXT(cc, entry);
		if (cc->wants_counters) {
			cc->wants_counters = 0;
			command_metrics_now(cc);
		}
	}
	timer_stop(&c->counters);
}

static void
counters_late(void *arg)
{
	control_counters_came(arg); /* what is known will do */
}

/*
 * One question at a time: clients that ask and close must not fill the channel of a busy mapd, and a later client must
 * not make the others wait longer.
 */
int
control_await_counters(struct control *c)
{
	if (timer_pending(&c->counters))
		return 0;
	(void)timer_set_ms(&c->counters, METRICS_MS);
	return 1;
}

int
control_w_rate(struct control *c)
{
	return bucket_take(&c->w_rate, time_mono_ms());
}

/* --- the socket --- */

struct control *
control_new(const struct control_ops *ops, char *err, size_t errsize)
{
	struct control *c = calloc(1, sizeof(*c));
	struct stat st;

	if (c == NULL) {
		snprintf(err, errsize, "out of memory");
		return NULL;
	}
	c->ops = *ops;
	snprintf(c->path, sizeof(c->path), "%s", ops->cfg->control_socket);
	TAILQ_INIT(&c->clients);
	bucket_init(&c->w_rate, W_RATE, W_BURST, time_mono_ms());
	if ((c->fd = controlsock_bind(ops, c->path, err, errsize)) == -1) {
		free(c);
		return NULL;
	}
	if (lstat(c->path, &st) == 0) {
		c->dev = st.st_dev;
		c->ino = st.st_ino;
	}
	c->accept = event_new(ops->base, c->fd, EV_READ | EV_PERSIST, acceptable, c);
	if (c->accept == NULL || timer_init(&c->resume, ops->base, resume_accept, c) == -1 ||
	    timer_init(&c->counters, ops->base, counters_late, c) == -1 || (c->status = status_new(c)) == NULL ||
	    (c->watchers = watchers_new(c)) == NULL || (c->doctor = doctor_new(c)) == NULL) {
		snprintf(err, errsize, "out of memory");
		return NULL;
	}
	return c;
}

void
control_start(struct control *c)
{
	event_add(c->accept, NULL);
}

void
control_free(struct control *c)
{
	struct cclient *cc;
	struct stat st;

	if (c == NULL)
		return;
	while ((cc = TAILQ_FIRST(&c->clients)) != NULL)
		cclient_close(cc);
	doctor_free(c->doctor);
	watchers_free(c->watchers);
	status_free(c->status);
	event_free(c->accept);
	timer_free(&c->resume);
	timer_free(&c->counters);
	close(c->fd);
	if (lstat(c->path, &st) == 0 && st.st_dev == c->dev && st.st_ino == c->ino)
		(void)unlink(c->path); /* only our own: another daemon may have made one since */
	free(c);
}
