/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "bucket.h"
#include "buf.h"
#include "childfd.h"
#include "dialclient.h"
#include "exits.h"
#include "log.h"
#include "mem.h"
#include "timefmt.h"
#include "tls.h"

#define HOSTINFO_MAX  (256u * 1024)
#define LAST_WORDS_MS 200

struct childproc {
	const struct child_role *role;
	struct event_base *base;
	struct ipc *ipc;
	struct dialclients dialclients;
	void *ctx; /* the room's, from start() on */
	int exit_code;
	int over;
	int logging; /* inside the sink: a failed send must not log again */
	struct bucket log_rate;
	unsigned log_dropped;
	int have_hello;
	struct sandbox_opts sandbox;
	char chroot_dir[IPC_PATH_MAX + 1];
	int have_config;
	struct ipc_config config;
	struct wire_config wire;
	struct buf hostinfo;
	struct buf incoming; /* the next Hostinfo, chunk by chunk */
	uint32_t incoming_total;
	struct wire_candidate plan[IPC_MAX_PLAN];
	uint32_t nplan;
	struct trust *trust;
	char trust_err[200];
};

static void
leave(struct childproc *c, int code)
{
	if (c->over)
		return;
	c->over = 1;
	c->exit_code = code;
	event_base_loopbreak(c->base);
}

static void
send_line(struct childproc *c, enum log_level level, const char *text)
{
	struct ipc_log m = { .level = (uint32_t)level };

	m.data_len = ipc_text_put(m.data, sizeof(m.data), text, strlen(text));
	ipc_send(c->ipc, IPC_LOG, IPC_ID_NONE, &m, ipc_head_len(IPC_LOG) + m.data_len, -1);
}

/* No more than the parent would write: a server that makes us talk must not have us killed for too many messages. */
static void
log_over_channel(void *arg, enum log_level level, const char *text)
{
	struct childproc *c = arg;
	char left_out[40];

	if (c->logging || c->ipc == NULL)
		return;
	if (!bucket_take(&c->log_rate, time_mono_ms())) {
		c->log_dropped++;
		return;
	}
	c->logging = 1;
	if (c->log_dropped > 0) {
		snprintf(left_out, sizeof(left_out), "%u lines left out", c->log_dropped);
		c->log_dropped = 0;
		send_line(c, LOG_L_WARN, left_out);
	}
	send_line(c, level, text);
	c->logging = 0;
}

/* --- start: HELLO, CONFIG, sandbox, READY (security.md 4, start order) --- */

int
child_on_hello(void *arg, const struct ipc_msg *m)
{
	struct childproc *c = arg;
	const struct ipc_hello *h = m->payload;

	if (c->have_hello || h->role != (uint32_t)c->role->role || h->log_level > LOG_L_DEBUG || !IPC_OK(h, chroot_dir))
		return -1;
	if (memcmp(h->build, build_id, BUILD_ID_LEN) != 0) {
		log_errorx("not built together with this tailnetd: reinstall all programs");
		leave(c, EXIT_BUILD);
		return 0;
	}
	log_set_level((enum log_level)h->log_level);
	IPC_STR(h, chroot_dir, c->chroot_dir);
	c->sandbox.required = h->sandbox_required != 0;
	c->sandbox.drop_ids = h->drop_ids != 0;
	c->sandbox.uid = (uid_t)h->uid;
	c->sandbox.gid = (gid_t)h->gid;
	c->sandbox.chroot_dir = h->chroot_dir_len > 0 ? c->chroot_dir : NULL;
	c->have_hello = 1;
	return 0;
}

static void
enter_and_report(struct childproc *c)
{
	struct ipc_ready ready;
	int layers;

	if ((layers = sandbox_enter(c->role->profile, &c->sandbox)) == -1) {
		leave(c, EXIT_SANDBOX);
		return;
	}
	memcpy(ready.build, build_id, BUILD_ID_LEN);
	ready.layers = (uint32_t)layers;
	ipc_send(c->ipc, IPC_READY, IPC_ID_NONE, &ready, sizeof(ready), -1);
	ipc_set_state(c->ipc, IPC_S_IDLE);
	c->ctx = c->role->start(c);
}

static void
set_config(struct childproc *c, const struct ipc_config *m)
{
	c->config = *m;
	memset(&c->wire, 0, sizeof(c->wire));
	/* clang-format off */
#define WIRE_NO(member)
#define WIRE_PARTS(member)
#define WIRE_CHILD(member)
#define WIRE_WIRE(member) c->wire.member = m->member;
#define T(member, size) IPC_STR(m, member, c->wire.member);
#define N(member, min, max) c->wire.member = m->member;
#define K(keyword, member, type, range, value, def, flags, child) WIRE_##child(member)
	/* clang-format on */
	KEYWORD_PARTS(T, N)
	KEYWORDS(K)
}

int
child_on_config(void *arg, const struct ipc_msg *m)
{
	struct childproc *c = arg;
	struct wire_config was = c->wire;

	if (c->over)
		return 0; /* HELLO or the sandbox has failed */
	if (!c->have_hello || !config_msg_ok(m->payload))
		return -1;
	set_config(c, m->payload);
	if (!c->have_config) {
		c->have_config = 1;
		enter_and_report(c);
		return 0;
	}
	/* There may be another `ca-file`, or other anchors in it: asked for again when they are needed. */
	trust_free(c->trust);
	c->trust = NULL;
	if (c->role->rewired != NULL && memcmp(&was, &c->wire, sizeof(was)) != 0)
		c->role->rewired(c->ctx);
	return 0;
}

/* --- what every child does with the rest --- */

int
child_on_ca(void *arg, const struct ipc_msg *m)
{
	struct childproc *c = arg;
	struct trust *t;

	if ((t = trust_load(m->fd, c->trust_err, sizeof(c->trust_err))) == NULL)
		log_debug("trust anchors: %s", c->trust_err); /* what needs them fails and says so */
	trust_free(c->trust);
	c->trust = t;
	if (t != NULL)
		c->trust_err[0] = '\0';
	if (c->ctx != NULL && c->role->ca != NULL)
		c->role->ca(c->ctx);
	return 0;
}

static int
looks_like_object(const struct buf *b)
{
	const uint8_t *p = buf_ptr(b);
	size_t n = buf_len(b);

	return n >= 2 && p[0] == '{' && p[n - 1] == '}';
}

int
child_on_hostinfo(void *arg, const struct ipc_msg *m)
{
	struct childproc *c = arg;
	struct buf old;
	int rv;

	if ((rv = ipc_chunk_add(&c->incoming, &c->incoming_total, m->payload, HOSTINFO_MAX)) <= 0)
		return rv;
	if (!looks_like_object(&c->incoming))
		return -1;
	old = c->hostinfo;
	c->hostinfo = c->incoming;
	c->incoming = old;
	buf_free(&c->incoming);
	c->incoming_total = 0;
	if (c->role->hostinfo != NULL)
		c->role->hostinfo(c->ctx);
	return 0;
}

int
child_on_log_level(void *arg, const struct ipc_msg *m)
{
	const struct ipc_log_level *l = m->payload;

	(void)arg;
	if (l->level > LOG_L_DEBUG)
		return -1;
	log_set_level((enum log_level)l->level);
	return 0;
}

int
child_on_ping(void *arg, const struct ipc_msg *m)
{
	struct childproc *c = arg;
	struct ipc_empty none = { 0 };

	ipc_send(c->ipc, IPC_PONG, m->id, &none, sizeof(none), -1);
	return 0;
}

int
child_on_dial_times(void *arg, const struct ipc_msg *m)
{
	const struct ipc_dial_times *t = m->payload;
	struct childproc *c = arg;
	uint32_t i;

	if (t->n > IPC_MAX_PLAN)
		return -1;
	for (i = 0; i < t->n; i++)
		c->plan[i] = (struct wire_candidate){ t->e[i].delay_ms, t->e[i].timeout_ms };
	c->nplan = t->n;
	dialclients_use_plan(c);
	return 0;
}

int
child_on_stop(void *arg, const struct ipc_msg *m)
{
	(void)m;
	leave(arg, EXIT_OK);
	return 0;
}

static int
on_room(void *arg, const struct ipc_msg *m)
{
	struct childproc *c = arg;

	return c->role->on[m->type](c->ctx, m);
}

static void
on_closed(void *arg, int violation, const char *why)
{
	if (violation)
		log_errorx("protocol violation by the parent: %s", why);
	leave(arg, violation ? EXIT_VIOLATION : EXIT_OK);
}

static void
fill_handlers(const struct child_role *role, struct ipc_handlers *h)
{
	static const struct ipc_handlers own = {
#define X(name, handler, ...) .on[IPC_##name] = child_on_##handler,
		IPC_TO_CHILD(X)
#undef X
	};
	unsigned t;

	*h = own;
	for (t = 0; t < IPC_NTYPES; t++)
		if (role->on[t] != NULL)
			h->on[t] = on_room;
	h->closed = on_closed;
}

/*
 * Everything the loop needs is open before the sandbox closes: no timerfd, no select or poll backend, no signal events.
 */
static struct event_base *
make_base(void)
{
	struct event_config *cfg;
	struct event_base *base;

	if ((cfg = event_config_new()) == NULL)
		return NULL;
	event_config_avoid_method(cfg, "select");
	event_config_avoid_method(cfg, "poll");
	event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
	base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	return base;
}

static void
tear_down(struct childproc *c)
{
	if (c->ctx != NULL)
		c->role->stop(c->ctx);
	dialclients_free(&c->dialclients);
	ipc_flush(c->ipc, LAST_WORDS_MS);
	ipc_free(c->ipc);
	c->ipc = NULL;
	trust_free(c->trust);
	buf_free(&c->hostinfo);
	buf_free(&c->incoming);
	event_base_free(c->base);
}

int
child_run(const struct child_role *role)
{
	struct ipc_handlers handlers;
	struct childproc c = { .role = role };
	const char *why;

	log_init(role->name, LOG_L_INFO);
	if (!childfd_check(&why)) {
		log_errorx("started by tailnetd, not by hand: %s", why);
		return EXIT_BYHAND;
	}
	sandbox_harden_process();
	mem_policy(MEM_END);
	wire_memory();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* past a limit on files a write fails: the cache is reported as not written */
	dialclients_init(&c.dialclients);
	buf_init(&c.hostinfo, HOSTINFO_MAX);
	buf_init(&c.incoming, HOSTINFO_MAX);
	fill_handlers(role, &handlers);
	if ((c.base = make_base()) == NULL ||
	    (c.ipc = ipc_new(c.base, CHILD_FD, IPC_CHILD_SIDE, role->role, 0, &handlers, &c)) == NULL) {
		log_error("event loop");
		return EXIT_STARTUP;
	}
	bucket_init(&c.log_rate, IPC_LOG_RATE, IPC_LOG_BURST, time_mono_ms());
	log_to_sink(log_over_channel, &c);
	/* Before any message: what arrives first may be the CA, and who touches OpenSSL first decides how it starts. */
	if (role->warm != NULL)
		role->warm();
	event_base_dispatch(c.base);
	tear_down(&c);
	return c.exit_code;
}

/* --- what a room may ask --- */

struct event_base *
child_base(struct childproc *c)
{
	return c->base;
}

struct ipc *
child_ipc(struct childproc *c)
{
	return c->ipc;
}

const struct wire_candidate *
child_plan(const struct childproc *c, uint32_t *n)
{
	*n = c->nplan;
	return c->plan;
}

void
child_step(struct childproc *c, enum wire_step what, enum wire_dial kind)
{
	if (c->role->step != NULL && c->ctx != NULL)
		c->role->step(c->ctx, what, kind);
}

struct dialclients *
child_dialclients(struct childproc *c)
{
	return &c->dialclients;
}

const struct ipc_config *
child_config(const struct childproc *c)
{
	return &c->config;
}

const struct wire_config *
child_wire_config(const struct childproc *c)
{
	return &c->wire;
}

const char *
child_hostinfo(const struct childproc *c, size_t *len)
{
	if (buf_len(&c->hostinfo) == 0) {
		*len = 2;
		return "{}";
	}
	*len = buf_len(&c->hostinfo);
	return (const char *)buf_ptr(&c->hostinfo);
}

struct trust *
child_trust(struct childproc *c)
{
	return c->trust;
}

const char *
child_trust_error(const struct childproc *c)
{
	return c->trust_err[0] != '\0' ? c->trust_err : NULL;
}

void
child_need_ca(struct childproc *c)
{
	struct ipc_empty none = { 0 };

	ipc_send(c->ipc, IPC_NEED_CA, IPC_ID_NONE, &none, sizeof(none), -1);
}
