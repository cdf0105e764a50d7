/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/stat.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "exits.h"
#include "log.h"
#include "mem.h"
#include "resolver.h"
#include "resolver_sandbox.h"
#include "sandbox.h"
#include "text.h"

struct lookup {
	int other_build;
	uid_t uid;
	gid_t gid;
	int drop, required;
	const char *name;
};

/* The next field of "build:a:b:c:name" as a number; an empty one is -1.  0, or -1 when it is not one. */
static int
next_number(const char **s, int64_t max, int64_t *out)
{
	const char *end = strchr(*s, ':');

	*out = -1;
	if (end == NULL)
		return -1;
	if (end != *s && text_to_i64(*s, (size_t)(end - *s), 0, max, out) == -1)
		return -1;
	*s = end + 1;
	return 0;
}

static int
name_ok(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > 253)
		return 0;
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s >= 0x7f || *s == '/')
			return 0;
	return 1;
}

static int
parse_arg(const char *s, struct lookup *l)
{
	int64_t uid, gid, required;

	if (s == NULL || strnlen(s, BUILD_ID_LEN + 1) <= BUILD_ID_LEN || s[BUILD_ID_LEN] != ':')
		return -1;
	l->other_build = memcmp(s, build_id, BUILD_ID_LEN) != 0;
	s += BUILD_ID_LEN + 1;
	if (next_number(&s, UINT32_MAX - 1, &uid) == -1 || next_number(&s, UINT32_MAX - 1, &gid) == -1 ||
	    next_number(&s, 1, &required) == -1)
		return -1;
	if ((uid == -1) != (gid == -1) || required == -1 || !name_ok(s))
		return -1;
	l->drop = uid != -1;
	l->uid = (uid_t)uid;
	l->gid = (gid_t)gid;
	l->required = (int)required;
	l->name = s;
	return 0;
}

/* One write(2): the parent sees all lines or none. */
static int
answer(int out, const char *text, size_t n)
{
	return write(out, text, n) == (ssize_t)n ? 0 : -1;
}

static int
answer_error(int out, const char *why)
{
	char safe[200], line[220];
	int n;

	text_sanitize(why, strlen(why), safe, sizeof(safe));
	n = snprintf(line, sizeof(line), "error %s\n", safe);
	(void)answer(out, line, (size_t)n);
	return EXIT_STARTUP;
}

static const void *
address_bytes(const struct addrinfo *ai)
{
	if (ai->ai_family == AF_INET)
		return &((const struct sockaddr_in *)(const void *)ai->ai_addr)->sin_addr;
	if (ai->ai_family == AF_INET6)
		return &((const struct sockaddr_in6 *)(const void *)ai->ai_addr)->sin6_addr;
	return NULL;
}

static int
answer_addresses(int out, const struct addrinfo *list)
{
	char text[RESOLVER_MAX_LINES * (INET6_ADDRSTRLEN + 4)], host[INET6_ADDRSTRLEN];
	size_t len = 0, lines = 0;

	for (; list != NULL && lines < RESOLVER_MAX_LINES; list = list->ai_next) {
		const void *addr = address_bytes(list);

		if (addr == NULL || inet_ntop(list->ai_family, addr, host, sizeof(host)) == NULL)
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%c %s\n",
		    list->ai_family == AF_INET ? '4' : '6', host);
		lines++;
	}
	if (lines == 0)
		return answer_error(out, "no address");
	return answer(out, text, len) == 0 ? EXIT_OK : EXIT_STARTUP;
}

int
resolver_run(const char *arg, int out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC }, *list = NULL;
	struct lookup l;
	struct stat st;
	int rv;

	log_init("resolver", LOG_L_INFO);
	if (parse_arg(arg, &l) == -1 || fstat(out, &st) == -1 || !S_ISFIFO(st.st_mode)) {
		log_errorx("started by tailnetd, not by hand: no look-up and pipe given");
		return EXIT_BYHAND;
	}
	if (l.other_build) {
		(void)answer_error(out, "resolver and tailnetd are not of one build: install them together");
		return EXIT_BUILD;
	}
	sandbox_harden_process();
	mem_policy(MEM_END);
	alarm(RESOLVER_SECONDS);
	if (sandbox_enter_resolver(l.required, l.drop, l.uid, l.gid) == -1)
		return EXIT_SANDBOX;
	rv = getaddrinfo(l.name, NULL, &hints, &list);
	if (rv == EAI_MEMORY || (rv == EAI_SYSTEM && errno == ENOMEM))
		mem_exhausted();
	if (rv != 0)
		return answer_error(out, rv == EAI_SYSTEM ? strerror(errno) : gai_strerror(rv));
	rv = answer_addresses(out, list);
	freeaddrinfo(list);
	return rv;
}
