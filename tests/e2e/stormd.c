/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * 100 clients of the control socket at once that attack it: random bytes, and what an attacker who knows the
 * protocol could send.  stormd SOCKET SECONDS SEED [SECRET-IN-HEX...] counts the answers and prints one line of
 * JSON; "allowed" are answers to what was not permitted, "leaks" are secrets in what could be read.
 */
#define CLIENTS  100
#define TAIL     256 /* of the previous data: a secret may be divided between two reads */
#define MAX_LINE 70000
#define SECRETS  64
#define LIFE_MS  4000 /* most die sooner */
#define HOGS     3    /* those that keep a place and wait: with more, no other client would ever be served */

enum how {
	HOW_RANDOM,
	HOW_READ,
	HOW_WRITE,
	HOW_MUTATED,
	HOW_HALF,
	HOW_HUGE,
	HOW_GONE,
	HOW_DEAF,
	HOW_SLOW,
	HOW_WATCH,
	NHOWS
};

struct peer {
	int fd;
	enum how how;
	size_t len, off, step;
	size_t got;
	uint64_t until;
	int deaf, denied;
	unsigned hog;
	char head[64];
	char line[MAX_LINE];
	char tail[TAIL];
	size_t ntail;
};

static const char *const reads[] = { "status", "netmap", "peers", "peers limit=3", "peer 1", "peer unknown", "wgconf",
	"hosts", "metrics", "processes", "server-key" };
/* None of these may do anything for a member of the group. */
static const char *const writes[] = { "login", "login interactive ephemeral", "login auth-key=tskey-auth-stolen",
	"logout", "logout force", "pause", "unpause", "reconnect", "set hostinfo {\"Hostname\":\"owned\"}",
	"set netinfo {}", "set endpoints auto", "set endpoints 192.0.2.66:666",
	"set disco-key discokey:6666666666666666666666666666666666666666666666666666666666666666",
	"server-key accept mkey:6666666666666666666666666666666666666666666666666666666666666666", "log debug",
	"log error", "shutdown", "wgconf private" };

static struct peer peers[CLIENTS];
static struct {
	uint8_t b[128];
	size_t n;
} secrets[SECRETS];
static unsigned nsecrets, hogs;
static uint64_t rnd_state;
static unsigned long opened, full, answers, busy, refused, allowed, leaks, bytes;
static struct sockaddr_un sun = { .sun_family = AF_UNIX };
static int ep;

static uint32_t
rnd(uint32_t n)
{
	rnd_state = rnd_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(rnd_state >> 33) % n;
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
put_line(struct peer *p, const char *s)
{
	p->len = (size_t)snprintf(p->line, sizeof(p->line), "%s\n", s);
}

#define PICK(list) (list)[rnd(sizeof(list) / sizeof((list)[0]))]

static void
mutate(struct peer *p)
{
	unsigned i, k = 1 + rnd(6);

	put_line(p, rnd(2) ? PICK(reads) : PICK(writes));
	for (i = 0; i < k; i++)
		p->line[rnd((uint32_t)p->len)] = (char)(rnd(3) ? rnd(256) : (uint32_t) " \t\n\r\0{}\"\\:="[rnd(11)]);
	if (rnd(4) == 0) {
		memset(p->line + p->len, 'a', 3000);
		p->len += 3000;
		p->line[p->len++] = '\n';
	}
}

static void
think(struct peer *p)
{
	size_t i;

	p->how = (enum how)rnd(NHOWS);
	if (p->how == HOW_HALF || p->how == HOW_DEAF || p->how == HOW_WATCH) {
		if (hogs >= HOGS)
			p->how = (enum how)rnd(HOW_HALF);
		else
			p->hog = 1;
	}
	hogs += p->hog;
	p->step = sizeof(p->line);
	p->until = now_ms() + rnd(p->hog ? LIFE_MS : 50);
	switch (p->how) {
	case HOW_RANDOM:
		p->len = 1 + rnd(rnd(4) ? 200 : 8000);
		for (i = 0; i < p->len; i++)
			p->line[i] = (char)rnd(256);
		break;
	case HOW_READ: put_line(p, PICK(reads)); break;
	case HOW_WRITE:
		put_line(p, PICK(writes));
		p->denied = 1;
		break;
	case HOW_MUTATED: mutate(p); break;
	case HOW_HALF: /* never a newline: some until the daemon closes the connection */
		put_line(p, PICK(reads));
		p->len -= 1 + rnd((uint32_t)p->len - 1);
		p->until = now_ms() + (rnd(8) ? rnd(300) : 6000);
		break;
	case HOW_HUGE:
		p->len = rnd(2) ? sizeof(p->line) : 4096 + rnd(3);
		memset(p->line, 'x', p->len);
		memcpy(p->line, rnd(2) ? "set hostinfo {" : "status        ", 14);
		break;
	case HOW_GONE:
		put_line(p, PICK(reads));
		p->until = 0;
		break;
	case HOW_DEAF:
		put_line(p, rnd(2) ? "netmap" : "watch netmap");
		p->deaf = 1;
		break;
	case HOW_SLOW:
		put_line(p, PICK(reads));
		p->step = 1;
		break;
	default: put_line(p, rnd(2) ? "watch" : "watch netmap"); break;
	}
}

static void
drop(struct peer *p)
{
	static const struct linger hard = { 1, 0 };

	if (p->denied && p->got > 0) {
		/* {"error":{"code":"denied" or "busy"; whatever else it is, it is not what it should be */
		if (memcmp(p->head, "{\"error\":{\"code\":\"denied\"", 25) != 0 &&
		    memcmp(p->head, "{\"error\":{\"code\":\"busy\"", 23) != 0)
			allowed++;
		refused++;
	}
	if (p->got > 0) {
		answers++;
		busy += memcmp(p->head, "{\"error\":{\"code\":\"busy\"", 23) == 0;
	}
	if (rnd(4) == 0)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(p->fd);
	p->fd = -1;
	hogs -= p->hog;
}

static void
open_one(struct peer *p)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = p };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		full++;
		if (fd != -1)
			close(fd);
		return;
	}
	memset(p, 0, offsetof(struct peer, line));
	p->ntail = 0;
	p->fd = fd;
	opened++;
	think(p);
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static void
look_for_secrets(struct peer *p, const char *text, size_t n)
{
	static char both[TAIL + 65536];
	size_t keep;
	unsigned i;

	memcpy(both, p->tail, p->ntail);
	memcpy(both + p->ntail, text, n);
	n += p->ntail;
	for (i = 0; i < nsecrets; i++)
		if (memmem(both, n, secrets[i].b, secrets[i].n) != NULL)
			leaks++;
	keep = n < TAIL ? n : TAIL;
	memcpy(p->tail, both + n - keep, keep);
	p->ntail = keep;
}

/* 0, or -1: it is over. */
static int
read_some(struct peer *p)
{
	static char text[65536];
	ssize_t n = recv(p->fd, text, sizeof(text), 0);

	if (n <= 0)
		return n == -1 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	bytes += (unsigned long)n;
	if (p->got < sizeof(p->head)) {
		size_t k = sizeof(p->head) - p->got;

		memcpy(p->head + p->got, text, (size_t)n < k ? (size_t)n : k);
	}
	p->got += (size_t)n;
	look_for_secrets(p, text, (size_t)n);
	return 0;
}

static void
served(struct peer *p, uint32_t what)
{
	struct epoll_event e = { .events = p->deaf ? 0 : EPOLLIN, .data.ptr = p };
	size_t n;
	ssize_t k;

	if ((what & EPOLLOUT) != 0 && p->off < p->len) {
		n = p->len - p->off < p->step ? p->len - p->off : p->step;
		k = send(p->fd, p->line + p->off, n, MSG_NOSIGNAL);
		if (k > 0)
			p->off += (size_t)k;
		if (p->off == p->len) {
			epoll_ctl(ep, EPOLL_CTL_MOD, p->fd, &e);
			if (p->how == HOW_GONE) {
				drop(p);
				return;
			}
			if (rnd(3) == 0)
				shutdown(p->fd, SHUT_WR);
		}
	}
	if ((what & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !p->deaf && read_some(p) == -1)
		drop(p);
	else if (p->deaf && (what & (EPOLLHUP | EPOLLERR)) != 0)
		drop(p);
}

static void
storm(uint64_t end)
{
	struct epoll_event e[CLIENTS];
	uint64_t now;
	int i, n;

	while ((now = now_ms()) < end) {
		for (i = 0; i < CLIENTS; i++) {
			if (peers[i].fd != -1 && now >= peers[i].until &&
			    (peers[i].until != 0 || peers[i].off == peers[i].len))
				drop(&peers[i]);
			if (peers[i].fd == -1)
				open_one(&peers[i]);
		}
		n = epoll_wait(ep, e, CLIENTS, 1);
		for (i = 0; i < n; i++)
			served(e[i].data.ptr, e[i].events);
	}
}

static void
secret(const char *hex)
{
	size_t n = strlen(hex) / 2, i;
	unsigned v;

	if (nsecrets == SECRETS || n == 0 || n > sizeof(secrets[0].b))
		exit(2);
	for (i = 0; i < n; i++) {
		if (sscanf(hex + 2 * i, "%2x", &v) != 1)
			exit(2);
		secrets[nsecrets].b[i] = (uint8_t)v;
	}
	secrets[nsecrets++].n = n;
}

int
main(int argc, char **argv)
{
	int i;

	if (argc < 4 || strlen(argv[1]) >= sizeof(sun.sun_path))
		return 2;
	memcpy(sun.sun_path, argv[1], strlen(argv[1]) + 1);
	rnd_state = strtoull(argv[3], NULL, 10);
	for (i = 4; i < argc; i++)
		secret(argv[i]);
	ep = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < CLIENTS; i++)
		peers[i].fd = -1;
	storm(now_ms() + (uint64_t)(strtod(argv[2], NULL) * 1000));
	for (i = 0; i < CLIENTS; i++)
		if (peers[i].fd != -1)
			drop(&peers[i]);
	printf("{\"opened\":%lu,\"full\":%lu,\"answers\":%lu,\"busy\":%lu,\"refused\":%lu,\"allowed\":%lu,\"leaks\":%"
	       "lu,\"bytes\":%lu}\n",
	    opened, full, answers, busy, refused, allowed, leaks, bytes);
	return 0;
}
