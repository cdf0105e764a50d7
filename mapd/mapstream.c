/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bucket.h"
#include "ingest.h"
#include "log.h"
#include "mapbody.h"
#include "mapframe.h"
#include "maprequest.h"
#include "mapstream.h"
#include "mem.h"
#include "ping.h"
#include "register.h"
#include "report.h"
#include "request.h"
#include "text.h"
#include "timefmt.h"
#include "timer.h"
#include "url.h"

#define ERROR_BODY_MS  5000
#define ERROR_BODY_MAX 1024
#define PENDING_MAX    (16u << 20) /* more than the HTTP/2 windows permit while the stream is paused */
#define URLS_SEEN      16
#define URLS_RATE      2 /* URLs a second; URLS_SEEN at once */
#define WISH_MS        1000
#define PROGRESS_MS    10000 /* security.md D15: of a frame that has begun, at least ... */
#define PROGRESS_BYTES 1024  /* ... bytes must arrive in each such span, or its end */

struct mapstream {
	struct mapd *m;
	struct request *request;
	struct ingest *ingest;
	struct mapframe *frame;
	struct timer watchdog, sleep, settle, progress;
	struct buf pending;  /* received during a sleep */
	struct buf error;    /* beginning of an error answer */
	uint64_t wire, mark; /* bytes of the answer's body fed so far; when progress was last looked at */
	int status;          /* 0: no response head yet */
	int live;            /* a message with Node was applied */
	int sleeping;
	int ended;        /* the request has ended, err and cause say how; CLOSED follows after the sleep */
	enum cause cause; /* of err */
	char err[IPC_ERR_MAX + 1];
	char *urls[URLS_SEEN]; /* opened in this stream (FLD-17), the oldest is forgotten */
	unsigned nurls;
	int dropped_reported; /* in this stream */
	struct bucket url_rate;
	uint64_t wish_ms; /* when EXIT_WISH was last sent; 0 = never */
};

/* KA-03: called only at the start of a request and at the end of a complete message. */
static void
arm_watchdog(struct mapstream *s)
{
	/* The loop's cached time is from before the processing, which may have been slow. */
	event_base_update_cache_time(s->m->base);
	timer_set_ms(&s->watchdog, child_config(s->m->c)->watchdog_ms);
}

static void
reset(struct mapstream *s)
{
	unsigned i;

	if (s->request != NULL)
		request_cancel(s->request);
	s->request = NULL;
	timer_stop(&s->watchdog);
	timer_stop(&s->sleep);
	timer_stop(&s->settle);
	timer_stop(&s->progress);
	ingest_free(s->ingest);
	s->ingest = NULL;
	mapframe_free(s->frame);
	s->frame = NULL;
	buf_free(&s->pending);
	buf_free(&s->error);
	for (i = 0; i < URLS_SEEN; i++) {
		free(s->urls[i]);
		s->urls[i] = NULL;
	}
	s->nurls = 0;
	s->status = s->live = s->dropped_reported = s->sleeping = s->ended = 0;
	s->cause = CAUSE_NONE;
	s->err[0] = '\0';
}

/* The request has ended.  Settle one turn later: mapstream_session_down() may know the reason. */
static void
end_soon(struct mapstream *s)
{
	s->request = NULL;
	s->ended = 1;
	timer_stop(&s->watchdog);
	timer_stop(&s->progress);
	if (!s->sleeping)
		timer_set_ms(&s->settle, 0);
}

static void
set_error(struct mapstream *s, const char *what, const char *why)
{
	char line[IPC_ERR_MAX + 100];

	if (s->err[0] != '\0')
		return;
	snprintf(line, sizeof(line), "%s%s%s", what, why[0] != '\0' ? ": " : "", why);
	text_sanitize(line, strlen(line), s->err, sizeof(s->err));
}

/* We end it: the answer is of no use.  Safe from within data(), which then returns -1. */
static void
refuse(struct mapstream *s, const char *what, const char *why)
{
	set_error(s, what, why);
	if (s->request != NULL)
		request_cancel(s->request);
	end_soon(s);
}

/* A limit of security.md D15 was passed. */
static void
report_limit(struct mapstream *s, const char *text)
{
	struct ipc_limit msg;

	memset(&msg, 0, sizeof(msg));
	IPC_SET(&msg, text, text, strlen(text));
	ipc_send(child_ipc(s->m->c), IPC_LIMIT, s->m->id, &msg, sizeof(msg), -1);
}

static void
refuse_message(struct mapstream *s)
{
	s->cause = CAUSE_MAP_REFUSED;
	refuse(s, "map response refused", ingest_error(s->ingest));
	if (ingest_over_limit(s->ingest))
		report_limit(s, s->err);
}

/* --- what a message asks for beside the netmap --- */

static int
seen(struct mapstream *s, const char *url)
{
	unsigned i;

	for (i = 0; i < URLS_SEEN; i++)
		if (s->urls[i] != NULL && strcmp(s->urls[i], url) == 0)
			return 1;
	return 0;
}

static void
remember(struct mapstream *s, const char *url)
{
	free(s->urls[s->nurls % URLS_SEEN]);
	s->urls[s->nurls++ % URLS_SEEN] = xstrdup(url);
}

static void
browse(struct mapstream *s, const char *url)
{
	struct ipc_browse msg;

	if (url[0] == '\0' || seen(s, url))
		return;
	if (!url_is_showable(url, strlen(url), child_wire_config(s->m->c)->https != 0)) {
		log_warnx("the server asked to open a URL that is not https: ignored"); /* INT-05 */
		return;
	}
	if (!bucket_take(&s->url_rate, time_mono_ms())) {
		log_warnx("the server asks to open too many URLs: one more dropped");
		return;
	}
	remember(s, url);
	memset(&msg, 0, sizeof(msg));
	IPC_SET(&msg, url, url, strlen(url));
	ipc_send(child_ipc(s->m->c), IPC_BROWSE, s->m->id, &msg, sizeof(msg), -1);
}

/* On every message, keep-alives included (protocol.md E.4 step 2, KA-05). */
static void
act_on_side(struct mapstream *s, const struct directives *side)
{
	if (side->ping != NULL)
		pings_handle(s->m->pings, side->ping);
	if (side->browse != NULL)
		browse(s, side->browse);
	if (side->has_control_time && !time_is_none(side->control_time)) {
		mapd_clock_received(s->m);
		report_control_time(s->m->report, side->control_time.sec);
	}
	if (side->dial_plan != NULL)
		mapd_dial_plan(s->m, side->dial_plan);
}

static void
wish_exit(struct mapstream *s, int64_t code)
{
	struct ipc_exit_wish msg = { .code = code < INT32_MIN || code > INT32_MAX ? 1 : (int32_t)code };
	uint64_t now = time_mono_ms();

	if (s->wish_ms != 0 && now - s->wish_ms < WISH_MS)
		return;
	s->wish_ms = now;
	ipc_send(child_ipc(s->m->c), IPC_EXIT_WISH, s->m->id, &msg, sizeof(msg), -1);
}

/* --- messages --- */

static void
count(struct mapstream *s, int keepalive, int full, size_t bytes)
{
	struct ipc_counters *n = report_counters(s->m->report);

	if (keepalive)
		n->msgs_keepalive++;
	else if (full)
		n->msgs_full++;
	else
		n->msgs_delta++;
	n->bytes_decoded += bytes;
	n->last_message_mono_ms = time_mono_ms();
	report_counted(s->m->report);
}

/* Steps 7 to 9 of E.4.  -1: refused, the stream is over. */
static int
apply(struct mapstream *s)
{
	const struct directives *side = ingest_directives(s->ingest);
	struct netmap_change ch;
	int keepalive = side->keepalive, dropped = ingest_dropped(s->ingest) > 0, rv;
	size_t bytes = side->bytes;

	memset(&ch, 0, sizeof(ch));
	mapd_clock_check(s->m);
	if ((rv = ingest_apply(s->ingest, time_wall(), &ch)) == -1) {
		refuse_message(s);
		return -1;
	}
	count(s, keepalive, rv == 1 && ch.full, bytes);
	if (rv == 1)
		mapd_changed(s->m, &ch);
	else
		mapd_unchanged(s->m);
	if (!keepalive && !s->live) {
		s->live = 1;
		report_self(s->m->report);
		mapd_stream_report(s->m, IPC_STREAM_LIVE, 200, CAUSE_NONE, "");
	}
	if (dropped && !s->dropped_reported) {
		s->dropped_reported = 1;
		report_limit(s,
		    "the server sent more of one thing (addresses or endpoints of a node, DNS routes, a capability) "
		    "than the limit: the rest was dropped");
	}
	if (!s->ended)
		arm_watchdog(s);
	return 0;
}

static void
go_to_sleep(struct mapstream *s, uint32_t ms)
{
	log_info("the server asks for a pause of %u.%03u s", (unsigned)(ms / 1000), (unsigned)(ms % 1000));
	s->sleeping = 1;
	if (s->request != NULL)
		request_pause(s->request, 1);
	timer_set_ms(&s->sleep, ms);
}

/* A whole message was received.  -1: the stream has ended. */
static int
message(struct mapstream *s)
{
	const struct directives *side;

	timer_stop(&s->watchdog); /* KA-06 */
	if (ingest_end(s->ingest) == -1) {
		refuse_message(s);
		return -1;
	}
	side = ingest_directives(s->ingest);
	act_on_side(s, side);
	if (side->keepalive)
		return apply(s);
	if (!s->live && !side->has_node) {
		refuse(s, "initial map response lacks Node", ""); /* MAP-03 */
		return -1;
	}
	if (side->has_exit)
		wish_exit(s, side->exit_code);
	if (side->sleep_ms == 0)
		return apply(s);
	go_to_sleep(s, side->sleep_ms); /* DBG-01: before anything of it is applied */
	return 0;
}

static void
watch_progress(struct mapstream *s)
{
	s->mark = s->wire;
	timer_set_ms(&s->progress, PROGRESS_MS);
}

static void
progress_due(void *arg)
{
	struct mapstream *s = arg;

	if (s->wire - s->mark >= PROGRESS_BYTES) {
		watch_progress(s);
		return;
	}
	refuse(s, "map stream", "a map frame makes no progress");
	report_limit(s, s->err);
}

/*
 * Uses bytes of the answer's body until all are used or a sleep begins; returns their number.  -1: the stream has
 * ended.
 */
static ssize_t
feed(struct mapstream *s, const uint8_t *p, size_t n)
{
	size_t done = 0, used;
	int rv;

	while (done < n && !s->sleeping) {
		if ((rv = mapframe_feed_one(s->frame, p + done, n - done, &used)) == -1) {
			refuse(s, "map stream", mapframe_error(s->frame));
			if (mapframe_over_limit(s->frame) || ingest_over_limit(s->ingest))
				report_limit(s, s->err);
			return -1;
		}
		done += used;
		s->wire += used;
		if (rv == 1)
			timer_stop(&s->progress);
		if (rv == 1 && message(s) == -1)
			return -1;
	}
	if (mapframe_inside(s->frame) && !timer_pending(&s->progress))
		watch_progress(s);
	return (ssize_t)done;
}

static void
woke_up(void *arg)
{
	struct mapstream *s = arg;
	ssize_t used;

	s->sleeping = 0;
	if (apply(s) == -1)
		return;
	if (s->request != NULL)
		request_pause(s->request, 0);
	if ((used = feed(s, buf_ptr(&s->pending), buf_len(&s->pending))) == -1)
		return;
	buf_consume(&s->pending, (size_t)used);
	if (s->ended && !s->sleeping)
		timer_set_ms(&s->settle, 0);
}

/* --- the request from start to end --- */

static void
on_head(void *arg, int status)
{
	struct mapstream *s = arg;

	s->status = status;
	if (status == 200)
		mapd_stream_report(s->m, IPC_STREAM_OPEN, status, CAUSE_NONE, "");
	else
		timer_set_ms(&s->watchdog, ERROR_BODY_MS);
}

static int
error_body(struct mapstream *s, const uint8_t *p, size_t n)
{
	size_t room = ERROR_BODY_MAX - buf_len(&s->error);

	buf_put(&s->error, p, n < room ? n : room);
	if (n < room)
		return 0;
	end_soon(s);
	return -1;
}

static int
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct mapstream *s = arg;
	ssize_t used = 0;

	if (s->status != 200)
		return error_body(s, p, n);
	report_counters(s->m->report)->bytes_wire += n;
	if (!s->sleeping && (used = feed(s, p, n)) == -1)
		return -1;
	if ((size_t)used < n && buf_put(&s->pending, p + used, n - (size_t)used) == -1) {
		refuse(s, "map stream", "the server keeps sending during the pause it requested");
		return -1;
	}
	return 0;
}

static void
on_done(void *arg, enum request_err err, const char *why)
{
	struct mapstream *s = arg;

	if (s->status == 200 && err == REQ_OK)
		set_error(s, "map stream ended", "unexpected EOF"); /* ERR-01 */
	else if (s->status == 200)
		set_error(s, "map stream lost", why != NULL ? why : "connection closed");
	else if (s->status == 0)
		set_error(s, "map request", why != NULL ? why : "no answer");
	if (err == REQ_LIMIT)
		report_limit(s, s->err);
	end_soon(s);
}

void
mapstream_session_down(struct mapstream *s, const char *why, enum cause cause)
{
	if (!s->ended || s->status != 0)
		return;
	s->cause = cause;
	s->err[0] = '\0';
	set_error(s, why, "");
}

static void
settle(void *arg)
{
	struct mapstream *s = arg;
	char text[REGISTER_MAX_ERRTEXT + 100], code[64], err[IPC_ERR_MAX + 1];
	enum cause cause;
	int status = s->status;

	if (status != 0 && status != 200) {
		wire_error_text(buf_ptr(&s->error), buf_len(&s->error), text, sizeof(text));
		snprintf(code, sizeof(code), "initial fetch failed %d", status); /* ERR-02 */
		s->err[0] = '\0';
		s->cause = status == 404 ? CAUSE_UNKNOWN_NODE : CAUSE_HTTP;
		set_error(s, code, text);
	}
	strlcpy(err, s->err, sizeof(err));
	cause = cause_first(s->cause, CAUSE_OTHER);
	reset(s);
	mapd_stream_closed(s->m, status, cause, err);
}

/* KA-02.  A connection that was silent for that time is unusable for lite updates too. */
static void
watchdog_fired(void *arg)
{
	struct mapstream *s = arg;
	char err[100];
	uint32_t ms = child_config(s->m->c)->watchdog_ms;

	if (s->status != 0 && s->status != 200) { /* the text of the error is not complete in time */
		settle(arg);
		return;
	}
	snprintf(err, sizeof(err), "no complete message from the server for %u.%u s", (unsigned)(ms / 1000),
	    (unsigned)(ms % 1000 / 100));
	mapd_drop_session(s->m);
	mapd_stream_closed(s->m, 0, CAUSE_OTHER, err);
}

static int
send_request(struct mapstream *s)
{
	static const struct request_ops ops = { .head = on_head, .data = on_data, .done = on_done };
	struct request_spec spec = { .method = "POST", .lb = { &s->m->node_key } };
	char path[MAP_PATH_MAX];
	struct buf body;

	mapbody_path(s->m, path);
	buf_init(&body, MAP_REQUEST_MAX);
	if (mapbody_build(s->m, 0, &body) == 0) {
		spec.path = path;
		spec.body = buf_ptr(&body);
		spec.body_len = buf_len(&body);
		s->request = session_request(mapd_request_session(s->m), &spec, &ops, s);
	}
	buf_free(&body);
	return s->request != NULL ? 0 : -1;
}

static int
frame_begin(void *arg, uint32_t wire_len)
{
	struct mapstream *s = arg;

	(void)wire_len;
	ingest_begin(s->ingest);
	return 0;
}

static int
frame_data(void *arg, const uint8_t *p, size_t n)
{
	struct mapstream *s = arg;

	if (ingest_data(s->ingest, p, n) == 0)
		return 0;
	s->cause = CAUSE_MAP_REFUSED;
	set_error(s, "map response refused", ingest_error(s->ingest));
	return -1;
}

static int
frame_end(void *arg)
{
	(void)arg; /* feed() sees it and may sleep there */
	return 0;
}

void
mapstream_start(struct mapstream *s)
{
	static const struct mapframe_ops ops = { .begin = frame_begin, .data = frame_data, .end = frame_end };
	const struct ipc_config *cfg = child_config(s->m->c);
	struct mapframe_config limits = { .max_wire = cfg->max_map_wire,
		.max_decoded = cfg->max_map_decoded,
		.zstd = 1 };

	reset(s);
	arm_watchdog(s); /* covers connecting, the request and the answer's head */
	s->ingest = ingest_new(s->m->netmap);
	if ((s->frame = mapframe_new(&limits, &ops, s)) == NULL)
		mem_exhausted();
	/* Each message has its own budget (MAP-09): a small one does not make the map smaller than it is by default. */
	if (cfg->max_map_decoded > ingest_limits(s->ingest)->max_bytes)
		ingest_limits(s->ingest)->max_bytes =
		    cfg->max_map_decoded < SIZE_MAX ? (size_t)cfg->max_map_decoded : SIZE_MAX;
	if (send_request(s) == -1)
		refuse(s, "map request",
		    "larger than the server accepts, or its path has characters that are not allowed");
}

void
mapstream_stop(struct mapstream *s)
{
	if (s->ingest != NULL)
		ingest_discard(s->ingest); /* DBG-02 */
	reset(s);
}

struct mapstream *
mapstream_new(struct mapd *m)
{
	struct mapstream *s = xcalloc(1, sizeof(*s));

	s->m = m;
	bucket_init(&s->url_rate, URLS_RATE, URLS_SEEN, time_mono_ms());
	buf_init(&s->pending, PENDING_MAX);
	buf_init(&s->error, ERROR_BODY_MAX);
	if (timer_init(&s->watchdog, m->base, watchdog_fired, s) == -1 ||
	    timer_init(&s->sleep, m->base, woke_up, s) == -1 || timer_init(&s->settle, m->base, settle, s) == -1 ||
	    timer_init(&s->progress, m->base, progress_due, s) == -1)
		mem_exhausted();
	return s;
}

void
mapstream_free(struct mapstream *s)
{
	reset(s);
	timer_free(&s->watchdog);
	timer_free(&s->sleep);
	timer_free(&s->settle);
	timer_free(&s->progress);
	free(s);
}
