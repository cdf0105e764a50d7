/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdint.h>

#include "../../unit/tailnetd/parentsim.h"
#include "text.h"

#define SEPARATOR   0xff /* never part of a good command */
#define MAX_CLIENTS 6
#define MAX_FDS     64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/* The first byte says how the client behaves: bit 0 writes in two pieces, bit 1 closes its writing end, bit 2 never reads. */
static void
one_client(struct psim *s, const uint8_t *data, size_t n)
{
	uint8_t how = n > 0 ? data[0] : 0;
	const uint8_t *line = n > 0 ? data + 1 : data;
	size_t len = n > 0 ? n - 1 : 0, first = (how & 1) != 0 ? len / 2 : len;
	struct buf answer;
	int fd = ps_connect(s);

	buf_init(&answer, PS_MAX_ANSWER);
	(void)!send(fd, line, first, MSG_NOSIGNAL);
	ps_run(s);
	(void)!send(fd, line + first, len - first, MSG_NOSIGNAL);
	if ((how & 2) != 0)
		shutdown(fd, SHUT_WR);
	if ((how & 4) == 0) {
		(void)ps_read(s, fd, &answer);
		check_answer(&answer);
	}
	ps_run(s);
	close(fd);
	ps_run(s);
	buf_free(&answer);
	s->p.stopping = 0; /* `shutdown`: the others are served all the same */
}

/* Some clients one after the other, each with its one line, against one daemon. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct psim *s = ps_new("server-key mkey:1111111111111111111111111111111111111111111111111111111111111111\n");
	const uint8_t *end = data + size;
	unsigned i, before = open_fds();

	for (i = 0; i < MAX_CLIENTS && size > 0 && data < end; i++) {
		const uint8_t *sep = memchr(data, SEPARATOR, (size_t)(end - data));

		one_client(s, data, (size_t)((sep != NULL ? sep : end) - data));
		data = sep != NULL ? sep + 1 : end;
	}
	ps_need(open_fds() == before, "a descriptor was left open");
	ps_need(strncmp(ps_ask(s, "status"), "{\"v\":1,", 7) == 0, "no status afterwards");
	ps_free(s);
	return 0;
}
