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
#include "timer.h"

#define ANSWER_MAX 4096
#define NO_ANSWER  "the resolver gave no answer"
#define END_MS     300 /* between the end of its pipe and its own */

struct resolve {
	struct event *readable;
	int fd;
	pid_t pid;
	const struct spawn_image *img;
	int silent;            /* it closed its pipe without a word: its status is waited for ... */
	struct timer patience; /* ... for this time */
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
		snprintf(err, errsize, NO_ANSWER);
	return count;
}

static void
resolve_free(struct resolve *r)
{
	if (r->readable != NULL)
		event_free(r->readable);
	timer_free(&r->patience);
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
resolve_finish(struct resolve *r, unsigned n, const struct ipc_addr *addrs, const char *err)
{
	end_process(r); /* it must not run on: it may have been compromised */
	r->done(r->arg, addrs, n, err);
	resolve_free(r);
}

static void
stays(void *arg)
{
	resolve_finish(arg, 0, NULL, NO_ANSWER);
}

static void
resolve_readable(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *r = arg;
	struct ipc_addr addrs[RESOLVE_MAX];
	char err[200] = "";
	ssize_t n;

	(void)what;
	n = read(fd, r->text + r->len, sizeof(r->text) - r->len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && (r->len += (size_t)n) < sizeof(r->text))
		return;
	if (r->len == 0 && r->pid > 0) { /* it could not run: resolve_reaped() knows why */
		r->silent = 1;
		event_del(r->readable);
		timer_set_ms(&r->patience, END_MS);
		return;
	}
	n = (ssize_t)resolve_parse(r->text, r->len, addrs, err, sizeof(err)); /* the end, or more than is honest */
	resolve_finish(r, (unsigned)n, addrs, err);
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
	r->img = img;
	if (pipe2(p, O_CLOEXEC) == -1) {
		resolve_free(r);
		return NULL;
	}
	r->fd = p[0];
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	r->pid = spawn_start(img, -1, p[1], what);
	close(p[1]);
	r->readable = event_new(base, r->fd, EV_READ | EV_PERSIST, resolve_readable, r);
	if (r->pid == -1 || r->readable == NULL || event_add(r->readable, NULL) == -1 ||
	    timer_init(&r->patience, base, stays, r) == -1) {
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

int
resolve_reaped(struct resolve *r, pid_t pid, int status)
{
	char how[160], err[200];

	if (r->pid != pid)
		return 0;
	r->pid = -1;
	if (r->silent) {
		spawn_end_text(r->img, status, how, sizeof(how));
		snprintf(err, sizeof(err), "the resolver %s", how);
		resolve_finish(r, 0, NULL, status == 0 ? NO_ANSWER : err);
	}
	return 1;
}
