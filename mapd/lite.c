/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "lite.h"
#include "log.h"
#include "mapbody.h"
#include "maprequest.h"
#include "mem.h"
#include "register.h"
#include "report.h"
#include "request.h"
#include "timer.h"

#define LITE_ANSWER_MAX (4u << 20) /* read and discarded: only the status matters (LITE-06) */
#define LITE_ERROR_MAX  1024

struct lite {
	struct mapd *m;
	struct request *request;
	struct timer kick, retry, timeout;
	int due;             /* an update must be sent */
	int force;           /* also when the server has this value already */
	uint32_t generation; /* of the request in flight */
	struct backoff backoff;
	int status;
	size_t answer;              /* bytes of a good answer so far */
	struct buf error;           /* beginning of an error answer */
	struct buf sent, delivered; /* bodies: in flight, and the last one that the server accepted */
};

static void
report_result(struct lite *l, int ok, const char *err)
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
	report_result(l, 1, "");
	if (l->due)
		timer_set_ms(&l->kick, 0);
}

static void
failed(struct lite *l, const char *why)
{
	l->due = l->force = 1;
	report_counters(l->m->report)->lite_failed++;
	report_counted(l->m->report);
	log_debug("lite update: %s", why);
	report_result(l, 0, why);
	timer_set_ms(&l->retry, backoff_next(&l->backoff, arc4random()));
}

/* The request has ended.  why: NULL = the part of the answer that matters is complete. */
static void
settle(struct lite *l, const char *why)
{
	char text[REGISTER_MAX_ERRTEXT + 100], line[IPC_ERR_MAX];

	l->request = NULL;
	timer_stop(&l->timeout);
	if (l->status == 200) {
		succeeded(l); /* the server accepted it, even if the answer is not complete */
	} else if (l->status != 0) {
		wire_error_text(buf_ptr(&l->error), buf_len(&l->error), text, sizeof(text));
		snprintf(line, sizeof(line), "HTTP %d%s%s", l->status, text[0] != '\0' ? ": " : "", text);
		failed(l, line);
	} else {
		snprintf(line, sizeof(line), "%s", why != NULL ? why : "no answer");
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
	char path[MAP_PATH_MAX];
	struct request_spec spec = { .method = "POST",
		.path = path,
		.lb = { &l->m->node_key },
		.body = buf_ptr(&l->sent),
		.body_len = buf_len(&l->sent) };

	mapbody_path(l->m, path);
	l->status = 0;
	l->answer = 0;
	buf_reset(&l->error);
	l->request = session_request(mapd_request_session(l->m), &spec, &ops, l);
	return l->request != NULL ? 0 : -1;
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
	if (!l->due || l->request != NULL || timer_pending(&l->retry) || l->m->want != WANT_STREAM)
		return;
	l->generation = l->m->params.generation;
	buf_reset(&l->sent);
	if (mapbody_build(l->m, 1, &l->sent) == -1) {
		l->status = 0;
		failed(l, "the request is larger than the server accepts");
		return;
	}
	l->due = 0;
	if (!l->force && already_delivered(l)) {
		l->status = 200;
		report_result(l, 1, ""); /* LITE-01: the same value again sends nothing */
		return;
	}
	l->force = 0;
	if (send_body(l) == -1) {
		failed(l, "the request's path has characters that are not allowed");
		return;
	}
	timer_set_ms(&l->timeout, child_config(l->m->c)->watchdog_ms);
}

static void
kick_due(void *arg)
{
	send_if_due(arg);
}

/* Only the update is cancelled: the stream has its own watchdog. */
static void
timed_out(void *arg)
{
	struct lite *l = arg;

	if (l->request != NULL)
		request_cancel(l->request);
	settle(l, "no answer in time");
}

void
lite_changed(struct lite *l, int force)
{
	l->due = 1;
	l->force |= force;
	/* Hostinfo and parameters often arrive together: one turn later both have arrived. */
	if (l->m->want == WANT_STREAM && !timer_pending(&l->kick))
		timer_set_ms(&l->kick, 0);
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
	timer_stop(&l->kick);
	timer_stop(&l->retry);
	timer_stop(&l->timeout);
}

struct lite *
lite_new(struct mapd *m)
{
	struct lite *l = xcalloc(1, sizeof(*l));

	l->m = m;
	buf_init(&l->error, LITE_ERROR_MAX);
	buf_init(&l->sent, MAP_REQUEST_MAX);
	buf_init(&l->delivered, MAP_REQUEST_MAX);
	if (timer_init(&l->kick, m->base, kick_due, l) == -1 || timer_init(&l->retry, m->base, kick_due, l) == -1 ||
	    timer_init(&l->timeout, m->base, timed_out, l) == -1)
		mem_exhausted();
	return l;
}

void
lite_free(struct lite *l)
{
	if (l->request != NULL)
		request_cancel(l->request);
	timer_free(&l->kick);
	timer_free(&l->retry);
	timer_free(&l->timeout);
	buf_free(&l->error);
	buf_free(&l->sent);
	buf_free(&l->delivered);
	free(l);
}
