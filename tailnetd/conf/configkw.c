/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/un.h>

#include <ctype.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "configkw.h"
#include "netaddr.h"
#include "text.h"
#include "url.h"

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

static int refuse(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int
refuse(struct words *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
	return -1;
}

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

/* --- texts --- */

static int
parse_text(struct config *c, const struct keyword *kw, struct words *w)
{
	size_t len = strlen(w->v[0]);

	if (len == 0)
		return -1;
	if (len >= kw->size)
		return refuse(w, "longer than %zu characters", kw->size - 1);
	memcpy(member(c, kw), w->v[0], len + 1);
	return 0;
}

static void
print_text(const struct config *c, const struct keyword *kw, struct buf *out)
{
	const char *s = cmember(c, kw);

	if (*s != '\0')
		print_one(kw, out, s);
}

static int
parse_path(struct config *c, const struct keyword *kw, struct words *w)
{
	return w->v[0][0] == '/' ? parse_text(c, kw, w) : refuse(w, "expected an absolute path");
}

static int
parse_hostname(struct config *c, const struct keyword *kw, struct words *w)
{
	const char *s;

	for (s = w->v[0]; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && *s != '-' && *s != '.' && *s != '_')
			return -1;
	return parse_text(c, kw, w);
}

static int
parse_control_url(struct config *c, const struct keyword *kw, struct words *w)
{
	struct url u;
	size_t len = strlen(w->v[0]);

	if (url_parse(w->v[0], 0, &u, w->why, sizeof(w->why)) == -1)
		return -1;
	while (len > 0 && w->v[0][len - 1] == '/')
		w->v[0][--len] = '\0'; /* KEY-01: /key, never //key */
	if (parse_text(c, kw, w) == -1)
		return -1;
	memcpy(c->host, u.host, sizeof(c->host));
	memcpy(c->authority, u.authority, sizeof(c->authority));
	memcpy(c->prefix, u.path, sizeof(c->prefix));
	c->https = (unsigned)u.https;
	c->url_port = u.port;
	return 0;
}

/* --- words and numbers --- */

static int
parse_enum(struct config *c, const struct keyword *kw, struct words *w)
{
	const char *s = kw->words;
	int i;

	for (i = 0;; i++) {
		size_t n = strcspn(s, "|");

		if (strlen(w->v[0]) == n && memcmp(w->v[0], s, n) == 0) {
			*(int *)member(c, kw) = i;
			return 0;
		}
		if (s[n] == '\0')
			return -1;
		s += n + 1;
	}
}

static void
print_enum(const struct config *c, const struct keyword *kw, struct buf *out)
{
	const char *s = kw->words;
	int i;

	for (i = *(const int *)cmember(c, kw); i > 0; i--)
		s = strchr(s, '|') + 1;
	buf_printf(out, "%s %.*s\n", kw->name, (int)strcspn(s, "|"), s);
}

static int
parse_level(struct config *c, const struct keyword *kw, struct words *w)
{
	return log_level_parse(w->v[0], member(c, kw));
}

static void
print_level(const struct config *c, const struct keyword *kw, struct buf *out)
{
	print_one(kw, out, log_level_name(*(const enum log_level *)cmember(c, kw)));
}

static int
parse_number(struct config *c, const struct keyword *kw, struct words *w)
{
	int64_t i;

	if (text_to_i64(w->v[0], strlen(w->v[0]), kw->min, kw->max, &i) == -1)
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
parse_seconds(struct config *c, const struct keyword *kw, struct words *w)
{
	if (parse_number(c, kw, w) == -1)
		return -1;
	*(unsigned *)member(c, kw) *= 1000;
	return 0;
}

static void
print_seconds(const struct config *c, const struct keyword *kw, struct buf *out)
{
	buf_printf(out, "%s %u\n", kw->name, *(const unsigned *)cmember(c, kw) / 1000);
}

static int
parse_size(struct config *c, const struct keyword *kw, struct words *w)
{
	const char *s = w->v[0];
	size_t len = strlen(s);
	int64_t i, unit = 1;

	if (len > 0 && (s[len - 1] == 'K' || s[len - 1] == 'M'))
		unit = s[--len] == 'K' ? 1024 : 1024 * 1024;
	if (text_to_i64(s, len, 1, kw->max / unit, &i) == -1 || i * unit < kw->min)
		return -1;
	*(uint64_t *)member(c, kw) = (uint64_t)(i * unit);
	return 0;
}

static void
print_size(const struct config *c, const struct keyword *kw, struct buf *out)
{
	unsigned long long v = *(const uint64_t *)cmember(c, kw), unit = 1;

	if (v % 1024 == 0)
		unit = v % (1024 * 1024) == 0 ? 1024 * 1024 : 1024;
	buf_printf(out, "%s %llu%s\n", kw->name, v / unit, unit == 1 ? "" : unit == 1024 ? "K" : "M");
}

/* --- values of their own --- */

static int
parse_server_key(struct config *c, const struct keyword *kw, struct words *w)
{
	struct pubkey *k = member(c, kw);

	if (key_parse(KEY_MACHINE, w->v[0], strlen(w->v[0]), k) == -1)
		return -1;
	return key_is_zero(k) ? refuse(w, "the zero key names no server") : 0;
}

static void
print_server_key(const struct config *c, const struct keyword *kw, struct buf *out)
{
	const struct pubkey *k = cmember(c, kw);
	char text[KEY_TEXT_MAX];

	if (!key_is_zero(k))
		print_one(kw, out, key_format(KEY_MACHINE, k, text));
}

static int
parse_proxy(struct config *c, const struct keyword *kw, struct words *w)
{
	struct url u;

	if (url_parse(w->v[0], 1, &u, w->why, sizeof(w->why)) == -1)
		return -1;
	if (u.https || u.path[0] != '\0')
		return refuse(w, "expected %s", kw->value);
	memcpy(c->proxy_host, u.host, sizeof(c->proxy_host));
	memcpy(c->proxy_auth, u.userinfo, sizeof(c->proxy_auth));
	c->proxy_port = u.port != 0 ? u.port : 80;
	c->via_proxy = 1;
	return 0;
}

static void
print_proxy(const struct config *c, const struct keyword *kw, struct buf *out)
{
	int v6 = strchr(c->proxy_host, ':') != NULL;

	if (c->via_proxy)
		buf_printf(out, "%s http://%s%s%s%s:%u\n", kw->name, c->proxy_auth[0] != '\0' ? "********@" : "",
		    v6 ? "[" : "", c->proxy_host, v6 ? "]" : "", c->proxy_port);
}

/* --- lists --- */

static int
parse_prefixes(struct config_prefix *list, unsigned *n, struct words *w)
{
	int i;

	if (w->n > CONFIG_MAX_ROUTES)
		return refuse(w, "more than %d prefixes", CONFIG_MAX_ROUTES);
	for (i = 0; i < w->n; i++)
		if (netaddr_prefix_parse(w->v[i], &list[i].a) == -1)
			return refuse(w, "\"%.60s\" is not a prefix such as 192.0.2.0/24 (no host bits set)", w->v[i]);
	*n = (unsigned)w->n;
	return 0;
}

static void
print_prefixes(const struct config_prefix *list, unsigned n, const struct keyword *kw, struct buf *out)
{
	char text[64];
	unsigned i;

	for (i = 0; i < n; i++)
		buf_printf(out, "%s %s%s", i == 0 ? kw->name : "",
		    netaddr_prefix_format(&list[i].a, text, sizeof(text)), i + 1 == n ? "\n" : "");
}

#define PREFIXES(member) \
	static int parse_##member(struct config *c, const struct keyword *kw, struct words *w) \
	{ \
		(void)kw; \
		return parse_prefixes(c->member, &c->n##member, w); \
	} \
	static void print_##member(const struct config *c, const struct keyword *kw, struct buf *out) \
	{ \
		print_prefixes(c->member, c->n##member, kw, out); \
	}
PREFIXES(routes)
PREFIXES(endpoints_ignore)

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
parse_tags(struct config *c, const struct keyword *kw, struct words *w)
{
	int i;

	(void)kw;
	if (w->n > CONFIG_MAX_TAGS)
		return refuse(w, "more than %d tags", CONFIG_MAX_TAGS);
	for (i = 0; i < w->n; i++) {
		if (!tag_ok(w->v[i]) || strlen(w->v[i]) >= sizeof(c->tags[i]))
			return refuse(w, "\"%.60s\" is not a tag such as tag:server", w->v[i]);
		memcpy(c->tags[i], w->v[i], strlen(w->v[i]) + 1);
	}
	c->ntags = (unsigned)w->n;
	return 0;
}

static void
print_tags(const struct config *c, const struct keyword *kw, struct buf *out)
{
	unsigned i;

	for (i = 0; i < c->ntags; i++)
		buf_printf(out, "%s %s%s", i == 0 ? kw->name : "", c->tags[i], i + 1 == c->ntags ? "\n" : "");
}

static int
parse_endpoints(struct config *c, const struct keyword *kw, struct words *w)
{
	const char *no;
	int i;

	(void)kw;
	c->endpoints_mode = EP_LIST;
	if (w->n == 1 && (strcmp(w->v[0], "auto") == 0 || strcmp(w->v[0], "none") == 0)) {
		c->endpoints_mode = w->v[0][0] == 'a' ? EP_AUTO : EP_NONE;
		return 0;
	}
	if (w->n > IPC_MAX_ENDPOINTS)
		return refuse(w, "more than %d endpoints", IPC_MAX_ENDPOINTS);
	for (i = 0; i < w->n; i++) {
		if (netaddr_endpoint_parse(w->v[i], 0, &c->endpoints[i]) == -1)
			return refuse(w, "\"%.60s\" is not an endpoint such as 192.0.2.1:41641 or [2001:db8::1]:41641",
			    w->v[i]);
		if ((no = netaddr_endpoint_refused(&c->endpoints[i], 1)) != NULL)
			return refuse(w, "\"%.60s\" is not an address that peers can reach: %s", w->v[i], no);
	}
	c->nendpoints = (unsigned)w->n;
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

/* --- the table --- */

#define AT(m)               offsetof(struct config, m), sizeof(((struct config *)0)->m)
#define TYPE_CONTROL_URL(m) parse_control_url, print_text, AT(m)
#define TYPE_SERVER_KEY(m)  parse_server_key, print_server_key, AT(m)
#define TYPE_PATH(m)        parse_path, print_text, AT(m)
#define TYPE_TEXT(m)        parse_text, print_text, AT(m)
#define TYPE_NAME(m)        parse_text, print_text, AT(m)
#define TYPE_HOSTNAME(m)    parse_hostname, print_text, AT(m)
#define TYPE_ENUM(m)        parse_enum, print_enum, AT(m)
#define TYPE_NUMBER(m)      parse_number, print_number, AT(m)
#define TYPE_SECONDS(m)     parse_seconds, print_seconds, AT(m)
#define TYPE_SIZE(m)        parse_size, print_size, AT(m)
#define TYPE_PROXY(m)       parse_proxy, print_proxy, AT(m##_host)
#define TYPE_ROUTES(m)      parse_##m, print_##m, AT(m)
#define TYPE_TAGS(m)        parse_tags, print_tags, AT(m)
#define TYPE_ENDPOINTS(m)   parse_endpoints, print_endpoints, AT(m)
#define TYPE_LEVEL(m)       parse_level, print_level, AT(m)

#define ANY              0, 0, NULL
#define LIMITS(min, max) min, max, NULL
#define WORDS(words)     0, 0, words
#define LIST             KEYWORD_LIST
#define RESTART          KEYWORD_RESTART
#define SECRET           KEYWORD_SECRET

#define ROW(keyword, member, type, range, value, def, flags, child) \
	{ keyword, value, def, TYPE_##type(member), range, flags },

const struct keyword config_keywords[] = { KEYWORDS(ROW){ 0 } };
_Static_assert(sizeof(config_keywords) / sizeof(config_keywords[0]) <= CONFIG_KEYWORDS_MAX,
    "a reader has a place for each");

void
config_defaults(struct config *c)
{
	const struct keyword *kw;

	memset(c, 0, sizeof(*c));
	for (kw = config_keywords; kw->name != NULL; kw++) {
		char text[CONFIG_PATH_MAX], *v[] = { text };
		struct words w = { .v = v, .n = 1 };

		strlcpy(text, kw->def, sizeof(text));
		if (*text != '\0' && kw->parse(c, kw, &w) == -1)
			abort(); /* a default that its own keyword refuses */
	}
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

/* Root: the daemon's group.  Other users (sandbox best-effort): their own, which may have no name (interface.md 2). */
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
	} else if (strlen(c->chroot_dir) >= IPC_PATH_MAX) { /* the record of a child has no room for more */
		*about = "chroot-dir";
		snprintf(why, whysize, "chroot-dir: longer than %d characters", IPC_PATH_MAX - 1);
	} else if (strlen(c->control_socket) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		*about = "control-socket";
		snprintf(why, whysize, "control-socket: a socket's path has at most %zu characters",
		    sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
	}
	return *why != '\0' ? -1 : 0;
}
