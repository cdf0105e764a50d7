/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/un.h>

#include <ctype.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "configkw.h"
#include "netaddr.h"
#include "text.h"
#include "url.h"

#define DEFAULT_LISTEN_PORT 41641
#define DEFAULT_CAPVER      131
#define DEFAULT_WATCHDOG    120

/* --- values by kind: parser and printer side by side --- */

static void
print_word(struct buf *out, const char *s)
{
	if (*s != '\0' && strpbrk(s, " \t\"#\\") == NULL) {
		buf_puts(out, s);
		return;
	}
	buf_putc(out, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

static void
print_one(const struct keyword *kw, struct buf *out, const char *value)
{
	buf_printf(out, "%s ", kw->name);
	print_word(out, value);
	buf_putc(out, '\n');
}

static void *
member(struct config *c, const struct keyword *kw)
{
	return (char *)c + kw->off;
}

static const void *
cmember(const struct config *c, const struct keyword *kw)
{
	return (const char *)c + kw->off;
}

static int
parse_string(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	size_t len = strlen(v[0]);

	(void)n;
	if (len == 0)
		return -1;
	if (len >= kw->size) {
		snprintf(why, whysize, "longer than %zu characters", kw->size - 1);
		return -1;
	}
	memcpy(member(c, kw), v[0], len + 1);
	return 0;
}

static int
parse_path(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	if (v[0][0] != '/') {
		snprintf(why, whysize, "expected an absolute path");
		return -1;
	}
	return parse_string(c, kw, v, n, why, whysize);
}

static void
print_string(const struct config *c, const struct keyword *kw, struct buf *out)
{
	const char *s = cmember(c, kw);

	if (*s != '\0')
		print_one(kw, out, s);
}

static int
parse_words(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	int i;

	(void)n;
	(void)why;
	(void)whysize;
	for (i = 0; kw->words[i] != NULL; i++)
		if (strcmp(kw->words[i], v[0]) == 0) {
			*(int *)member(c, kw) = i;
			return 0;
		}
	return -1;
}

static void
print_words(const struct config *c, const struct keyword *kw, struct buf *out)
{
	print_one(kw, out, kw->words[*(const int *)cmember(c, kw)]);
}

static int
parse_number(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	int64_t i;

	(void)n;
	(void)why;
	(void)whysize;
	if (text_to_i64(v[0], strlen(v[0]), kw->min, kw->max, &i) == -1)
		return -1;
	*(unsigned *)member(c, kw) = (unsigned)i;
	return 0;
}

static void
print_number(const struct config *c, const struct keyword *kw, struct buf *out)
{
	buf_printf(out, "%s %u\n", kw->name, *(const unsigned *)cmember(c, kw));
}

static int
parse_size(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	size_t len = strlen(v[0]);
	int64_t i, unit = 1;

	(void)n;
	(void)why;
	(void)whysize;
	if (len > 0 && (v[0][len - 1] == 'K' || v[0][len - 1] == 'M'))
		unit = v[0][--len] == 'K' ? 1024 : 1024 * 1024;
	if (text_to_i64(v[0], len, 1, kw->max / unit, &i) == -1 || i * unit < kw->min)
		return -1;
	*(uint64_t *)member(c, kw) = (uint64_t)(i * unit);
	return 0;
}

static void
print_size(const struct config *c, const struct keyword *kw, struct buf *out)
{
	uint64_t v = *(const uint64_t *)cmember(c, kw);

	if (v % (1024 * 1024) == 0)
		buf_printf(out, "%s %lluM\n", kw->name, (unsigned long long)(v / 1024 / 1024));
	else if (v % 1024 == 0)
		buf_printf(out, "%s %lluK\n", kw->name, (unsigned long long)(v / 1024));
	else
		buf_printf(out, "%s %llu\n", kw->name, (unsigned long long)v);
}

/* --- values of their own --- */

static int
parse_control_url(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	struct url u;
	size_t len = strlen(v[0]);

	(void)n;
	if (url_parse(v[0], 0, &u, why, whysize) == -1)
		return -1;
	while (len > 0 && v[0][len - 1] == '/')
		v[0][--len] = '\0'; /* KEY-01: /key, never //key */
	if (parse_string(c, kw, v, 1, why, whysize) == -1)
		return -1;
	memcpy(c->host, u.host, sizeof(c->host));
	memcpy(c->authority, u.authority, sizeof(c->authority));
	memcpy(c->prefix, u.path, sizeof(c->prefix));
	c->https = u.https;
	c->url_port = u.port;
	return 0;
}

static int
parse_server_key(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	(void)kw;
	(void)n;
	if (key_parse(KEY_MACHINE, v[0], strlen(v[0]), &c->server_key) == -1)
		return -1;
	if (key_is_zero(&c->server_key)) {
		snprintf(why, whysize, "the zero key names no server");
		return -1;
	}
	return 0;
}

static void
print_server_key(const struct config *c, const struct keyword *kw, struct buf *out)
{
	char text[KEY_TEXT_MAX];

	if (!key_is_zero(&c->server_key))
		print_one(kw, out, key_format(KEY_MACHINE, &c->server_key, text));
}

static int
parse_proxy(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	struct url u;

	(void)kw;
	(void)n;
	if (url_parse(v[0], 1, &u, why, whysize) == -1)
		return -1;
	if (u.https || u.path[0] != '\0') {
		snprintf(why, whysize, "expected http://[user:password@]host:port");
		return -1;
	}
	memcpy(c->proxy_host, u.host, sizeof(c->proxy_host));
	memcpy(c->proxy_auth, u.userinfo, sizeof(c->proxy_auth));
	c->proxy_port = u.port != 0 ? u.port : 80;
	return 0;
}

static void
print_proxy(const struct config *c, const struct keyword *kw, struct buf *out)
{
	int v6 = strchr(c->proxy_host, ':') != NULL;

	if (c->proxy_host[0] != '\0')
		buf_printf(out, "%s http://%s%s%s%s:%u\n", kw->name, c->proxy_auth[0] != '\0' ? "********@" : "",
		    v6 ? "[" : "", c->proxy_host, v6 ? "]" : "", c->proxy_port);
}

static int
parse_hostname(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	const char *s;

	for (s = v[0]; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && *s != '-' && *s != '.' && *s != '_')
			return -1;
	return parse_string(c, kw, v, n, why, whysize);
}

static int
parse_routes(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	int i;

	(void)kw;
	if (n > CONFIG_MAX_ROUTES) {
		snprintf(why, whysize, "more than %d prefixes", CONFIG_MAX_ROUTES);
		return -1;
	}
	for (i = 0; i < n; i++)
		if (netaddr_prefix_parse(v[i], &c->routes[i].a) == -1) {
			snprintf(why, whysize, "\"%.60s\" is not a prefix such as 192.0.2.0/24 (no host bits set)",
			    v[i]);
			return -1;
		}
	c->nroutes = (unsigned)n;
	return 0;
}

static void
print_routes(const struct config *c, const struct keyword *kw, struct buf *out)
{
	char text[64];
	unsigned i;

	if (c->nroutes == 0)
		return;
	buf_puts(out, kw->name);
	for (i = 0; i < c->nroutes; i++)
		buf_printf(out, " %s", netaddr_prefix_format(&c->routes[i].a, text, sizeof(text)));
	buf_putc(out, '\n');
}

/* tag:<letter><letters, digits, dashes> (protocol.md E.7) */
static int
tag_ok(const char *s)
{
	if (strncmp(s, "tag:", 4) != 0 || !isalpha((unsigned char)s[4]))
		return 0;
	for (s += 4; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && *s != '-')
			return 0;
	return 1;
}

static int
parse_tags(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	int i;

	(void)kw;
	if (n > CONFIG_MAX_TAGS) {
		snprintf(why, whysize, "more than %d tags", CONFIG_MAX_TAGS);
		return -1;
	}
	for (i = 0; i < n; i++) {
		if (!tag_ok(v[i]) || strlen(v[i]) >= sizeof(c->tags[i])) {
			snprintf(why, whysize, "\"%.60s\" is not a tag such as tag:server", v[i]);
			return -1;
		}
		memcpy(c->tags[i], v[i], strlen(v[i]) + 1);
	}
	c->ntags = (unsigned)n;
	return 0;
}

static void
print_tags(const struct config *c, const struct keyword *kw, struct buf *out)
{
	unsigned i;

	if (c->ntags == 0)
		return;
	buf_puts(out, kw->name);
	for (i = 0; i < c->ntags; i++)
		buf_printf(out, " %s", c->tags[i]);
	buf_putc(out, '\n');
}

static int
parse_endpoints(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	const char *no;
	int i;

	(void)kw;
	if (n == 1 && (strcmp(v[0], "auto") == 0 || strcmp(v[0], "none") == 0)) {
		c->endpoints_mode = v[0][0] == 'a' ? EP_AUTO : EP_NONE;
		return 0;
	}
	if (n > IPC_MAX_ENDPOINTS) {
		snprintf(why, whysize, "more than %d endpoints", IPC_MAX_ENDPOINTS);
		return -1;
	}
	for (i = 0; i < n; i++) {
		if (netaddr_endpoint_parse(v[i], 0, &c->endpoints[i]) == -1) {
			snprintf(why, whysize,
			    "\"%.60s\" is not an endpoint such as 192.0.2.1:41641 or [2001:db8::1]:41641", v[i]);
			return -1;
		}
		if ((no = netaddr_endpoint_refused(&c->endpoints[i], 1)) != NULL) {
			snprintf(why, whysize, "\"%.60s\" is nothing that peers could reach: %s", v[i], no);
			return -1;
		}
	}
	c->endpoints_mode = EP_LIST;
	c->nendpoints = (unsigned)n;
	return 0;
}

static void
print_endpoints(const struct config *c, const struct keyword *kw, struct buf *out)
{
	char text[80];
	unsigned i;

	buf_puts(out, kw->name);
	if (c->endpoints_mode != EP_LIST)
		buf_puts(out, c->endpoints_mode == EP_AUTO ? " auto" : " none");
	else
		for (i = 0; i < c->nendpoints; i++)
			buf_printf(out, " %s", netaddr_endpoint_format(&c->endpoints[i], text, sizeof(text)));
	buf_putc(out, '\n');
}

static int
parse_level(struct config *c, const struct keyword *kw, char **v, int n, char *why, size_t whysize)
{
	(void)kw;
	(void)n;
	(void)why;
	(void)whysize;
	return log_level_parse(v[0], &c->log_level);
}

static void
print_level(const struct config *c, const struct keyword *kw, struct buf *out)
{
	print_one(kw, out, log_level_name(c->log_level));
}

/* --- the table (interface.md 2) --- */

static const char *const w_yesno[] = { "no", "yes", NULL };
static const char *const w_transport[] = { "auto", "tls", NULL };
static const char *const w_login[] = { "auto", "manual", NULL };
static const char *const w_expiry[] = { "login", "wait", NULL };
static const char *const w_sandbox[] = { "required", "best-effort", NULL };
static const char *const w_exit[] = { "refuse", "honour", NULL };

#define AT(m)    offsetof(struct config, m), sizeof(((struct config *)0)->m)
#define NONE     0, 0
#define YESNO(m) "yes or no", parse_words, print_words, AT(m), w_yesno, 0, 0
#define PATH(m)  "an absolute path", parse_path, print_string, AT(m), NULL, 0, 0

const struct keyword config_keywords[] = {
	/* name, what it expects, parser, printer, member, words, min, max, list, restart */
	{ "control-url", "a URL such as https://headscale.example.com", parse_control_url, print_string,
	    AT(control_url), NULL, 0, 0, 0, 1 },
	{ "server-key", "mkey: and 64 hex digits", parse_server_key, print_server_key, NONE, NULL, 0, 0, 0, 0 },
	{ "auth-key-file", PATH(auth_key_file), 0, 0 },
	{ "ca-file", PATH(ca_file), 0, 0 },
	{ "transport", "auto or tls", parse_words, print_words, AT(transport_tls), w_transport, 0, 0, 0, 0 },
	{ "proxy", "http://[user:password@]host:port", parse_proxy, print_proxy, NONE, NULL, 0, 0, 0, 0 },
	{ "capability-version", "a number from 113 to 145", parse_number, print_number, AT(capver), NULL, 113, 145, 0,
	    1 },
	{ "login", "auto or manual", parse_words, print_words, AT(login_manual), w_login, 0, 0, 0, 0 },
	{ "on-expiry", "login or wait", parse_words, print_words, AT(expiry_wait), w_expiry, 0, 0, 0, 0 },
	{ "start-paused", YESNO(start_paused), 0, 0 },
	{ "ephemeral", YESNO(ephemeral), 0, 0 },
	{ "hostname", "letters, digits, -, _ and .", parse_hostname, print_string, AT(hostname), NULL, 0, 0, 0, 0 },
	{ "advertise-routes", "one or more prefixes", parse_routes, print_routes, NONE, NULL, 0, 0, 1, 0 },
	{ "advertise-tags", "one or more of tag:name", parse_tags, print_tags, NONE, NULL, 0, 0, 1, 0 },
	{ "listen-port", "a number from 0 to 65535", parse_number, print_number, AT(listen_port), NULL, 0, 65535, 0,
	    0 },
	{ "endpoints", "auto, none, or one or more of ip:port", parse_endpoints, print_endpoints, NONE, NULL, 0, 0, 1,
	    0 },
	{ "accept-routes", YESNO(accept_routes), 0, 0 },
	{ "exit-node", "a name, address or StableID", parse_string, print_string, AT(exit_node), NULL, 0, 0, 0, 0 },
	{ "state-dir", PATH(state_dir), 0, 1 },
	{ "control-socket", PATH(control_socket), 0, 1 },
	{ "chroot-dir", PATH(chroot_dir), 0, 1 },
	{ "libexec-dir", PATH(libexec_dir), 0, 1 },
	{ "control-group", "a group name", parse_string, print_string, AT(control_group), NULL, 0, 0, 0, 1 },
	{ "control-operator", "a user name", parse_string, print_string, AT(control_operator), NULL, 0, 0, 0, 0 },
	{ "sandbox", "required or best-effort", parse_words, print_words, AT(best_effort), w_sandbox, 0, 0, 0, 1 },
	{ "server-exit", "refuse or honour", parse_words, print_words, AT(exit_honour), w_exit, 0, 0, 0, 0 },
	{ "max-map-wire", "bytes from 64K to 1024M", parse_size, print_size, AT(max_map_wire), NULL, 65536, 1LL << 30,
	    0, 0 },
	{ "max-map-decoded", "bytes from 64K to 4095M", parse_size, print_size, AT(max_map_decoded), NULL, 65536,
	    4095LL << 20, 0, 0 },
	{ "netmap-cache", YESNO(netmap_cache), 0, 0 },
	{ "log-level", "error, warn, info or debug", parse_level, print_level, NONE, NULL, 0, 0, 0, 0 },
	{ "map-watchdog", "seconds from 1 to 3600", parse_number, print_number, AT(map_watchdog), NULL, 1, 3600, 0, 0 },
	{ 0 },
};
_Static_assert(sizeof(config_keywords) / sizeof(config_keywords[0]) <= CONFIG_KEYWORDS_MAX,
    "a reader has a place for each");

void
config_defaults(struct config *c)
{
	memset(c, 0, sizeof(*c));
	c->capver = DEFAULT_CAPVER;
	c->listen_port = DEFAULT_LISTEN_PORT;
	c->map_watchdog = DEFAULT_WATCHDOG;
	c->max_map_wire = 64ULL << 20;
	c->max_map_decoded = 512ULL << 20;
	c->log_level = LOG_L_INFO;
	snprintf(c->state_dir, sizeof(c->state_dir), "%s", PATH_STATEDIR);
	snprintf(c->control_socket, sizeof(c->control_socket), "%s/tailnetd.sock", PATH_RUNDIR);
	snprintf(c->chroot_dir, sizeof(c->chroot_dir), "%s", PATH_EMPTYDIR);
	snprintf(c->libexec_dir, sizeof(c->libexec_dir), "%s", PATH_LIBEXECDIR);
}

/* The ts2021 ports by DIAL-02 and `transport`: 0 = none. */
static void
choose_ports(struct config *c)
{
	unsigned given = c->url_port;

	if (c->https) {
		c->clear_port = given == 0 ? 80 : 0;
		c->tls_port = given == 0 ? 443 : given;
	} else {
		c->clear_port = given == 0 ? 80 : given;
		c->tls_port = c->host_is_private ? 0 : 443;
	}
	if (c->transport_tls)
		c->clear_port = 0;
	if (given == 0)
		c->url_port = c->https ? 443 : 80;
}

/* Root: the daemon's group.  Anybody else (sandbox best-effort): their own, which may have no name (interface.md 2). */
static void
default_group(struct config *c)
{
	const struct group *gr;

	if (c->control_group[0] != '\0')
		return;
	if (geteuid() == 0)
		snprintf(c->control_group, sizeof(c->control_group), "_tailnetd");
	else if ((gr = getgrgid(getegid())) != NULL && strlen(gr->gr_name) < sizeof(c->control_group))
		snprintf(c->control_group, sizeof(c->control_group), "%s", gr->gr_name);
	else
		snprintf(c->control_group, sizeof(c->control_group), "%u", getegid());
}

int
config_finish(struct config *c, const char **about, char *why, size_t whysize)
{
	struct ipc_addr a;

	*why = '\0';
	*about = "control-url";
	default_group(c);
	if (c->control_url[0] == '\0') {
		snprintf(why, whysize, "control-url is missing");
		return -1;
	}
	c->host_is_literal = netaddr_is_literal(c->host, &a);
	c->host_is_private = url_host_is_private(c->host);
	choose_ports(c);
	if (!c->https && !c->host_is_private && key_is_zero(&c->server_key))
		snprintf(why, whysize, "control-url: http to a public host needs `server-key`, or use https");
	else if (c->clear_port == 0 && c->tls_port == 0) {
		*about = "transport";
		snprintf(why, whysize,
		    "transport tls: an http control-url on a private host has no TLS port; use https");
	} else if (strlen(c->chroot_dir) >= IPC_PATH_MAX) { /* the children would get less of it */
		*about = "chroot-dir";
		snprintf(why, whysize, "chroot-dir: longer than %d characters", IPC_PATH_MAX - 1);
	} else if (strlen(c->control_socket) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		*about = "control-socket";
		snprintf(why, whysize, "control-socket: a socket's path has at most %zu characters",
		    sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	}
	return *why != '\0' ? -1 : 0;
}
