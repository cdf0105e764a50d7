/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util_parentsim.h"
#include "text.h"
#include "utf8.h"

#define SEPARATOR   0xff /* never part of a good command */
#define MAX_CLIENTS 6
#define NOBODY      65534
#define OPERATOR    65533
#define MAX_FDS     64
#define FULL        0xfe /* instead of the bits below: the daemon has no descriptor for this client, then it has */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int held[MAX_CLIENTS];
static unsigned nheld;

static unsigned
open_fds(void)
{
	unsigned n = 0;
	int fd;

	for (fd = 0; fd < MAX_FDS; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

/* Answers are UTF-8 text of whole lines. */
static void
check_answer(const struct buf *b)
{
	size_t n = buf_len(b);

	if (n == 0)
		return;
	ps_need(utf8_valid((const char *)buf_ptr(b), n), "an answer that is not UTF-8");
	ps_need(buf_ptr(b)[n - 1] == '\n', "half a line as an answer");
}

/* A member of the group, or the control-operator.  Only root can be others. */
static int
connect_as(struct psim *s, uint8_t how, int full)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	uid_t me = geteuid();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct rlimit files, few;

	ps_need(getrlimit(RLIMIT_NOFILE, &files) == 0, "getrlimit");
	few = files;
	few.rlim_cur = (rlim_t)fd + 1; /* the lowest that was free */
	(void)chmod(s->dir, 0711);
	if (me == 0 && (how & 24) != 0)
		(void)!seteuid((how & 8) != 0 ? NOBODY : OPERATOR);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/sock", s->dir);
	ps_need(fd != -1 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0, "connect");
	(void)!seteuid(me); /* before it is accepted */
	if (full) {
		ps_need(setrlimit(RLIMIT_NOFILE, &few) == 0, "setrlimit");
		ps_run(s);
		ps_need(setrlimit(RLIMIT_NOFILE, &files) == 0, "setrlimit");
		ps_time_passes(s);
	}
	ps_run(s);
	return fd;
}

/*
 * The first byte says how the client behaves: bit 0 writes in two pieces, bit 1 closes its writing end, bit 2 never
 * reads, bit 3 is of the group, bit 4 is the operator, bit 5 is one of ten, bit 6 stays to the end, bit 7 does not
 * wait for an answer.
 */
static void
one_client(struct psim *s, const uint8_t *data, size_t n)
{
	int fresh = !s->p.stopping, full = data[0] == FULL;
	uint8_t how = full ? 0 : data[0];
	const uint8_t *line = data + 1;
	size_t len = n - 1, first = (how & 1) != 0 ? len / 2 : len;
	struct buf answer;
	int fd = connect_as(s, how, full), crowd[9], i;

	for (i = 0; i < 9; i++)
		crowd[i] = (how & 32) != 0 ? connect_as(s, how, 0) : -1;
	buf_init(&answer, PS_MAX_ANSWER);
	(void)!send(fd, line, first, MSG_NOSIGNAL);
	if ((how & 128) == 0)
		ps_run(s);
	(void)!send(fd, line + first, len - first, MSG_NOSIGNAL);
	if ((how & 2) != 0)
		shutdown(fd, SHUT_WR);
	if ((how & 128) != 0)
		shutdown(fd, SHUT_RD);
	if ((how & 4) == 0) {
		(void)ps_read(s, fd, &answer);
		check_answer(&answer);
	}
	ps_run(s);
	if ((how & 64) != 0 && nheld < MAX_CLIENTS)
		held[nheld++] = fd;
	else
		close(fd);
	for (i = 0; i < 9; i++)
		if (crowd[i] != -1)
			close(crowd[i]);
	ps_run(s);
	buf_free(&answer);
	if (!fresh)
		s->p.stopping = 0; /* `shutdown`: the others are served all the same */
}

/* Some clients in sequence, each with its one line, against one daemon; between them a minute may pass. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned i, first = open_fds(), before;
	struct psim *s = ps_new("server-key mkey:1111111111111111111111111111111111111111111111111111111111111111\n");
	const uint8_t *end = data + size;
	int half = 0;

	before = open_fds();
	s->p.ids.has_operator = 1;
	s->p.ids.operator_uid = OPERATOR;
	for (i = 0; i < MAX_CLIENTS && size > 0 && data < end; i++) {
		const uint8_t *sep = memchr(data, SEPARATOR, (size_t)(end - data));

		half |= (data[0] & 2) != 0;
		if (sep == data)
			ps_time_passes(s);
		else
			one_client(s, data, (size_t)((sep != NULL ? sep : end) - data));
		data = sep != NULL ? sep + 1 : end;
	}
	s->p.stopping = 0;
	while (nheld > 0) {
		struct buf b;

		buf_init(&b, PS_MAX_ANSWER);
		(void)ps_read(s, held[--nheld], &b);
		buf_free(&b);
		close(held[nheld]);
	}
	ps_run(s);
	/* One that had closed half of it and then went is looked after from time to time. */
	ps_need(half || open_fds() == before, "a place was not given back");
	ps_need(strncmp(ps_ask(s, "status"), "{\"v\":1,", 7) == 0, "no status afterwards");
	ps_free(s);
	ps_need(open_fds() == first, "a descriptor was left open");
	return 0;
}
