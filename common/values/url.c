/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "hex.h"
#include "text.h"
#include "url.h"

static int
bad(char *why, size_t whysize, const char *text)
{
	snprintf(why, whysize, "%s", text);
	return -1;
}

/* Percent-decodes n bytes; refuses control characters, and what is no UTF-8. */
static int
decode(const char *s, size_t n, char *out, size_t outsize)
{
	size_t len = 0;

	while (n > 0) {
		char c = *s;

		if (c == '%') {
			if (n < 3 || hex_value(s[1]) == -1 || hex_value(s[2]) == -1)
				return -1;
			c = (char)(hex_value(s[1]) << 4 | hex_value(s[2]));
			s += 2;
			n -= 2;
		}
		if ((unsigned char)c < ' ' || (unsigned char)c == 0x7f || len + 1 >= outsize)
			return -1;
		out[len++] = c;
		s++;
		n--;
	}
	out[len] = '\0';
	return text_is_plain(out, len) ? 0 : -1;
}

static int
host_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_';
}

/* host[:port] or [v6][:port], n bytes. */
static int
parse_authority(const char *s, size_t n, int flags, struct url *u, char *why, size_t whysize)
{
	const char *host = s, *end = s + n, *port;
	uint8_t addr[16];
	unsigned family;
	size_t len, i;
	int64_t v = 0;
	int zone;

	if (n > 0 && *s == '[') {
		const char *close = memchr(s, ']', n);

		if (close == NULL)
			return bad(why, whysize, "the address has no closing bracket");
		host = s + 1;
		len = (size_t)(close - host);
		port = close + 1;
	} else {
		port = memchr(s, ':', n);
		if (port == NULL)
			port = end;
		len = (size_t)(port - s);
	}
	if (len == 0 || len >= sizeof(u->host) || n >= sizeof(u->authority))
		return bad(why, whysize, len == 0 ? "the host is missing" : "the host is too long");
	for (i = 0; i < len; i++)
		u->host[i] = (char)tolower((unsigned char)host[i]);
	u->host[len] = '\0';
	if (*s == '[') {
		if (addr_parse_ip(u->host, len, addr, &family, &zone) == -1 || family != 6 || zone)
			return bad(why, whysize, "not an IPv6 address in the brackets");
	} else
		for (i = 0; i < len; i++)
			if (!host_char(u->host[i]))
				return bad(why, whysize, "the host has a character that no host name has");
	if (!(flags & URL_QUERY) && (u->host[0] == '.' || strstr(u->host, "..") != NULL))
		return bad(why, whysize, "the host has an empty part between its dots");
	if (port < end) {
		if (*port != ':' || text_to_i64(port + 1, (size_t)(end - port - 1), 1, 65535, &v) == -1)
			return bad(why, whysize, "the port is not a number from 1 to 65535");
		u->port = (unsigned)v;
	}
	for (i = 0; i < n; i++)
		u->authority[i] = flags & URL_QUERY ? s[i] : (char)tolower((unsigned char)s[i]);
	u->authority[n] = '\0';
	return 0;
}

/* The part that follows the authority. */
static int
parse_path(const char *s, int flags, struct url *u, char *why, size_t whysize)
{
	size_t n;
	int with_slash = 0;

	if (flags & URL_QUERY) {
		n = strcspn(s, "#");
		with_slash = *s != '/';
	} else {
		for (n = strlen(s); n > 0 && s[n - 1] == '/'; n--)
			;
		if (n >= URL_PREFIX_MAX)
			return bad(why, whysize, "the path is too long");
	}
	if (snprintf(u->path, sizeof(u->path), "%s%.*s", with_slash ? "/" : "", (int)n, s) >= (int)sizeof(u->path))
		return bad(why, whysize, "the path is too long");
	return 0;
}

int
url_parse(const char *s, int flags, struct url *u, char *why, size_t whysize)
{
	const char *at, *end, *p;

	memset(u, 0, sizeof(*u));
	for (p = s; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return bad(why, whysize, "a URL has no spaces and only ASCII characters");
	if (strncasecmp(s, "https://", 8) == 0)
		u->https = 1;
	else if (strncasecmp(s, "http://", 7) != 0)
		return bad(why, whysize, "expected a URL that starts with https:// or http://");
	s += u->https ? 8 : 7;
	if (!(flags & URL_QUERY) && strpbrk(s, "?#") != NULL)
		return bad(why, whysize, "a query or fragment makes no sense here");
	end = s + strcspn(s, "/?#");
	if ((at = memchr(s, '@', (size_t)(end - s))) != NULL) {
		if (!(flags & URL_USERINFO))
			return bad(why, whysize, "user and password do not belong here");
		if (decode(s, (size_t)(at - s), u->userinfo, sizeof(u->userinfo)) == -1)
			return bad(why, whysize, "user and password are malformed");
		s = at + 1;
	}
	if (parse_authority(s, (size_t)(end - s), flags, u, why, whysize) == -1)
		return -1;
	return parse_path(end, flags, u, why, whysize);
}

int
url_host_is_private(const char *host)
{
	static const struct addr_net nets[] = { { 4, 8, { 10 } }, { 4, 8, { 127 } }, { 4, 12, { 172, 16 } },
		{ 4, 16, { 192, 168 } }, { 6, 7, { 0xfc } }, { 6, 128, { [15] = 1 } } };
	uint8_t addr[16];
	unsigned family;
	int zone;

	if (strcmp(host, "localhost") == 0)
		return 1;
	return addr_parse_ip(host, strlen(host), addr, &family, &zone) == 0 && !zone &&
	    addr_in_nets(nets, sizeof(nets) / sizeof(nets[0]), addr, family) >= 0;
}

int
url_is_showable(const char *url, size_t n, int https)
{
	size_t i, host;

	if (n > URL_MAX)
		return 0;
	if (n > 8 && strncasecmp(url, "https://", 8) == 0)
		host = 8;
	else if (!https && n > 7 && strncasecmp(url, "http://", 7) == 0)
		host = 7;
	else
		return 0;
	for (i = 0; i < n; i++)
		if (url[i] <= ' ' || url[i] >= 0x7f)
			return 0;
	return url[host] != '/' && url[host] != '?' && url[host] != '#' && url[host] != ':';
}
