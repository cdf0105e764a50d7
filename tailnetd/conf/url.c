/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "dialaddr.h"
#include "ipc.h"
#include "text.h"
#include "url.h"

static int
bad(char *why, size_t whysize, const char *text)
{
	snprintf(why, whysize, "%s", text);
	return -1;
}

/* Percent-decodes n bytes; refuses control characters, and what is no UTF-8 (ipc.h). */
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
	return ipc_text_ok(out, (uint16_t)len, outsize) ? 0 : -1;
}

static int
host_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_';
}

/* host[:port] or [v6][:port], n bytes. */
static int
parse_authority(const char *s, size_t n, struct url *u, char *why, size_t whysize)
{
	const char *host = s, *end = s + n, *port;
	struct ipc_addr a;
	size_t len, i;
	int64_t v = 0;

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
		if (dial_parse_literal(u->host, &a) == -1 || a.family != 6)
			return bad(why, whysize, "not an IPv6 address in the brackets");
	} else
		for (i = 0; i < len; i++)
			if (!host_char(u->host[i]))
				return bad(why, whysize, "the host has a character that no host name has");
	if (port < end) {
		if (*port != ':' || text_to_i64(port + 1, (size_t)(end - port - 1), 1, 65535, &v) == -1)
			return bad(why, whysize, "the port is not a number from 1 to 65535");
		u->port = (unsigned)v;
	}
	for (i = 0; i < n; i++)
		u->authority[i] = (char)tolower((unsigned char)s[i]);
	u->authority[n] = '\0';
	return 0;
}

int
url_parse(const char *s, int allow_userinfo, struct url *u, char *why, size_t whysize)
{
	const char *at, *slash, *p;
	size_t n;

	memset(u, 0, sizeof(*u));
	for (p = s; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return bad(why, whysize, "a URL has no spaces and only ASCII characters");
	if (strncasecmp(s, "https://", 8) == 0)
		u->https = 1;
	else if (strncasecmp(s, "http://", 7) != 0)
		return bad(why, whysize, "expected a URL that starts with https:// or http://");
	s += u->https ? 8 : 7;
	if (strpbrk(s, "?#") != NULL)
		return bad(why, whysize, "a query or fragment makes no sense here");
	if ((slash = strchr(s, '/')) == NULL)
		slash = s + strlen(s);
	if ((at = memchr(s, '@', (size_t)(slash - s))) != NULL) {
		if (!allow_userinfo)
			return bad(why, whysize, "user and password do not belong here");
		if (decode(s, (size_t)(at - s), u->userinfo, sizeof(u->userinfo)) == -1)
			return bad(why, whysize, "user and password are malformed");
		s = at + 1;
	}
	if (parse_authority(s, (size_t)(slash - s), u, why, whysize) == -1)
		return -1;
	for (n = strlen(slash); n > 0 && slash[n - 1] == '/'; n--)
		;
	if (n >= sizeof(u->path))
		return bad(why, whysize, "the path is too long");
	memcpy(u->path, slash, n);
	u->path[n] = '\0';
	return 0;
}

int
url_host_is_private(const char *host)
{
	struct ipc_addr a;
	const uint8_t *b = a.addr;
	static const uint8_t loop6[16] = { [15] = 1 };

	if (strcmp(host, "localhost") == 0)
		return 1;
	if (dial_parse_literal(host, &a) == -1)
		return 0;
	if (a.family == 6)
		return (b[0] & 0xfe) == 0xfc || memcmp(b, loop6, 16) == 0;
	return b[0] == 10 || b[0] == 127 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168);
}
