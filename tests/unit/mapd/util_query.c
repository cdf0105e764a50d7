/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "reader.h"
#include "unit.h"
#include "util_map.h"
#include "util_query.h"

void
turn(struct fixture *f)
{
	int i;

	for (i = 0; i < 20; i++)
		event_base_loop(f->base, EVLOOP_NONBLOCK);
}

struct fixture *
fixture(const char *first)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->m = mt_new();
	if (first != NULL)
		mt_ok(f->m, first);
	assert_non_null(f->base = event_base_new());
	assert_non_null(f->q = query_new(f->base, f->m->nm, &f->cfg));
	return f;
}

void
fixture_free(struct fixture *f)
{
	query_free(f->q);
	event_base_free(f->base);
	mt_free(f->m);
	free(f);
}

int
ask_with(struct fixture *f, uint32_t id, struct ipc_query *m, enum ipc_query_verb verb, const char *args)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	m->verb = verb;
	m->class = IPC_CLASS_R;
	m->data_len = (uint16_t)strlen(args);
	memcpy(m->data, args, m->data_len);
	query_handle(f->q, id, m, fd[1]);
	return fd[0];
}

int
ask(struct fixture *f, uint32_t id, enum ipc_query_verb verb, const char *args)
{
	struct ipc_query m = { .listen_port = 41641 };

	return ask_with(f, id, &m, verb, args);
}

char *
take(struct fixture *f, int fd, size_t max, int *ended)
{
	size_t n = 0;
	char *out = malloc(max + 1);
	ssize_t r = 0;

	assert_non_null(out);
	*ended = 0;
	while (n < max) {
		turn(f);
		r = recv(fd, out + n, max - n, MSG_DONTWAIT);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	if (n < max)
		*ended = r == 0 || errno != EAGAIN;
	out[n] = '\0';
	return out;
}

char *
answer(struct fixture *f, enum ipc_query_verb verb, const char *args)
{
	int fd = ask(f, 1, verb, args), ended;
	char *s = take(f, fd, 64u << 20, &ended);

	assert_int_equal(ended, 1);
	close(fd);
	assert_int_equal(query_clients(f->q), 0);
	return s;
}

void
check_events(char *s, uint64_t first, const char *want)
{
	char have[4096] = "", *line, *save = NULL;
	struct json_object *o, *v;
	size_t n = 0;

	for (line = strtok_r(s, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		if ((o = json_tokener_parse(line)) == NULL)
			fail_msg("not JSON: %s", line);
		assert_true(json_object_object_get_ex(o, "v", &v));
		assert_true(json_object_object_get_ex(o, "seq", &v));
		assert_true((uint64_t)json_object_get_int64(v) == first++);
		assert_true(json_object_object_get_ex(o, "time", &v));
		assert_true(json_object_object_get_ex(o, "event", &v));
		n += (size_t)snprintf(have + n, sizeof(have) - n, "%s%s", n ? " " : "", json_object_get_string(v));
		json_object_put(o);
	}
	assert_string_equal(have, want);
}

void
change(struct fixture *f, const char *text)
{
	if (mt_msg(f->m, text) == 1)
		query_changed(f->q, &f->m->ch);
}

void
many_peers(struct pb *b)
{
	int i;

	pb_puts(b, "{\"Node\":{\"ID\":1,\"Key\":\"" SELF_KEY "\"},\"Peers\":[");
	for (i = 0; i < 20000; i++)
		pb_printf(b,
		    "%s{\"ID\":%d,\"Name\":\"p%d.x.\",\"Key\":\"nodekey:%064x\",\"HomeDERP\":1,"
		    "\"Addresses\":[\"100.64.%d.%d/32\"]}",
		    i ? "," : "", i + 2, i, i + 1, i >> 8, i & 255);
	pb_puts(b, "]}");
}

void
renew(struct fixture *f, const struct pb *b)
{
	assert_int_equal(mt_raw(f->m, (char *)b->p, b->n, 100000), 1);
	query_changed(f->q, &f->m->ch);
	turn(f);
}

char *
broken_off(struct fixture *f, int fd, const char *code)
{
	int ended;
	char *s = take(f, fd, 64u << 20, &ended), *last, want[64];
	struct json_object *o;

	assert_int_equal(ended, 1);
	assert_true(strlen(s) > 10000);
	assert_int_equal(s[strlen(s) - 1], '\n');
	s[strlen(s) - 1] = '\0';
	assert_non_null(last = strrchr(s, '\n'));
	*last++ = '\0';
	assert_non_null(o = json_tokener_parse(last));
	json_object_put(o);
	snprintf(want, sizeof(want), "{\"error\":{\"code\":\"%s\",", code);
	assert_memory_equal(last, want, strlen(want));
	close(fd);
	return s;
}

void
whole(struct fixture *f, int fd, char *want)
{
	int ended;
	char *s = take(f, fd, 64u << 20, &ended);

	assert_int_equal(ended, 1);
	assert_int_equal(s[strlen(s) - 1], '\n');
	s[strlen(s) - 1] = '\0';
	assert_string_equal(s, want);
	free(s);
	free(want);
	close(fd);
}
