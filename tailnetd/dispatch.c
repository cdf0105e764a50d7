/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <sodium.h>

#include "control.h"
#include "log.h"
#include "parent.h"
#include "sandbox.h"
#include "watch.h"

/*
 * What children say and what they are told.  ipc.c has checked type, size, state and generation; here is what only we can know:
 * whether an id is one of ours, whether texts are clean, whether it is allowed now and not too often (security.md D7).
 */
#define DIAL_RATE	4
#define DIAL_BURST	16
#define MAX_DIALS	16
#define HS_RATE		2
#define HS_BURST	10
#define HS_MAX_MS	30000
#define LOG_RATE	50
#define LOG_BURST	200
#define AUTHD_LINGER_MS 5000

/* --- dialling (D3) --- */

static void
answer_dial(struct child *c, uint32_t id, int fd, int err, const char *text)
{
	struct ipc_dialled m;

	memset(&m, 0, sizeof(m));
	m.ok = fd != -1;
	m.err = (uint32_t)err;
	IPC_SET(&m, text, text, strlen(text));
	ipc_send(c->ipc, IPC_DIALLED, id, &m, sizeof(m), fd);
}

static void
dial_is_done(void *arg, int fd, int err, const char *text)
{
	struct child_dial *x = arg;
	struct child	  *c = x->c;
	uint32_t	   id = x->id;

	TAILQ_REMOVE(&c->dials, x, entry);
	c->ndials--;
	free(x);
	if (fd == -1)
		c->p->dials_failed++;
	else
		c->p->dials_ok++;
	answer_dial(c, id, fd, err, text);
}

/* Network only while there is work that needs it: a paused or idle daemon dials nowhere, whatever a child asks. */
static int
dialling_allowed(const struct child *c)
{
	return c->role == IPC_AUTHD ? c->owed > 0 : c->p->client.map == MAP_PREPARED || c->p->client.map == MAP_STREAM;
}

static int
on_dial(void *arg, const struct ipc_msg *m)
{
	const struct ipc_dial *d = m->payload;
	struct child	      *c = arg;
	struct child_dial     *x;

	if (d->kind < IPC_DIAL_CLEAR || d->kind > IPC_DIAL_URL || m->id == IPC_ID_NONE)
		return -1;
	TAILQ_FOREACH(x, &c->dials, entry)
		if (x->id == m->id)
			return -1;
	if (!dialling_allowed(c)) {
		answer_dial(c, m->id, -1, EPERM, "not now: there is nothing to do on the network");
		return 0;
	}
	if (c->ndials >= MAX_DIALS || !bucket_take(&c->dial_rate, time_mono_ms())) {
		answer_dial(c, m->id, -1, EAGAIN, "too many connection attempts: wait");
		return 0;
	}
	if ((x = calloc(1, sizeof(*x))) == NULL) {
		answer_dial(c, m->id, -1, ENOMEM, strerror(ENOMEM));
		return 0;
	}
	x->c = c;
	x->id = m->id;
	x->dial = dial_start(c->p->dialler, (enum ipc_dial_kind)d->kind, d->candidate, dial_is_done, x);
	if (x->dial == NULL) {
		answer_dial(c, m->id, -1, errno, errno == EINVAL ? "there is no such port or candidate" : strerror(errno));
		free(x);
		return 0;
	}
	TAILQ_INSERT_TAIL(&c->dials, x, entry);
	c->ndials++;
	return 0;
}

static void
forget_dial(struct child *c, struct child_dial *x)
{
	TAILQ_REMOVE(&c->dials, x, entry);
	c->ndials--;
	dial_cancel(x->dial);
	free(x);
}

/* --- Noise handshakes (D1) --- */

static struct handshake *
find_handshake(struct child *c, uint32_t id)
{
	size_t i;

	for (i = 0; i < CHILD_HANDSHAKES; i++)
		if (c->hs[i].noise != NULL && c->hs[i].id == id)
			return &c->hs[i];
	return NULL;
}

static void
end_handshake(struct handshake *h)
{
	noise_abort(h->noise);
	memset(h, 0, sizeof(*h));
}

/* A free place; what has been half open for too long gives its own. */
static struct handshake *
free_handshake(struct child *c, uint64_t now)
{
	size_t i;

	for (i = 0; i < CHILD_HANDSHAKES; i++)
		if (c->hs[i].noise != NULL && now - c->hs[i].since > HS_MAX_MS)
			end_handshake(&c->hs[i]);
	for (i = 0; i < CHILD_HANDSHAKES; i++)
		if (c->hs[i].noise == NULL)
			return &c->hs[i];
	return NULL;
}

static void
refuse_handshake(struct child *c, uint32_t id, enum ipc_hs_reason why)
{
	struct ipc_hs_fail m = { (uint32_t)why };

	ipc_send(c->ipc, IPC_HS_FAIL, id, &m, sizeof(m), -1);
}

static int
on_hs_begin(void *arg, const struct ipc_msg *m)
{
	struct child	    *c = arg;
	struct parent	    *p = c->p;
	const struct pubkey *server = client_pin(&p->client, NULL);
	struct ipc_hs_init   init;
	struct handshake    *h;
	uint64_t	     now = time_mono_ms();

	if (m->id == IPC_ID_NONE || find_handshake(c, m->id) != NULL)
		return -1;
	if (key_is_zero(server)) {
		refuse_handshake(c, m->id, IPC_HS_NO_SERVER_KEY);
		return 0;
	}
	if (!dialling_allowed(c) || !bucket_take(&c->hs_rate, now) || (h = free_handshake(c, now)) == NULL ||
	    (h->noise = noise_begin(p->keys, server, p->cfg.capver, init.msg)) == NULL) {
		refuse_handshake(c, m->id, IPC_HS_BUSY);
		return 0;
	}
	h->id = m->id;
	h->since = now;
	ipc_send(c->ipc, IPC_HS_INIT, m->id, &init, sizeof(init), -1);
	return 0;
}

static int
on_hs_finish(void *arg, const struct ipc_msg *m)
{
	const struct ipc_hs_finish *f = m->payload;
	struct child		   *c = arg;
	struct ipc_hs_keys	    keys;
	struct handshake	   *h = find_handshake(c, m->id);
	int			    rv;

	if (h == NULL) {
		refuse_handshake(c, m->id, IPC_HS_UNKNOWN_ID); /* timed out, or never begun */
		return 0;
	}
	rv = noise_finish(h->noise, c->p->keys, f->body, &keys);
	memset(h, 0, sizeof(*h));
	if (rv != 0)
		refuse_handshake(c, m->id, (enum ipc_hs_reason)rv);
	else
		ipc_send(c->ipc, IPC_HS_KEYS, m->id, &keys, sizeof(keys), -1);
	sodium_memzero(&keys, sizeof(keys));
	return 0;
}

static int
on_dial_cancel(void *arg, const struct ipc_msg *m)
{
	struct child	  *c = arg;
	struct child_dial *x;
	struct handshake  *h = find_handshake(c, m->id);

	if (h != NULL)
		end_handshake(h);
	TAILQ_FOREACH(x, &c->dials, entry)
		if (x->id == m->id) {
			forget_dial(c, x);
			break;
		}
	return 0;
}

void
dispatch_forget(struct child *c)
{
	struct child_dial *x;
	size_t		   i;

	while ((x = TAILQ_FIRST(&c->dials)) != NULL)
		forget_dial(c, x);
	for (i = 0; i < CHILD_HANDSHAKES; i++)
		if (c->hs[i].noise != NULL)
			end_handshake(&c->hs[i]);
}

/* --- READY, LOG, CA, PONG --- */

static int
on_ready(void *arg, const struct ipc_msg *m)
{
	const struct ipc_ready *r = m->payload;
	struct child	       *c = arg;

	if (c->phase != CHILD_STARTING)
		return c->phase == CHILD_STOPPING ? 0 : -1;
	if (memcmp(r->build, build_id, BUILD_ID_LEN) != 0) {
		log_errorx("%s is of another build than tailnetd: reinstall all programs", c->name);
		return -1;
	}
	c->layers = r->layers;
	c->phase = CHILD_READY;
	c->ready_ms = time_mono_ms();
	evtimer_del(c->deadline);
	ipc_set_state(c->ipc, IPC_S_IDLE);
	bucket_init(&c->dial_rate, DIAL_RATE, DIAL_BURST, c->ready_ms);
	bucket_init(&c->hs_rate, HS_RATE, HS_BURST, c->ready_ms);
	own_push(c->p, c);
	dispatch_ready_work(c);
	return 0;
}

static int
on_log(void *arg, const struct ipc_msg *m)
{
	const struct ipc_log *l = m->payload;
	struct child	     *c = arg;
	char		      text[sizeof(l->data) + 1];
	uint64_t	      now = time_mono_ms();

	if (l->level > LOG_L_DEBUG)
		return -1;
	if (c->log_rate.rate == 0)
		bucket_init(&c->log_rate, LOG_RATE, LOG_BURST, now);
	if (!bucket_take(&c->log_rate, now)) {
		c->log_dropped++;
		return 0;
	}
	if (c->log_dropped > 0)
		log_warnx("%s[%d]: %u lines left out", c->name, (int)c->pid, c->log_dropped);
	c->log_dropped = 0;
	ipc_text_get(l->data, l->data_len, text, sizeof(text));
	log_write_as(c->name, (int)c->pid, (enum log_level)l->level, text);
	return 0;
}

int
dispatch_send_ca(struct child *c)
{
#ifdef __OpenBSD__
	const char *path = "/etc/ssl/cert.pem";
#else
	const char *path = "/etc/ssl/certs/ca-certificates.crt";
#endif
	struct ipc_empty none = { 0 };
	int		 fd;

	if (c->p->cfg.ca_file[0] != '\0')
		path = c->p->cfg.ca_file;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1) {
		log_error("trust anchors %s", path);
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the child says that there are none */
	}
	return fd == -1 ? -1 : ipc_send(c->ipc, IPC_CA, IPC_ID_NONE, &none, sizeof(none), fd);
}

static int
on_need_ca(void *arg, const struct ipc_msg *m)
{
	struct child *c = arg;

	(void)m;
	if (!bucket_take(&c->dial_rate, time_mono_ms())) /* reading a file for a child has a price, too */
		return 0;
	(void)dispatch_send_ca(c);
	return 0;
}

static int
on_pong(void *arg, const struct ipc_msg *m)
{
	struct child *c = arg;

	(void)m;
	c->ponged = 1;
	return 0;
}

static void
on_closed(void *arg, int violation, const char *why)
{
	struct child *c = arg;

	if (violation)
		child_kill(c, why);
	ipc_free(c->ipc); /* the process itself is reaped by SIGCHLD; one that closed its end has no business any more */
	c->ipc = NULL;
	if (!violation)
		child_hung_up(c); /* its exit status says more than a SIGKILL of ours would */
	dispatch_forget(c);
}

/* --- authd --- */

static void
result_came(struct child *c)
{
	if (c->owed > 0)
		c->owed--;
	if (c->owed == 0) {
		ipc_set_state(c->ipc, IPC_S_IDLE);
		child_unwant(c, AUTHD_LINGER_MS);
	}
}

static int
on_key_result(void *arg, const struct ipc_msg *m)
{
	const struct ipc_key_result *r = m->payload;
	struct child		    *c = arg;
	struct client_event	     e = { .type = CE_KEY, .id = m->id };
	char			     err[IPC_ERR_MAX + 1];

	if (!IPC_OK(r, err) || r->ok > 1 || (r->ok && key_is_zero(&r->key)))
		return -1;
	IPC_STR(r, err, err);
	e.u.key.ok = (int)r->ok;
	e.u.key.key = r->key;
	e.u.key.err = err;
	result_came(c);
	parent_event(c->p, &e);
	return 0;
}

static int
reg_result_ok(const struct ipc_reg_result *r)
{
	return r->outcome >= IPC_REG_OK && r->outcome <= IPC_REG_TRANSPORT && IPC_OK(r, login_name) && IPC_OK(r, display_name) &&
	    IPC_OK(r, profile_pic) && IPC_OK(r, url) && IPC_OK(r, err) && (r->outcome != IPC_REG_URL || r->url_len > 0);
}

static int
on_reg_result(void *arg, const struct ipc_msg *m)
{
	const struct ipc_reg_result *r = m->payload;
	struct child		    *c = arg;
	struct client_event	     e = { .type = CE_REG, .id = m->id };
	static char		     login[IPC_NAME_MAX + 1], display[IPC_NAME_MAX + 1], pic[IPC_URL_MAX + 1], url[IPC_URL_MAX + 1];
	char			     err[IPC_ERR_MAX + 1];

	if (!reg_result_ok(r))
		return -1;
	IPC_STR(r, login_name, login);
	IPC_STR(r, display_name, display);
	IPC_STR(r, profile_pic, pic);
	IPC_STR(r, url, url);
	IPC_STR(r, err, err);
	e.u.reg.outcome = (enum ipc_reg_outcome)r->outcome;
	e.u.reg.retry_after_ms = r->retry_after_ms;
	e.u.reg.suspect = r->conn_suspect != 0;
	e.u.reg.user = (struct client_user){ r->user_id, login, display, pic };
	e.u.reg.url = url;
	e.u.reg.err = err;
	if (r->outcome == IPC_REG_OK || r->outcome == IPC_REG_URL)
		c->p->registers_ok++;
	else
		c->p->registers_failed++;
	result_came(c);
	parent_event(c->p, &e);
	return 0;
}

static void
send_register(struct child *c)
{
	const struct client_action *a = &c->work;
	struct parent		   *p = c->p;
	struct ipc_register	    m;
	char			    key[IPC_AUTHKEY_MAX + 1];
	size_t			    len = 0;

	memset(&m, 0, sizeof(m));
	m.op = (uint32_t)a->u.reg.op;
	m.ephemeral = (uint32_t)a->u.reg.ephemeral;
	m.node_key = *keyring_public(p->keys, a->u.reg.candidate ? SLOT_CANDIDATE : SLOT_NODE);
	m.old_node_key = *keyring_public(p->keys, a->u.reg.candidate ? SLOT_NODE : SLOT_OLD);
	if (a->u.reg.op == IPC_REG_FOLLOWUP)
		IPC_SET(&m, followup, p->client.goal.url, strlen(p->client.goal.url));
	if (a->u.reg.authkey != AUTHKEY_NONE) {
		if (parent_auth_key(p, a->u.reg.authkey, key, sizeof(key), &len, p->auth_err, sizeof(p->auth_err)) == -1) {
			struct client_event e = { .type = CE_REG, .id = a->id };

			e.u.reg.outcome = IPC_REG_REFUSED; /* by ourselves: the message says what to do */
			e.u.reg.err = p->auth_err; /* lives on: the event may have to wait */
			e.u.reg.url = "";
			e.u.reg.user = (struct client_user){ 0, "", "", "" };
			child_unwant(c, AUTHD_LINGER_MS);
			parent_event(p, &e);
			return;
		}
		IPC_SET(&m, auth_key, key, len);
	}
	c->owed++;
	ipc_set_state(c->ipc, IPC_S_BUSY);
	ipc_send(c->ipc, IPC_REGISTER, a->id, &m, sizeof(m), -1);
	sodium_memzero(&m, sizeof(m));
	sodium_memzero(key, sizeof(key));
}

static void
send_map_start(struct child *c)
{
	struct parent	    *p = c->p;
	struct ipc_map_start m;

	memset(&m, 0, sizeof(m));
	m.node_key = *keyring_public(p->keys, c->work.u.map.candidate ? SLOT_CANDIDATE : SLOT_NODE);
	m.machine_key = *keyring_public(p->keys, SLOT_MACHINE);
	m.seq_base = p->netmap.seq;
	m.prepare_only = (uint32_t)c->work.u.map.prepare;
	p->netmap.dropped = 0;
	ipc_set_state(c->ipc, IPC_S_BUSY);
	ipc_send(c->ipc, IPC_MAP_START, c->work.id, &m, sizeof(m), -1);
}

void
dispatch_ready_work(struct child *c)
{
	struct ipc_empty none = { 0 };
	int		 what = c->pending;

	if (c->phase != CHILD_READY || c->ipc == NULL)
		return;
	c->pending = PENDING_NOTHING;
	switch (what) {
	case PENDING_KEY:
		c->owed++;
		ipc_set_state(c->ipc, IPC_S_BUSY);
		ipc_send(c->ipc, IPC_KEY_FETCH, c->work.id, &none, sizeof(none), -1);
		break;
	case PENDING_REGISTER:
		send_register(c);
		break;
	case PENDING_MAP:
		send_map_start(c);
		break;
	default:
		break;
	}
}

/* --- mapd --- */

static int
on_stream(void *arg, const struct ipc_msg *m)
{
	static const enum client_ev types[] = { [IPC_STREAM_CONNECTED] = CE_CONNECTED, [IPC_STREAM_OPEN] = CE_OPEN,
		[IPC_STREAM_LIVE] = CE_LIVE, [IPC_STREAM_CLOSED] = CE_CLOSED };
	const struct ipc_stream	   *s = m->payload;
	struct child		   *c = arg;
	struct client_event	    e = { .id = m->id };
	char			    err[IPC_ERR_MAX + 1];

	if (s->what < IPC_STREAM_CONNECTED || s->what > IPC_STREAM_CLOSED || !IPC_OK(s, err))
		return -1;
	IPC_STR(s, err, err);
	e.type = types[s->what];
	e.u.closed.suspect = s->conn_suspect != 0;
	e.u.closed.err = err;
	if (s->what == IPC_STREAM_OPEN)
		c->p->map_open_ms = time_mono_ms();
	if (s->what == IPC_STREAM_LIVE)
		c->p->counters.last_message_mono_ms = time_mono_ms();
	if (s->what == IPC_STREAM_CLOSED) {
		c->p->map_open_ms = 0;
		if (c->p->netmap.source == IPC_SRC_LIVE)
			c->p->netmap.source = IPC_SRC_STALE;
		if (c->p->client.map_id == m->id)
			ipc_set_state(c->ipc, IPC_S_IDLE);
	}
	parent_event(c->p, &e);
	return 0;
}

static int
self_ok(const struct ipc_self *s)
{
	uint32_t i;

	if (s->naddrs > IPC_MAX_ADDRS || !IPC_OK(s, stable_id) || !IPC_OK(s, name) || !IPC_OK(s, login_name) || !IPC_OK(s, display_name))
		return 0;
	for (i = 0; i < s->naddrs; i++)
		if (!(s->addrs[i].family == 4 && s->addrs[i].bits <= 32) && !(s->addrs[i].family == 6 && s->addrs[i].bits <= 128))
			return 0;
	return 1;
}

static int
on_self(void *arg, const struct ipc_msg *m)
{
	const struct ipc_self *s = m->payload;
	struct child	      *c = arg;
	struct client_event    e = { .type = CE_SELF, .id = m->id };
	char		       login[IPC_NAME_MAX + 1], display[IPC_NAME_MAX + 1];

	if (!self_ok(s))
		return -1;
	c->p->netmap.self = *s;
	c->p->netmap.have_self = 1;
	IPC_STR(s, login_name, login);
	IPC_STR(s, display_name, display);
	e.u.self.expiry = (struct wtime){ s->key_expiry, 0 };
	e.u.self.expired = s->expired != 0;
	e.u.self.authorized = s->machine_authorized != 0;
	e.u.self.user = (struct client_user){ s->user_id, login, display, "" };
	parent_event(c->p, &e);
	return 0;
}

/* Records one behind the other, each with its ids: everything is measured before anything is used. */
static int
walk_deltas(struct parent *p, const char *at, size_t left)
{
	struct ipc_delta_rec r;

	while (left > 0) {
		size_t ids;

		if (left < sizeof(r))
			return -1;
		memcpy(&r, at, sizeof(r));
		at += sizeof(r);
		left -= sizeof(r);
		if (r.nchanged > IPC_DELTA_IDS || r.nremoved > IPC_DELTA_IDS || r.full > 1 || (r.full && r.nchanged + r.nremoved > 0))
			return -1;
		ids = (size_t)(r.nchanged + r.nremoved) * sizeof(int64_t);
		if (ids > left || r.seq <= p->netmap.seq)
			return -1; /* Seq only ever grows (interface.md 5) */
		p->netmap.seq = r.seq;
		watch_delta(p, &r, (const uint8_t *)at, (const uint8_t *)at + (size_t)r.nchanged * sizeof(int64_t));
		at += ids;
		left -= ids;
	}
	return 0;
}

static int
on_deltas(void *arg, const struct ipc_msg *m)
{
	const struct ipc_deltas *d = m->payload;
	struct child		*c = arg;
	struct parent		*p = c->p;

	if (d->source > IPC_SRC_LIVE || d->online > d->peers)
		return -1;
	p->netmap.peers = d->peers;
	p->netmap.online = d->online;
	/* That it went stale is told together with the end of the stream, which is on its way (STREAM CLOSED). */
	if (d->source != IPC_SRC_STALE || !p->client.synced)
		p->netmap.source = (enum ipc_source)d->source;
	if (p->netmap.dropped) {
		p->netmap.source = IPC_SRC_NONE;
		p->netmap.peers = p->netmap.online = 0;
	}
	if (d->data_len > 0)
		p->netmap.received_ms = p->counters.last_message_mono_ms = time_mono_ms();
	if (p->netmap.source == IPC_SRC_NONE)
		p->netmap.have_self = 0;
	if (walk_deltas(p, d->data, d->data_len) == -1 || d->seq != p->netmap.seq)
		return d->data_len == 0 && d->seq <= p->netmap.seq ? 0 : -1;
	status_changed(p);
	return 0;
}

static int
on_counters(void *arg, const struct ipc_msg *m)
{
	struct child *c = arg;

	c->p->counters = *(const struct ipc_counters *)m->payload;
	control_counters_came(c->p->control);
	return 0;
}

static int
on_lite(void *arg, const struct ipc_msg *m)
{
	const struct ipc_lite *l = m->payload;
	struct child	      *c = arg;
	struct client_event    e = { .type = CE_LITE, .id = m->id };
	char		       err[IPC_ERR_MAX + 1];

	if (!IPC_OK(l, err))
		return -1;
	IPC_STR(l, err, err);
	e.u.result.ok = l->ok != 0;
	e.u.result.err = err;
	parent_event(c->p, &e);
	return 0;
}

static int
on_control_time(void *arg, const struct ipc_msg *m)
{
	const struct ipc_control_time *t = m->payload;
	struct child		      *c = arg;
	struct client_event	       e = { .type = CE_CONTROL_TIME, .id = m->id };

	e.u.control_time = t->sec;
	parent_event(c->p, &e);
	return 0;
}

static int
on_browse(void *arg, const struct ipc_msg *m)
{
	const struct ipc_browse *b = m->payload;
	struct child		*c = arg;
	char			 url[IPC_URL_MAX + 1];

	if (!IPC_OK(b, url))
		return -1;
	IPC_STR(b, url, url);
	/* INT-05, checked again here: this child has parsed what the server sent. */
	if (strncmp(url, "https://", 8) == 0 || (!c->p->cfg.https && strncmp(url, "http://", 7) == 0))
		watch_browse(c->p, url);
	return 0;
}

/* DBG-04: the server may end the daemon only if the operator said so. */
static int
on_exit_wish(void *arg, const struct ipc_msg *m)
{
	const struct ipc_exit_wish *x = m->payload;
	struct child		   *c = arg;

	if (!c->p->cfg.exit_honour) {
		log_warnx("the server asked us to exit with code %d: refused (server-exit refuse)", x->code);
		return 0;
	}
	log_warnx("the server asked us to exit with code %d", x->code);
	parent_shutdown(c->p, x->code & 0xff);
	return 0;
}

static int
on_dial_plan(void *arg, const struct ipc_msg *m)
{
	const struct ipc_dial_plan *plan = m->payload;
	struct child		   *c = arg;

	if (plan->n > IPC_MAX_PLAN)
		return -1;
	dialler_plan(c->p->dialler, plan);
	return 0;
}

#define COMMON_HANDLERS                                                                                                        \
	[IPC_READY] = on_ready, [IPC_LOG] = on_log, [IPC_PONG] = on_pong, [IPC_NEED_CA] = on_need_ca, [IPC_DIAL] = on_dial,    \
	[IPC_DIAL_CANCEL] = on_dial_cancel, [IPC_HS_BEGIN] = on_hs_begin, [IPC_HS_FINISH] = on_hs_finish

const struct ipc_handlers authd_handlers = {
	.on = { COMMON_HANDLERS, [IPC_KEY_RESULT] = on_key_result, [IPC_REG_RESULT] = on_reg_result },
	.closed = on_closed,
};

const struct ipc_handlers mapd_handlers = {
	.on = { COMMON_HANDLERS, [IPC_STREAM] = on_stream, [IPC_SELF] = on_self, [IPC_DELTAS] = on_deltas, [IPC_COUNTERS] = on_counters,
	    [IPC_LITE] = on_lite, [IPC_CONTROL_TIME] = on_control_time, [IPC_BROWSE] = on_browse, [IPC_EXIT_WISH] = on_exit_wish,
	    [IPC_DIAL_PLAN] = on_dial_plan },
	.closed = on_closed,
};
