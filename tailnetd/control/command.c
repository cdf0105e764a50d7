/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "childsend.h"
#include "control.h"
#include "doctor.h"
#include "hostreport.h"
#include "log.h"
#include "parent.h"
#include "secret.h"
#include "text.h"
#include "eventwatch.h"

/* The verbs of interface.md 3 as data: name, who may, how many arguments, handler. */

#define MAX_ARGS           80
#define READERS_QUEUE      (16u * 1024)
#define READERS_QUEUE_ROOT (32u * 1024)

struct verb {
	const char *name;
	enum ipc_query_class who;
	int min, max; /* arguments */
	const char *usage;
	void (*run)(struct cclient *cc, char **args, int n);
	int raw; /* the handler takes the rest of the line as one argument */
};

/* Class W, and the rate of everybody in it but root. */
static int
may_write(struct cclient *cc, const char *what)
{
	if (cc->class == IPC_CLASS_R) {
		cclient_error(cc, "denied", "%s is for root and the control-operator", what);
		return 0;
	}
	if (cc->class != IPC_CLASS_ROOT && !control_w_rate(cc->ctl)) {
		cclient_error(cc, "busy", "too many commands; wait a second");
		return 0;
	}
	return 1;
}

static void
usage(struct cclient *cc, const struct verb *v)
{
	cclient_error(cc, "usage", "usage: %s", v->usage);
}

/* --- R --- */

static void
run_status(struct cclient *cc, char **args, int n)
{
	(void)args;
	(void)n;
	status_json(cc->p, STATUS_WHOLE, &cc->out);
	buf_putc(&cc->out, '\n');
	cclient_finish(cc);
}

static void
run_processes(struct cclient *cc, char **args, int n)
{
	(void)args;
	(void)n;
	processes_json(cc->p, &cc->out);
	buf_putc(&cc->out, '\n');
	cclient_finish(cc);
}

void
command_metrics_now(struct cclient *cc)
{
	metrics_text(cc->p, &cc->out);
	cclient_finish(cc);
}

static void
run_metrics(struct cclient *cc, char **args, int n)
{
	struct child *m = &cc->p->sup->mapd;
	struct ipc_empty none = { 0 };

	(void)args;
	(void)n;
	if (m->phase != CHILD_READY || m->ipc == NULL) {
		command_metrics_now(cc);
		return;
	}
	cc->phase = CC_WAITING;
	cc->wants_counters = 1;
	cclient_listen(cc);
	if (control_await_counters(cc->ctl))
		ipc_send(m->ipc, IPC_COUNTERS_REQ, IPC_ID_NONE, &none, sizeof(none), -1);
}

/*
 * Readers must not be what fills mapd's channel while it has no time for them: past ipc.c's limit it would be killed for it, and
 * each that waits there holds a descriptor of ours.
 * Root's may take more of it; the rest is for our own messages.
 */
static int
channel_full(const struct cclient *cc, const struct ipc *c)
{
	return ipc_queued(c) > (cc->class == IPC_CLASS_ROOT ? READERS_QUEUE_ROOT : READERS_QUEUE);
}

/* Whether mapd can take a reader now; if not, the client has been told. */
static int
mapd_takes(struct cclient *cc, enum ipc_query_verb verb)
{
	const struct parent *p = cc->p;
	const struct child *m = &p->sup->mapd;

	if (m->phase != CHILD_READY || m->ipc == NULL ||
	    (p->netmap.source == IPC_SRC_NONE && verb != IPC_Q_WATCH_NETMAP)) {
		cclient_error(cc, "no-netmap",
		    login_logged_in(&p->login) ? "there is no netmap yet" : "there is no netmap: not logged in");
		return 0;
	}
	if (channel_full(cc, m->ipc)) {
		cclient_error(cc, "busy", "too many readers wait; try again");
		return 0;
	}
	return 1;
}

/* A netmap reader's connection goes to mapd; no byte of the netmap passes here (D4). */
static void
hand_over(struct cclient *cc, enum ipc_query_verb verb, const char *arg, int private_written)
{
	static uint32_t last_id;
	struct parent *p = cc->p;
	struct child *m = &p->sup->mapd;
	struct ipc_query q;
	struct buf body;
	size_t n = strlen(arg);

	if (!mapd_takes(cc, verb))
		return;
	memset(&q, 0, sizeof(q));
	q.verb = (uint32_t)verb;
	q.class = (uint32_t)cc->class;
	q.uid = (uint32_t)cc->uid;
	q.accept_routes = (uint32_t)p->cfg.accept_routes;
	q.listen_port = hostreport_listen_port(p->report);
	q.private_written = (uint32_t)private_written;
	IPC_SET(&q, exit_node, p->cfg.exit_node, strlen(p->cfg.exit_node));
	q.data_len = ipc_text_put(q.data, sizeof(q.data), arg, n);
	if (++last_id == IPC_ID_NONE)
		last_id++;
	q.events = cc->seq;
	if (verb == IPC_Q_WATCH_NETMAP && q.events == 0) { /* the present status comes first */
		buf_init(&body, 1u << 20);
		status_first_body(p, &body);
		ipc_send_chunks(m->ipc, IPC_EVENT, last_id, (const char *)buf_ptr(&body), buf_len(&body));
		buf_free(&body);
	}
	ipc_send(m->ipc, IPC_QUERY, last_id, &q, ipc_head_len(IPC_QUERY) + q.data_len, cclient_release(cc));
}

static void
join(char *out, size_t size, char **args, int n)
{
	int i;

	*out = '\0';
	for (i = 0; i < n; i++) {
		if (i > 0)
			strlcat(out, " ", size);
		strlcat(out, args[i], size);
	}
}

static void
run_netmap(struct cclient *cc, char **args, int n)
{
	(void)args;
	(void)n;
	hand_over(cc, IPC_Q_NETMAP, "", 0);
}

static void
run_peers(struct cclient *cc, char **args, int n)
{
	char text[CONTROL_LINE];

	join(text, sizeof(text), args, n);
	hand_over(cc, IPC_Q_PEERS, text, 0);
}

static void
run_peer(struct cclient *cc, char **args, int n)
{
	(void)n;
	hand_over(cc, IPC_Q_PEER, args[0], 0);
}

static void
run_hosts(struct cclient *cc, char **args, int n)
{
	(void)args;
	(void)n;
	hand_over(cc, IPC_Q_HOSTS, "", 0);
}

void
command_watch_netmap(struct cclient *cc)
{
	hand_over(cc, IPC_Q_WATCH_NETMAP, "", 0);
}

static void
run_watch(struct cclient *cc, char **args, int n)
{
	if (n == 1 && strcmp(args[0], "netmap") != 0) {
		cclient_error(cc, "usage", "usage: watch [netmap]");
		return;
	}
	if (n == 1 && cc->p->sup->mapd.phase == CHILD_READY && cc->p->sup->mapd.ipc != NULL) {
		command_watch_netmap(cc);
		return;
	}
	cc->wants_netmap = n;
	cc->phase = CC_WATCHING;
	cclient_listen(cc);
	watchers_add(cc->p->watchers, cc);
}

static void
run_wgconf(struct cclient *cc, char **args, int n)
{
	static const char interface[] = "[Interface]\n";
	struct parent *p = cc->p;
	int private;

	if (n == 1 && strcmp(args[0], "private") != 0) {
		cclient_error(cc, "usage", "usage: wgconf [private]");
		return;
	}
	if (n == 1 && cc->class != IPC_CLASS_ROOT) {
		cclient_error(cc, "denied", "the private key is for root only");
		return;
	}
	/* Left out when the netmap is that of another key of ours, as in the middle of a rotation: its peers expect that one (protocol.md K.2). */
	private = n == 1 && p->netmap.have_self && key_equal(&p->netmap.self.key, keyring_public(p->keys, SLOT_NODE));
	if (private) {
		if (!mapd_takes(cc, IPC_Q_WGCONF))
			return; /* before the key is out: nothing but the rest may follow it */
		/* The key goes from the keyring to this descriptor; mapd writes the rest (security.md D2). */
		log_warnx("the node private key is given to uid %u (wgconf private)", (unsigned)cc->uid);
		if (write(cc->fd, interface, sizeof(interface) - 1) != sizeof(interface) - 1 ||
		    keys_wgconf_private(p->keys, cc->fd) == -1) {
			cclient_close(cc);
			return;
		}
	}
	hand_over(cc, IPC_Q_WGCONF, "", private);
}

/* --- W --- */

/* auth-key=KEY: into locked memory, and out of the line. */
static int
take_auth_key(struct cclient *cc, char *value)
{
	struct parent *p = cc->p;
	struct secret *s;
	size_t len = strlen(value), i;

	for (i = 0; i < len; i++)
		if ((unsigned char)value[i] <= ' ' || (unsigned char)value[i] >= 0x7f)
			break;
	if (len == 0 || len > IPC_AUTHKEY_MAX || i < len) {
		cclient_error(cc, "invalid", "the auth key is empty, too long or has odd characters");
		return -1;
	}
	if ((s = secret_new(len)) == NULL) {
		cclient_error(cc, "internal", "no locked memory");
		return -1;
	}
	parent_wipe_auth_key(p);
	p->auth_key = s;
	memcpy(secret_open(p->auth_key), value, len);
	secret_close(p->auth_key);
	p->auth_key_len = len;
	sodium_memzero(value, len);
	return 0;
}

/* The words of `login`; *key is the auth key's place in the line, or NULL. */
static int
login_words(char **args, int n, struct login_event *e, char **key)
{
	int i;

	*key = NULL;
	for (i = 0; i < n; i++) {
		if (strcmp(args[i], "interactive") == 0)
			e->u.login.interactive = 1;
		else if (strcmp(args[i], "ephemeral") == 0)
			e->u.login.ephemeral = 1;
		else if (strncmp(args[i], "auth-key=", 9) == 0 && *key == NULL)
			*key = args[i] + 9;
		else
			return -1;
	}
	return 0;
}

static void
run_login(struct cclient *cc, char **args, int n)
{
	struct login_event e = { .type = LE_LOGIN };
	char *key;

	/* All of it is looked at first: what is not done must not take the key of a login under way. */
	if (login_words(args, n, &e, &key) == -1) {
		cclient_error(cc, "usage", "usage: login [interactive] [ephemeral] [auth-key=KEY]");
		return;
	}
	if (key == NULL)
		parent_wipe_auth_key(cc->p);
	else if (take_auth_key(cc, key) == -1)
		return;
	e.u.login.with_key = key != NULL;
	buf_puts(&cc->out, "{\"ok\":true}\n");
	parent_event(cc->p, &e);
	cclient_finish(cc);
}

static void
run_logout(struct cclient *cc, char **args, int n)
{
	struct login_event e = { .type = LE_LOGOUT };

	if (n == 1 && strcmp(args[0], "force") != 0) {
		cclient_error(cc, "usage", "usage: logout [force]");
		return;
	}
	e.u.logout.force = n == 1;
	cc->phase = CC_WAITING;
	cc->wants_logout = 1;
	cclient_listen(cc);
	parent_event(cc->p, &e); /* control_logout_done() answers, perhaps already */
}

static void
simple(struct cclient *cc, enum login_ev type)
{
	parent_simple_event(cc->p, type, 0);
	cclient_ok(cc);
}

static void
run_pause(struct cclient *cc, char **args, int n)
{
	(void)args;
	(void)n;
	simple(cc, LE_PAUSE);
}

static void
run_unpause(struct cclient *cc, char **args, int n)
{
	(void)args;
	(void)n;
	simple(cc, LE_UNPAUSE);
}

static void
run_reconnect(struct cclient *cc, char **args, int n)
{
	(void)args;
	(void)n;
	simple(cc, LE_RECONNECT);
}

static void
run_log(struct cclient *cc, char **args, int n)
{
	enum log_level level;

	(void)n;
	if (log_level_parse(args[0], &level) == -1) {
		cclient_error(cc, "invalid", "a level is error, warn, info or debug");
		return;
	}
	log_set_level(level);
	childsend_log_level(cc->p->sup, level);
	cclient_ok(cc);
}

static void
run_shutdown(struct cclient *cc, char **args, int n)
{
	struct parent *p = cc->p;

	(void)args;
	(void)n;
	cclient_ok(cc);
	log_info("shutdown by command");
	parent_shutdown(p, 0);
}

static void
run_doctor(struct cclient *cc, char **args, int n)
{
	struct parent *p = cc->p;

	(void)args;
	(void)n;
	if (p->login.paused)
		cclient_error(cc, "invalid", "paused: nothing goes to the network before `unpause`");
	else if (doctor_busy(p->doctor))
		cclient_error(cc, "busy", "the doctor is with somebody else");
	else
		doctor_start(p->doctor, cc);
}

/* --- server-key: R to look, W to accept --- */

static void
server_key_json(struct parent *p, struct buf *out)
{
	static const char *const sources[] = { "", "config", "first-use", "accepted" };
	enum pin_source source;
	const struct pubkey *k = login_pin(&p->login, &source);
	char text[KEY_TEXT_MAX], when[TIME_TEXT_MAX];
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w);
	jw_kstr(&w, "serverKey", key_is_zero(k) ? "" : key_format(KEY_MACHINE, k, text));
	jw_kstr(&w, "source", sources[source]);
	jw_kstr(&w, "since",
	    source == PIN_CONFIG || time_is_none(p->login.profile.pin_since)
		? ""
		: time_format(p->login.profile.pin_since, when));
	jw_kstr(&w, "offered", key_is_zero(&p->login.offered) ? "" : key_format(KEY_MACHINE, &p->login.offered, text));
	jw_obj_end(&w);
	buf_putc(out, '\n');
}

static void
run_server_key(struct cclient *cc, char **args, int n)
{
	struct login_event e = { .type = LE_ACCEPT_KEY };
	enum pin_source source;
	char key[KEY_SHORT_MAX];

	if (n == 0) {
		server_key_json(cc->p, &cc->out);
		cclient_finish(cc);
		return;
	}
	if (n != 2 || strcmp(args[0], "accept") != 0) {
		cclient_error(cc, "usage", "usage: server-key [accept mkey:HEX]");
		return;
	}
	if (!may_write(cc, "server-key accept"))
		return;
	(void)login_pin(&cc->p->login, &source);
	if (source == PIN_CONFIG) {
		cclient_error(cc, "invalid", "the configuration pins the key; change `server-key` there");
		return;
	}
	if (key_parse(KEY_MACHINE, args[1], strlen(args[1]), &e.u.accept) == -1 || key_is_zero(&e.u.accept)) {
		cclient_error(cc, "invalid", "expected mkey: and 64 hex digits");
		return;
	}
	log_warnx("server key %s accepted by uid %u", key_short(KEY_MACHINE, &e.u.accept, key), (unsigned)cc->uid);
	parent_event(cc->p, &e);
	cclient_ok(cc);
}

/* --- the table --- */

static const struct verb verbs[] = {
	{ "status", IPC_CLASS_R, 0, 0, "status", run_status, 0 },
	{ "netmap", IPC_CLASS_R, 0, 0, "netmap", run_netmap, 0 },
	{ "peers", IPC_CLASS_R, 0, 2, "peers [limit=N] [after=ID]", run_peers, 0 },
	{ "peer", IPC_CLASS_R, 1, 1, "peer NAME|IP|KEY|ID", run_peer, 0 },
	{ "watch", IPC_CLASS_R, 0, 1, "watch [netmap]", run_watch, 0 },
	{ "wgconf", IPC_CLASS_R, 0, 1, "wgconf [private]", run_wgconf, 0 },
	{ "hosts", IPC_CLASS_R, 0, 0, "hosts", run_hosts, 0 },
	{ "metrics", IPC_CLASS_R, 0, 0, "metrics", run_metrics, 0 },
	{ "processes", IPC_CLASS_R, 0, 0, "processes", run_processes, 0 },
	{ "server-key", IPC_CLASS_R, 0, 2, "server-key [accept mkey:HEX]", run_server_key, 0 },
	{ "login", IPC_CLASS_W, 0, 3, "login [interactive] [ephemeral] [auth-key=KEY]", run_login, 0 },
	{ "logout", IPC_CLASS_W, 0, 1, "logout [force]", run_logout, 0 },
	{ "pause", IPC_CLASS_W, 0, 0, "pause", run_pause, 0 },
	{ "unpause", IPC_CLASS_W, 0, 0, "unpause", run_unpause, 0 },
	{ "reconnect", IPC_CLASS_W, 0, 0, "reconnect", run_reconnect, 0 },
	{ "doctor", IPC_CLASS_W, 0, 0, "doctor", run_doctor, 0 },
	{ "set", IPC_CLASS_W, 1, 1, "set hostinfo|netinfo|endpoints|disco-key VALUE", command_set, 1 },
	{ "log", IPC_CLASS_W, 1, 1, "log error|warn|info|debug", run_log, 0 },
	{ "shutdown", IPC_CLASS_W, 0, 0, "shutdown", run_shutdown, 0 },
};

int
command_is_set(const char *line, size_t n)
{
	for (; n > 0 && (*line == ' ' || *line == '\t'); n--)
		line++;
	return n >= 4 && memcmp(line, "set", 3) == 0 && (line[3] == ' ' || line[3] == '\t');
}

static const struct verb *
find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int
split(char *s, char **args)
{
	int n = 0;

	for (;;) {
		while (*s == ' ' || *s == '\t')
			s++;
		if (*s == '\0')
			return n;
		if (n == MAX_ARGS)
			return -1;
		args[n++] = s;
		while (*s != '\0' && *s != ' ' && *s != '\t')
			s++;
		if (*s != '\0')
			*s++ = '\0';
	}
}

static int
line_clean(const char *line, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			return 0;
	return utf8_valid(line, n);
}

void
command_run(struct cclient *cc, char *line, size_t n)
{
	char *args[MAX_ARGS], *rest;
	const struct verb *v;
	char safe[40];
	int count;

	if (!line_clean(line, n)) {
		cclient_error(cc, "invalid", "a command is one line of UTF-8 text");
		return;
	}
	while (*line == ' ' || *line == '\t')
		line++;
	for (rest = line; *rest != '\0' && *rest != ' ' && *rest != '\t'; rest++)
		;
	if (*rest != '\0')
		*rest++ = '\0';
	if ((v = find_verb(line)) == NULL) {
		text_sanitize(line, strlen(line), safe, sizeof(safe));
		cclient_error(cc, "unknown-command", "unknown command \"%s\"", safe);
		return;
	}
	if (cc->p->stopping) {
		cclient_error(cc, "shutting-down", "the daemon is ending");
		return;
	}
	if (v->who != IPC_CLASS_R && !may_write(cc, v->name))
		return;
	if (v->raw) {
		while (*rest == ' ' || *rest == '\t')
			rest++;
		args[0] = rest;
		count = *rest != '\0';
	} else
		count = split(rest, args);
	if (count < v->min || count > v->max) {
		usage(cc, v);
		return;
	}
	v->run(cc, args, count);
}
