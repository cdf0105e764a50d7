/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "fetch.h"
#include "http1.h"
#include "http1body.h"
#include "mem.h"
#include "stream.h"
#include "text.h"
#include "timer.h"
#include "tls.h"

#define MAX_REDIRECTS 3
#define PATH_MAX_LEN  2048

struct fetch {
	struct event_base *base;
	struct wire_config cfg;
	struct trust *trust; /* counted: it may be replaced while this one is in use */
	struct fetch_ops ops;
	void *arg;
	char method[8];
	char path[PATH_MAX_LEN];
	char where[300];
	struct timer later, deadline;
	unsigned timeout_ms;
	uint32_t id; /* of the dial */
	int dialling;
	struct stream *stream;
	unsigned redirects;
	struct buf head;
	int status; /* 0: no head yet */
	char reason[HTTP1_REASON_MAX];
	struct http1_body how;
	struct buf body;
	int over; /* done() is due: */
	int out_status;
	int telling; /* in done(), which cannot cancel */
	char why[480];
	enum cause cause;
};

static void stream_ready(void *arg);
static void stream_data(void *arg, const uint8_t *p, size_t n);
static void stream_drained(void *arg);
static void stream_closed(void *arg, const char *why, int whole);

static const struct stream_ops stream_ops = { stream_ready, stream_data, stream_drained, stream_closed };

static void
hang_up(struct fetch *f)
{
	stream_close(f->stream); /* at once: nothing idles beside the Noise connection (KEY-06) */
	f->stream = NULL;
	if (f->dialling)
		f->ops.dial_cancel(f->arg, f->id);
	f->dialling = 0;
}

void
fetch_cancel(struct fetch *f)
{
	if (f == NULL || f->telling)
		return;
	hang_up(f);
	timer_free(&f->later);
	timer_free(&f->deadline);
	trust_free(f->trust);
	buf_free(&f->head);
	buf_free(&f->body);
	free(f);
}

/* The result is reported from the event loop. */
static void __attribute__((format(printf, 4, 5)))
finish(struct fetch *f, int status, enum cause cause, const char *fmt, ...)
{
	va_list ap;

	if (f->over)
		return;
	f->over = 1;
	f->out_status = status;
	f->cause = cause;
	f->why[0] = '\0';
	if (fmt != NULL) {
		va_start(ap, fmt);
		vsnprintf(f->why, sizeof(f->why), fmt, ap);
		va_end(ap);
	}
	hang_up(f); /* only now: texts of the stream may be among the arguments */
	timer_soon(&f->later);
}

/* The answer is complete; of an error answer, a part of the body is enough. */
static void
finish_answer(struct fetch *f)
{
	if (f->status >= 200 && f->status <= 299)
		finish(f, f->status, CAUSE_NONE, NULL);
	else
		finish(f, f->status, cause_of_http(f->status), "HTTP %d %s", f->status, f->reason);
}

/* The body of a good answer must be right; of an error answer only the status counts (KEY-04). */
static void
bad_body(struct fetch *f, const char *why)
{
	if (f->status >= 200 && f->status <= 299)
		finish(f, 0, CAUSE_HTTP, "answer of %s (HTTP %d %s): %s", f->where, f->status, f->reason, why);
	else
		finish_answer(f);
}

static void
dial(struct fetch *f)
{
	f->id++;
	f->dialling = 1;
	f->ops.dial(f->arg, f->id, WIRE_DIAL_URL, 0);
}

static void
on_later(void *arg)
{
	struct fetch *f = arg;

	if (!f->over) {
		dial(f);
		return;
	}
	f->telling = 1;
	f->ops.done(f->arg, f->out_status, buf_len(&f->body) > 0 ? buf_ptr(&f->body) : (const uint8_t *)"",
	    buf_len(&f->body), f->why[0] != '\0' ? f->why : NULL);
	f->telling = 0;
	fetch_cancel(f);
}

static void
on_deadline(void *arg)
{
	struct fetch *f = arg;
	const char *step = f->stream != NULL ? stream_step(f->stream) : "";

	if (f->status != 0)
		bad_body(f, "it does not end");
	else if (f->stream == NULL)
		finish(f, 0, CAUSE_OTHER, "connection to %s: no connection within %u s", f->where,
		    f->timeout_ms / 1000);
	else
		finish(f, 0, CAUSE_OTHER, "%s%s: no answer within %u s", step[0] ? step : "request to ",
		    step[0] ? "" : f->where, f->timeout_ms / 1000);
}

/* --- redirects: only within the same scheme, host and port --- */

/* Path part of a Location that stays here, or NULL. */
static const char *
local_path(const struct fetch *f, const char *loc)
{
	static const char *const schemes[] = { "http://", "https://" };
	const char *scheme = schemes[f->cfg.https != 0];
	size_t n = strlen(scheme), a = strlen(f->cfg.authority), w = strlen(f->where);

	if (loc[0] == '/')
		return loc[1] == '/' ? NULL : loc;
	if (strncasecmp(loc, scheme, n) != 0)
		return NULL;
	loc += n;
	/* "h" and "h:443" name the same place. */
	if (strncasecmp(loc, f->where, w) == 0 && loc[w] == '/')
		return loc + w;
	if (strncasecmp(loc, f->cfg.authority, a) == 0 && loc[a] == '/')
		return loc + a;
	return NULL;
}

static void
redirect(struct fetch *f, const struct http1_head *h)
{
	const struct http1_field *loc = http1_get(h, "Location", NULL);
	char url[PATH_MAX_LEN];
	const char *path;

	if (loc == NULL || loc->value_len >= sizeof(url)) {
		finish(f, 0, CAUSE_HTTP, "%s redirects (HTTP %d) to nowhere", f->where, h->status);
		return;
	}
	memcpy(url, loc->value, loc->value_len);
	url[loc->value_len] = '\0';
	url[strcspn(url, "#")] = '\0';
	if ((path = local_path(f, url)) == NULL) {
		finish(f, 0, CAUSE_HTTP, "%s redirects (HTTP %d) elsewhere, which is not followed", f->where,
		    h->status);
		return;
	}
	if (++f->redirects > MAX_REDIRECTS) {
		finish(f, 0, CAUSE_HTTP, "%s redirects (HTTP %d) too often", f->where, h->status);
		return;
	}
	memmove(f->path, path, strlen(path) + 1);
	hang_up(f);
	buf_reset(&f->head);
	f->status = 0;
	dial(f);
}

/* --- the answer --- */

static void
read_body(struct fetch *f, const uint8_t *p, size_t n)
{
	char err[128];
	int rc = http1_body_feed(&f->how, p, n, &f->body, err, sizeof(err));

	if (rc == -1)
		bad_body(f, err);
	else if (rc == 1)
		finish_answer(f);
}

static int
is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void
read_head(struct fetch *f, const uint8_t *p, size_t n)
{
	struct http1_head h;
	char err[128];
	size_t used;
	int rc;

	if (buf_put(&f->head, p, n) == -1) {
		finish(f, 0, CAUSE_OTHER, "answer of %s: head too large", f->where);
		return;
	}
	rc = http1_parse(&h, buf_ptr(&f->head), buf_len(&f->head), &used, err, sizeof(err));
	if (rc == -1)
		finish(f, 0, CAUSE_OTHER, "answer of %s: %s", f->where, err);
	if (rc != 1)
		return;
	if (is_redirect(h.status)) {
		redirect(f, &h);
		return;
	}
	f->status = h.status;
	memcpy(f->reason, h.reason, sizeof(f->reason));
	if (h.status == 101)
		finish(f, 0, CAUSE_HTTP, "answer of %s: unexpected HTTP 101", f->where);
	else if (http1_body_init(&f->how, &h, f->method, err, sizeof(err)) == -1)
		bad_body(f, err);
	else
		read_body(f, buf_ptr(&f->head) + used, buf_len(&f->head) - used);
}

static void
stream_ready(void *arg)
{
	struct fetch *f = arg;
	struct buf b;

	if (f->cfg.https && f->ops.step != NULL)
		f->ops.step(f->arg, WIRE_STEP_TLS, WIRE_DIAL_URL);
	buf_init(&b, PATH_MAX_LEN + 1024);
	if (http1_build_request(&b, f->method, f->cfg.authority, f->path) == -1)
		finish(f, 0, CAUSE_OTHER, "request to %s: path or host not usable", f->where);
	else
		stream_write(f->stream, buf_ptr(&b), buf_len(&b));
	buf_free(&b);
}

static void
stream_data(void *arg, const uint8_t *p, size_t n)
{
	struct fetch *f = arg;

	if (f->over)
		return;
	if (f->status == 0)
		read_head(f, p, n);
	else
		read_body(f, p, n);
}

static void
stream_drained(void *arg)
{
	(void)arg;
}

static void
stream_closed(void *arg, const char *why, int whole)
{
	struct fetch *f = arg;

	if (f->status == 0)
		finish(f, 0, why != NULL ? stream_cause(f->stream) : CAUSE_OTHER, "%s%s",
		    why != NULL ? why : "no answer, connection closed by ", why != NULL ? "" : f->where);
	else if (why == NULL && whole && http1_body_eof(&f->how) == 1)
		finish_answer(f);
	else
		bad_body(f, "cut off");
}

/* --- the owner's side --- */

void
fetch_dialled(struct fetch *f, uint32_t id, int fd, const char *errtext)
{
	struct stream_spec spec = {
		.fd = fd,
		.host = f->cfg.host,
		.port = f->cfg.url_port,
		.via_proxy = f->cfg.via_proxy != 0,
		.proxy_auth = f->cfg.proxy_auth,
		.tls = f->cfg.https != 0,
		.trust = f->trust,
	};
	char text[400];

	if (!f->dialling || id != f->id) {
		if (fd >= 0)
			close(fd);
		return;
	}
	f->dialling = 0;
	if (fd < 0) {
		text_sanitize(errtext != NULL ? errtext : "", errtext != NULL ? strlen(errtext) : 0, text,
		    sizeof(text));
		finish(f, 0, spec.via_proxy ? CAUSE_PROXY : CAUSE_OTHER, "%s%s", text[0] ? text : "no connection to ",
		    text[0] ? "" : f->where);
		return;
	}
	if ((f->stream = stream_new(f->base, &spec, &stream_ops, f)) == NULL)
		finish(f, 0, CAUSE_OTHER, "connection to %s: TLS cannot be set up", f->where);
}

struct fetch *
fetch_start(struct event_base *base, const struct wire_config *cfg, struct trust *trust, const char *method,
    const char *path, size_t body_max, unsigned timeout_ms, const struct fetch_ops *ops, void *arg)
{
	struct fetch *f = xcalloc(1, sizeof(*f));
	int six = strchr(cfg->host, ':') != NULL;

	f->base = base;
	f->cfg = *cfg;
	f->trust = trust_ref(trust);
	f->ops = *ops;
	f->arg = arg;
	f->timeout_ms = timeout_ms;
	buf_init(&f->head, HTTP1_HEAD_MAX + 65536);
	buf_init(&f->body, body_max);
	snprintf(f->where, sizeof(f->where), "%s%s%s:%u", six ? "[" : "", cfg->host, six ? "]" : "", cfg->url_port);
	timer_init(&f->later, base, on_later, f);
	timer_init(&f->deadline, base, on_deadline, f);
	timer_set_ms(&f->deadline, timeout_ms);
	if (strlcpy(f->method, method, sizeof(f->method)) >= sizeof(f->method) ||
	    strlcpy(f->path, path, sizeof(f->path)) >= sizeof(f->path))
		finish(f, 0, CAUSE_OTHER, "request to %s: path too long", f->where);
	else if (cfg->https && trust == NULL)
		finish(f, 0, CAUSE_CERTIFICATE, "request to %s: no trust anchors",
		    f->where); /* no downgrade (KEY-05) */
	else
		timer_soon(&f->later);
	return f;
}

enum cause
fetch_cause(const struct fetch *f)
{
	return f->cause;
}
