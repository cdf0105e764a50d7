/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "resolve.h"
#include "text.h"

#define ANSWER_MAX 4096

struct resolve {
	struct event *readable;
	int fd;
	pid_t pid;
	size_t len;
	resolve_done done;
	void *arg;
	char text[ANSWER_MAX];
};

static int
parse_line(const char *line, size_t n, struct ipc_addr *a)
{
	char host[INET6_ADDRSTRLEN];

	if (n < 3 || n - 2 >= sizeof(host) || line[1] != ' ' || memchr(line, '\0', n) != NULL)
		return -1;
	memcpy(host, line + 2, n - 2);
	host[n - 2] = '\0';
	memset(a, 0, sizeof(*a));
	a->family = line[0] == '4' ? 4 : 6;
	a->bits = line[0] == '4' ? 32 : 128;
	if (line[0] == '4')
		return inet_pton(AF_INET, host, a->addr) == 1 ? 0 : -1;
	return line[0] == '6' && inet_pton(AF_INET6, host, a->addr) == 1 ? 0 : -1;
}

unsigned
resolve_parse(const char *text, size_t n, struct ipc_addr addrs[RESOLVE_MAX], char *err, size_t errsize)
{
	unsigned count = 0;

	if (n > 6 && memcmp(text, "error ", 6) == 0) {
		const char *end = memchr(text, '\n', n);

		text_sanitize(text + 6, (end != NULL ? (size_t)(end - text) : n) - 6, err, errsize);
		if (*err == '\0')
			snprintf(err, errsize, "the resolver gave no reason");
		return 0;
	}
	while (n > 0) {
		const char *end = memchr(text, '\n', n);
		size_t len;

		if (end == NULL || count == RESOLVE_MAX ||
		    parse_line(text, (size_t)(end - text), &addrs[count]) == -1) {
			snprintf(err, errsize, "the resolver gave a malformed answer");
			return 0;
		}
		count++;
		len = (size_t)(end - text) + 1;
		text += len;
		n -= len;
	}
	if (count == 0)
		snprintf(err, errsize, "the resolver gave no answer");
	return count;
}

static void
resolve_free(struct resolve *r)
{
	if (r->readable != NULL)
		event_free(r->readable);
	if (r->fd != -1)
		close(r->fd);
	free(r);
}

static void
end_process(struct resolve *r)
{
	if (r->pid > 0)
		kill(r->pid, SIGKILL);
}

static void
resolve_finish(struct resolve *r)
{
	struct ipc_addr addrs[RESOLVE_MAX];
	char err[200] = "";
	unsigned n;

	n = resolve_parse(r->text, r->len, addrs, err, sizeof(err));
	end_process(r); /* it must not run on: it may have been compromised */
	r->done(r->arg, addrs, n, err);
	resolve_free(r);
}

static void
resolve_readable(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *r = arg;
	ssize_t n;

	(void)what;
	n = read(fd, r->text + r->len, sizeof(r->text) - r->len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && (r->len += (size_t)n) < sizeof(r->text))
		return;
	resolve_finish(r); /* the end, or more than any honest answer */
}

struct resolve *
resolve_start(struct event_base *base, const struct spawn_image *img, const struct resolve_ids *ids, const char *name,
    resolve_done done, void *arg)
{
	char what[400];
	struct resolve *r;
	int p[2], n;

	if (ids->drop)
		n = snprintf(what, sizeof(what), "%s:%u:%u:%d:%s", build_id, ids->uid, ids->gid, ids->required, name);
	else
		n = snprintf(what, sizeof(what), "%s:::%d:%s", build_id, ids->required, name);
	if (n < 0 || (size_t)n >= sizeof(what)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return NULL;
	r->fd = -1;
	r->done = done;
	r->arg = arg;
	if (pipe2(p, O_CLOEXEC) == -1) {
		resolve_free(r);
		return NULL;
	}
	r->fd = p[0];
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	r->pid = spawn_start(img, -1, p[1], what);
	close(p[1]);
	r->readable = event_new(base, r->fd, EV_READ | EV_PERSIST, resolve_readable, r);
	if (r->pid == -1 || r->readable == NULL || event_add(r->readable, NULL) == -1) {
		end_process(r);
		resolve_free(r);
		return NULL;
	}
	return r;
}

void
resolve_cancel(struct resolve *r)
{
	end_process(r);
	resolve_free(r);
}

void
resolve_reaped(struct resolve *r, pid_t pid)
{
	if (r->pid == pid)
		r->pid = -1;
}
