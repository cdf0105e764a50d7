/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "dispatch.h"
#include "util_childsim.h"
#include "util_parentsim.h"

struct child *
child_of(const struct rig *r, int i)
{
	return i == 0 ? &r->s->p.sup->authd : &r->s->p.sup->mapd;
}

void
turn(struct rig *r)
{
	char text[16384];
	int i;

	ps_run(r->s);
	for (i = 0; i < 2; i++)
		while (recv(r->raw[i], text, sizeof(text), MSG_DONTWAIT) > 0)
			;
	ps_run(r->s);
}

void
say(struct rig *r, int i, unsigned type, uint32_t id, const void *p, size_t n)
{
	struct hdr h = { .type = (uint16_t)type,
		.len = (uint32_t)n,
		.id = id,
		.generation = child_of(r, i)->generation };
	uint8_t msg[sizeof(h) + IPC_MAX_MSG];

	assert_true(n <= IPC_MAX_MSG);
	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), p, n);
	(void)!send(r->raw[i], msg, sizeof(h) + n, MSG_NOSIGNAL | MSG_DONTWAIT);
	turn(r);
}

void
say_ready(struct rig *r, int i)
{
	struct ipc_ready m;

	memset(&m, 0, sizeof(m));
	memcpy(m.build, build_id, BUILD_ID_LEN);
	say(r, i, IPC_READY, IPC_ID_NONE, &m, sizeof(m));
	assert_int_equal(child_of(r, i)->phase, CHILD_READY);
}

int
childsim_setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	int i;

	assert_non_null(r);
	r->s = ps_new("server-key mkey:1111111111111111111111111111111111111111111111111111111111111111\n");
	for (i = 0; i < 2; i++) {
		r->raw[i] = ps_attach(r->s, child_of(r, i));
		say_ready(r, i);
	}
	*state = r;
	return 0;
}

int
childsim_teardown(void **state)
{
	struct rig *r = *state;
	int i;

	r->s->p.stopping = 2;
	for (i = 0; i < 2; i++)
		ps_detach(child_of(r, i), r->raw[i]);
	ps_free(r->s);
	free(r);
	return 0;
}
