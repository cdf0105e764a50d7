/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "h2.h"
#include "h2stream.h"

/*
 * Bytes of a server against a client with requests under way.  The first byte of the input chooses what the consumer
 * does. Every request ends exactly once or was cancelled, and the dead are never fed.
 */
struct ctx {
	struct h2 *h;
	uint8_t mood;
	struct h2_stream *st[4];
	int done[4];
	size_t sent;
	int freed;
};
struct slot {
	struct ctx *x;
	int i;
};

static int
out(void *arg, const uint8_t *p, size_t n)
{
	struct ctx *x = arg;

	(void)p;
	x->sent += n;
	return x->sent % 7 == 0;
}

static void
on_head(void *arg, int status)
{
	struct slot *s = arg;

	if (status < 200 || s->x->done[s->i])
		abort();
	h2_header(s->x->st[s->i], "x-test");
	if (s->x->mood & 1 && s->i == 1) {
		h2_cancel(s->x->st[s->i]);
		s->x->done[s->i] = 1;
	}
}

static int
on_data(void *arg, const uint8_t *p, size_t n)
{
	struct slot *s = arg;

	if (n == 0 || s->x->done[s->i])
		abort();
	(void)p;
	if (s->x->mood & 2 && s->i == 2) {
		s->x->done[s->i] = 1;
		return -1;
	}
	if (s->x->mood & 4)
		h2_pause(s->x->st[s->i], 1);
	if (s->x->mood & 8 && s->i == 3) {
		s->x->freed = 1;
		h2_free(s->x->h);
	}
	return 0;
}

static void
on_done(void *arg, enum request_err err, const char *why)
{
	struct slot *s = arg;

	if (s->x->done[s->i]++ || (err != REQ_OK) != (why != NULL))
		abort();
	s->x->st[s->i] = NULL;
}

/* After any bytes: an error has its text, and what is over takes nothing more. */
static void
check(const struct h2 *h, int failed, int was_over)
{
	if (((failed && !was_over) || h2_over_limit(h)) && h2_error(h)[0] == '\0')
		abort();
	if ((h2_over(h) || h2_draining(h) || h2_server_full(h)) && h2_can_open(h))
		abort();
	if (failed && (!h2_over(h) || !h2_draining(h)))
		abort();
}

static void
feed(struct ctx *x, const uint8_t *data, size_t size)
{
	uint64_t now = 1;
	size_t piece;
	int failed, over;

	for (size_t at = 0; at < size; at += piece) {
		piece = (size_t)x->mood * 3 + 1 < size - at ? (size_t)x->mood * 3 + 1 : size - at;
		over = h2_over(x->h);
		failed = h2_recv(x->h, data + at, piece, now++) == -1;
		check(x->h, failed, over);
		if (failed)
			return;
		if (x->mood & 16)
			for (int i = 0; i < 4; i++)
				if (x->st[i] != NULL && !x->done[i])
					h2_pause(x->st[i], 0);
		for (int i = 0; i < 9 && h2_wants_send(x->h); i++)
			h2_send(x->h);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct request_ops ops = { on_head, on_data, on_done };
	static const uint8_t settings[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0 };
	static const uint8_t one[] = { 0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1 }; /* MAX_CONCURRENT_STREAMS */
	struct request_spec spec = { .method = "POST",
		.path = "/",
		.authority = "h",
		.body_len = 3,
		.max_answer = 100000 };
	struct ctx x = { .h = NULL };
	struct slot slots[4];

	if (size < 1)
		return 0;
	x.mood = data[0];
	if (x.mood & 32)
		spec.max_answer = 100;
	x.h = h2_new(out, &x);
	h2_recv(x.h, x.mood & 128 ? one : settings, x.mood & 128 ? sizeof(one) : sizeof(settings), 1);
	for (int i = 0; i < 4; i++) {
		slots[i] = (struct slot){ &x, i };
		x.st[i] = h2_open(x.h, &spec, calloc(1, 3), &ops, &slots[i]);
		x.done[i] = x.st[i] == NULL; /* no room: never begun */
	}
	if ((x.st[1] == NULL) != (x.mood >> 7))
		abort();
	if (!(x.mood & 64))
		h2_send(x.h);
	if (x.mood & 8) { /* perhaps freed before the end */
		h2_recv(x.h, data + 1, size - 1, 2);
		if (!x.freed)
			h2_free(x.h);
		return 0;
	}
	feed(&x, data + 1, size - 1);
	h2_send(x.h);
	if (x.mood & 64)
		h2_goaway(x.h);
	h2_send(x.h);
	h2_fail_all(x.h, REQ_TRANSPORT, "the end");
	for (int i = 0; i < 4; i++)
		if (x.done[i] != 1)
			abort();
	if (h2_active(x.h) != 0 || !h2_over(x.h))
		abort();
	h2_free(x.h);
	return 0;
}
