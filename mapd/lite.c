/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "backoff.h"
#include "lite.h"
#include "log.h"
#include "mapbody.h"
#include "maprequest.h"
#include "register.h"
#include "report.h"

#define LITE_ANSWER_MAX (4u << 20) /* read and thrown away: only the status counts (LITE-06) */
#define LITE_ERROR_MAX  1024

struct lite {
	struct mapd *m;
	struct request *request;
	struct event *kick, *retry, *timeout;
	int due;             /* something is to be sent */
	int force;           /* also when it is what the server has already */
	uint32_t generation; /* of the request in flight */
	struct backoff backoff;
	int status;
	size_t answer;              /* bytes of a good answer so far */
	struct buf error;           /* beginning of an error answer */
	struct buf sent, delivered; /* bodies: in flight, and the last the server has taken */
};

static void
arm(struct event *ev, unsigned ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	evtimer_add(ev, &tv);
}

static void
tell_parent(struct lite *l, int ok, const char *err)
{
	struct ipc_lite msg;

	memset(&msg, 0, sizeof(msg));
	msg.generation = l->generation;
	msg.ok = (uint32_t)ok;
	msg.http_status = (uint32_t)l->status;
	IPC_SET(&msg, err, err, strlen(err));
	ipc_send(child_ipc(l->m->c), IPC_LITE, l->m->id, &msg, sizeof(msg), -1);
}

static void send_if_due(struct lite *l);

static void
succeeded(struct lite *l)
{
	struct buf old = l->delivered;

	l->delivered = l->sent;
	l->sent = old;
	backoff_reset(&l->backoff);
	report_counters(l->m->report)->lite_ok++;
	report_counted(l->m->report);
	tell_parent(l, 1, "");
	if (l->due)
		arm(l->kick, 0);
}

static void
failed(struct lite *l, const char *why)
{
	l->due = l->force = 1;
	report_counters(l->m->report)->lite_failed++;
	report_counted(l->m->report);
	log_debug("lite update: %s", why);
	tell_parent(l, 0, why);
	arm(l->retry, backoff_next(&l->backoff, arc4random()));
}

/* The request is over and gone.  why: NULL = the answer is complete as far as it matters. */
static void
settle(struct lite *l, const char *why)
{
	char text[REGISTER_MAX_ERRTEXT + 100], line[IPC_ERR_MAX];

	l->request = NULL;
	evtimer_del(l->timeout);
	if (l->status == 200) {
		succeeded(l); /* the server has it, however its answer ends */
	} else if (l->status != 0) {
		wire_error_text(buf_ptr(&l->error), buf_len(&l->error), text, sizeof(text));
		snprintf(line, sizeof(line), "update: HTTP %d%s%s", l->status, text[0] != '\0' ? ": " : "", text);
		failed(l, line);
	} else {
		snprintf(line, sizeof(line), "update: %s", why != NULL ? why : "no answer");
		failed(l, line);
	}
}

static void
on_head(void *arg, int status)
{
	struct lite *l = arg;

	l->status = status;
}

static int
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct lite *l = arg;
	size_t room = LITE_ERROR_MAX - buf_len(&l->error);

	if (l->status == 200) {
		l->answer += n;
		if (l->answer <= LITE_ANSWER_MAX)
			return 0;
	} else {
		buf_put(&l->error, p, n < room ? n : room);
		if (n < room)
			return 0;
	}
	settle(l, NULL);
	return -1;
}

static void
on_done(void *arg, enum request_err err, const char *why)
{
	settle(arg, err == REQ_OK ? NULL : why != NULL ? why : "connection lost");
}

static int
send_body(struct lite *l)
{
	static const struct request_ops ops = { .head = on_head, .data = on_data, .done = on_done };
	struct request_spec spec = { .method = "POST", .lb = { &l->m->node_key } };
	struct session *s = mapd_request_session(l->m);
	char path[MAP_PATH_MAX];

	if (s == NULL)
		return -1;
	mapbody_path(l->m, path);
	spec.path = path;
	spec.body = buf_ptr(&l->sent);
	spec.body_len = buf_len(&l->sent);
	l->status = 0;
	l->answer = 0;
	buf_reset(&l->error);
	return (l->request = session_request(s, &spec, &ops, l)) != NULL ? 0 : -1;
}

static int
already_delivered(const struct lite *l)
{
	return buf_len(&l->sent) == buf_len(&l->delivered) &&
	    memcmp(buf_ptr(&l->sent), buf_ptr(&l->delivered), buf_len(&l->sent)) == 0;
}

static void
send_if_due(struct lite *l)
{
	if (!l->due || l->request != NULL || evtimer_pending(l->retry, NULL) || l->m->want != WANT_STREAM)
		return;
	l->generation = l->m->params.generation;
	buf_reset(&l->sent);
	if (mapbody_build(l->m, 1, &l->sent) == -1) {
		l->status = 0;
		failed(l, "update: the request is larger than the server takes");
		return;
	}
	l->due = 0;
	if (!l->force && already_delivered(l)) {
		l->status = 200;
		tell_parent(l, 1, ""); /* LITE-01: the same value again sends nothing */
		return;
	}
	l->force = 0;
	if (send_body(l) == -1) {
		failed(l, "update: out of memory");
		return;
	}
	arm(l->timeout, child_config(l->m->c)->watchdog_ms);
}

static void
kick_due(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	send_if_due(arg);
}

/* Only the update is given up: the stream beside it has its own watchdog. */
static void
timed_out(int fd, short what, void *arg)
{
	struct lite *l = arg;

	(void)fd;
	(void)what;
	if (l->request != NULL)
		request_cancel(l->request);
	settle(l, "no answer in time");
}

void
lite_changed(struct lite *l, int force)
{
	l->due = 1;
	l->force |= force;
	/* Hostinfo and parameters often come together: one turn later both are there. */
	if (l->m->want == WANT_STREAM && !evtimer_pending(l->kick, NULL))
		arm(l->kick, 0);
}

void
lite_stream_started(struct lite *l)
{
	lite_stop(l);
	l->due = l->force = 1;
	send_if_due(l);
}

void
lite_stop(struct lite *l)
{
	if (l->request != NULL) {
		request_cancel(l->request);
		l->request = NULL;
		l->due = l->force = 1;
	}
	evtimer_del(l->kick);
	evtimer_del(l->retry);
	evtimer_del(l->timeout);
}

struct lite *
lite_new(struct mapd *m)
{
	struct lite *l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return NULL;
	l->m = m;
	buf_init(&l->error, LITE_ERROR_MAX);
	buf_init(&l->sent, MAP_REQUEST_MAX);
	buf_init(&l->delivered, MAP_REQUEST_MAX);
	l->kick = evtimer_new(m->base, kick_due, l);
	l->retry = evtimer_new(m->base, kick_due, l);
	l->timeout = evtimer_new(m->base, timed_out, l);
	if (l->kick != NULL && l->retry != NULL && l->timeout != NULL)
		return l;
	lite_free(l);
	return NULL;
}

void
lite_free(struct lite *l)
{
	if (l == NULL)
		return;
	if (l->request != NULL)
		request_cancel(l->request);
	if (l->kick != NULL)
		event_free(l->kick);
	if (l->retry != NULL)
		event_free(l->retry);
	if (l->timeout != NULL)
		event_free(l->timeout);
	buf_free(&l->error);
	buf_free(&l->sent);
	buf_free(&l->delivered);
	free(l);
}
