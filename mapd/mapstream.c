/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "bucket.h"
#include "ingest.h"
#include "log.h"
#include "mapbody.h"
#include "mapframe.h"
#include "maprequest.h"
#include "mapstream.h"
#include "ping.h"
#include "register.h"
#include "report.h"
#include "text.h"
#include "timefmt.h"

#define ERROR_BODY_MS  5000
#define ERROR_BODY_MAX 1024
#define PENDING_MAX    (16u << 20) /* more than the windows let through while the stream is paused */
#define URLS_SEEN      16
#define URLS_RATE      2 /* a second that are shown, and so many at once */
#define WISH_MS        1000
#define PROGRESS_MS    10000 /* security.md D15: a frame that has begun brings so many bytes ... */
#define PROGRESS_BYTES 1024  /* ... in any such span, or its end */

struct mapstream {
	struct mapd *m;
	struct request *request;
	struct ingest *ingest;
	struct mapframe *frame;
	struct event *watchdog, *sleep, *settle, *progress;
	struct buf pending;  /* came during a sleep */
	struct buf error;    /* beginning of an error answer */
	uint64_t wire, mark; /* bytes of the answer's body fed so far; when progress was last looked at */
	int status;          /* 0: no response head yet */
	int live;            /* a message with Node was applied */
	int sleeping;
	int ended; /* the request is over, err and suspect say how; CLOSED follows when the sleep is over */
	int suspect;
	char err[IPC_ERR_MAX + 1];
	char *urls[URLS_SEEN]; /* shown in this stream (FLD-17), the oldest is forgotten */
	unsigned nurls;
	int told_dropped; /* in this stream */
	struct bucket url_rate;
	uint64_t wish_ms; /* when it was last told; 0 = never */
};

static void
arm(struct event *ev, uint32_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	evtimer_add(ev, &tv);
}

/* KA-03: only the start of a request and the end of a complete message come here. */
static void
arm_watchdog(struct mapstream *s)
{
	/* Processing may have taken long; the loop's own idea of now is from before it. */
	event_base_update_cache_time(s->m->base);
	arm(s->watchdog, child_config(s->m->c)->watchdog_ms);
}

static void
reset(struct mapstream *s)
{
	unsigned i;

	if (s->request != NULL)
		request_cancel(s->request);
	s->request = NULL;
	evtimer_del(s->watchdog);
	evtimer_del(s->sleep);
	evtimer_del(s->settle);
	evtimer_del(s->progress);
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
	s->status = s->live = s->told_dropped = s->sleeping = s->ended = s->suspect = 0;
	s->err[0] = '\0';
}

/* The request is gone.  One turn later, so that mapstream_session_down() can say what it knows. */
static void
end_soon(struct mapstream *s)
{
	s->request = NULL;
	s->ended = 1;
	evtimer_del(s->watchdog);
	evtimer_del(s->progress);
	if (!s->sleeping)
		arm(s->settle, 0);
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
tell_limit(struct mapstream *s, const char *text)
{
	struct ipc_limit msg;

	memset(&msg, 0, sizeof(msg));
	IPC_SET(&msg, text, text, strlen(text));
	ipc_send(child_ipc(s->m->c), IPC_LIMIT, s->m->id, &msg, sizeof(msg), -1);
}

static void
refuse_message(struct mapstream *s)
{
	refuse(s, "map response refused", ingest_error(s->ingest));
	if (ingest_over_limit(s->ingest))
		tell_limit(s, s->err);
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
	s->urls[s->nurls++ % URLS_SEEN] = strdup(url);
}

static void
browse(struct mapstream *s, const char *url)
{
	struct ipc_browse msg;

	if (url[0] == '\0' || seen(s, url))
		return;
	if (!wire_url_ok(url, strlen(url), child_wire_config(s->m->c)->https)) {
		log_warnx("the server wants a URL shown that is not https: dropped"); /* INT-05 */
		return;
	}
	if (!bucket_take(&s->url_rate, time_mono_ms())) {
		log_warnx("the server wants many URLs shown: one more dropped");
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
		mapd_clock_told(s->m);
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
		mapd_stream_report(s->m, IPC_STREAM_LIVE, 200, 0, "");
	}
	if (dropped && !s->told_dropped) {
		s->told_dropped = 1;
		tell_limit(s,
		    "the server sent more of one thing (addresses or endpoints of a node, DNS routes, a capability) "
		    "than is kept: the rest is left out");
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
	arm(s->sleep, ms);
}

/* A whole message is there.  -1: the stream is over. */
static int
message(struct mapstream *s)
{
	const struct directives *side;

	evtimer_del(s->watchdog); /* KA-06 */
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
	arm(s->progress, PROGRESS_MS);
}

static void
progress_due(int fd, short what, void *arg)
{
	struct mapstream *s = arg;

	(void)fd;
	(void)what;
	if (s->wire - s->mark >= PROGRESS_BYTES) {
		watch_progress(s);
		return;
	}
	refuse(s, "map stream", "a map frame does not come forward");
	tell_limit(s, s->err);
}

/* Takes bytes of the answer's body until they are used up or a sleep begins; returns how many.  -1: the stream is over. */
static ssize_t
feed(struct mapstream *s, const uint8_t *p, size_t n)
{
	size_t done = 0, used;
	int rv;

	while (done < n && !s->sleeping) {
		if ((rv = mapframe_feed_one(s->frame, p + done, n - done, &used)) == -1) {
			refuse(s, "map stream", mapframe_error(s->frame));
			if (mapframe_over_limit(s->frame) || ingest_over_limit(s->ingest))
				tell_limit(s, s->err);
			return -1;
		}
		done += used;
		s->wire += used;
		if (rv == 1)
			evtimer_del(s->progress);
		if (rv == 1 && message(s) == -1)
			return -1;
	}
	if (mapframe_inside(s->frame) && !evtimer_pending(s->progress, NULL))
		watch_progress(s);
	return (ssize_t)done;
}

static void
woke_up(int fd, short what, void *arg)
{
	struct mapstream *s = arg;
	ssize_t used;

	(void)fd;
	(void)what;
	s->sleeping = 0;
	if (apply(s) == -1)
		return;
	if (s->request != NULL)
		request_pause(s->request, 0);
	if ((used = feed(s, buf_ptr(&s->pending), buf_len(&s->pending))) == -1)
		return;
	buf_consume(&s->pending, (size_t)used);
	if (s->ended && !s->sleeping)
		arm(s->settle, 0);
}

/* --- the request's life --- */

static void
on_head(void *arg, int status)
{
	struct mapstream *s = arg;

	s->status = status;
	if (status == 200)
		mapd_stream_report(s->m, IPC_STREAM_OPEN, status, 0, "");
	else
		arm(s->watchdog, ERROR_BODY_MS);
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
		refuse(s, "map stream", "the server sends on and on during the pause it asked for");
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
		tell_limit(s, s->err);
	end_soon(s);
}

void
mapstream_session_down(struct mapstream *s, const char *why, int suspect)
{
	if (!s->ended || s->status != 0)
		return;
	s->suspect = suspect;
	s->err[0] = '\0';
	set_error(s, why, "");
}

static void
settle(int fd, short what, void *arg)
{
	struct mapstream *s = arg;
	char text[REGISTER_MAX_ERRTEXT + 100], code[64], err[IPC_ERR_MAX + 1];
	int status = s->status, suspect = s->suspect;

	(void)fd;
	(void)what;
	if (status != 0 && status != 200) {
		wire_error_text(buf_ptr(&s->error), buf_len(&s->error), text, sizeof(text));
		snprintf(code, sizeof(code), "initial fetch failed %d", status); /* ERR-02 */
		s->err[0] = '\0';
		set_error(s, code, text);
	}
	strlcpy(err, s->err, sizeof(err));
	reset(s);
	mapd_stream_closed(s->m, status, suspect, err);
}

/* KA-02.  A connection that has been silent for so long is dead for lite updates too. */
static void
watchdog_fired(int fd, short what, void *arg)
{
	struct mapstream *s = arg;
	char err[100];
	uint32_t ms = child_config(s->m->c)->watchdog_ms;

	if (s->status != 0 && s->status != 200) { /* the error's text does not end */
		settle(fd, what, arg);
		return;
	}
	snprintf(err, sizeof(err), "no complete message from the server for %u.%u s", (unsigned)(ms / 1000),
	    (unsigned)(ms % 1000 / 100));
	mapd_drop_session(s->m);
	mapd_stream_closed(s->m, 0, 0, err);
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
	s->frame = mapframe_new(&limits, &ops, s);
	/* Each message has its own budget (MAP-09): a small one does not make the map smaller than it is by default. */
	if (s->ingest != NULL && cfg->max_map_decoded > ingest_limits(s->ingest)->max_bytes)
		ingest_limits(s->ingest)->max_bytes = cfg->max_map_decoded;
	if (s->ingest == NULL || s->frame == NULL || send_request(s) == -1)
		refuse(s, "map request", "out of memory, or larger than the server takes");
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
	struct mapstream *s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->m = m;
	bucket_init(&s->url_rate, URLS_RATE, URLS_SEEN, time_mono_ms());
	buf_init(&s->pending, PENDING_MAX);
	buf_init(&s->error, ERROR_BODY_MAX);
	s->watchdog = evtimer_new(m->base, watchdog_fired, s);
	s->sleep = evtimer_new(m->base, woke_up, s);
	s->settle = evtimer_new(m->base, settle, s);
	s->progress = evtimer_new(m->base, progress_due, s);
	if (s->watchdog != NULL && s->sleep != NULL && s->settle != NULL && s->progress != NULL)
		return s;
	mapstream_free(s);
	return NULL;
}

void
mapstream_free(struct mapstream *s)
{
	if (s == NULL)
		return;
	if (s->watchdog != NULL && s->sleep != NULL && s->settle != NULL && s->progress != NULL)
		reset(s);
	if (s->watchdog != NULL)
		event_free(s->watchdog);
	if (s->sleep != NULL)
		event_free(s->sleep);
	if (s->settle != NULL)
		event_free(s->settle);
	if (s->progress != NULL)
		event_free(s->progress);
	free(s);
}
