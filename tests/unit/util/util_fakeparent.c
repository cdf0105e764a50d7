/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "child.h"
#include "childfd.h"
#include "exits.h"
#include "ipc.h"
#include "log.h"
#include "timefmt.h"
#include "unit.h"
#include "util_fakeparent.h"
#include "util_fakeserver.h"

static const uint8_t fp_tx[32] = { 1, 2, 3 }, fp_rx[32] = { 4, 5, 6 };

int
fp_connect(struct fakeparent *fp)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
	assert_true(fp->nservers < FP_SERVERS);
	fp->servers[fp->nservers++] = fs_new(fp->base, sv[0], fp_rx, fp_tx, fp->plain);
	return sv[1];
}

void
fp_send(struct fakeparent *fp, enum ipc_type type, uint32_t id, const void *payload, size_t len, int fd)
{
	static uint8_t copy[IPC_MAX_MSG]; /* secrets are wiped */

	assert_in_range(len, 0, sizeof(copy));
	memcpy(copy, payload, len);
	ipc_send(fp->ipc, type, id, copy, len, fd);
}

void
fp_send_empty(struct fakeparent *fp, enum ipc_type type, uint32_t id)
{
	struct ipc_empty none = { 0 };

	fp_send(fp, type, id, &none, sizeof(none), -1);
}

void
fp_dialled(struct fakeparent *fp, uint32_t id, int fd, const char *text)
{
	struct ipc_dialled m;

	memset(&m, 0, sizeof(m));
	m.ok = fd != -1;
	IPC_SET(&m, text, text, strlen(text));
	fp_send(fp, IPC_DIALLED, id, &m, sizeof(m), fd);
}

void
fp_hs_init(struct fakeparent *fp, uint32_t id)
{
	struct ipc_hs_init m;

	memset(&m, 7, sizeof(m));
	fp_send(fp, IPC_HS_INIT, id, &m, sizeof(m), -1);
}

void
fp_hs_keys(struct fakeparent *fp, uint32_t id)
{
	struct ipc_hs_keys m;

	memset(&m, 0, sizeof(m));
	memcpy(m.tx, fp_tx, sizeof(m.tx));
	memcpy(m.rx, fp_rx, sizeof(m.rx));
	fp_send(fp, IPC_HS_KEYS, id, &m, sizeof(m), -1);
}

static void
fp_autopilot(struct fakeparent *fp, const struct ipc_msg *m)
{
	const struct ipc_dial *d = m->payload;

	if (m->type == IPC_DIAL && d->candidate != 0 && fp->refuse_candidates) {
		fp->candidates_refused++;
		fp_dialled(fp, m->id, -1, "refused");
	} else if (m->type == IPC_DIAL)
		fp_dialled(fp, m->id, fp_connect(fp), "connected");
	else if (m->type == IPC_HS_BEGIN)
		fp_hs_init(fp, m->id);
	else if (m->type == IPC_HS_FINISH)
		fp_hs_keys(fp, m->id);
}

static int
fp_on_message(void *arg, const struct ipc_msg *m)
{
	struct fakeparent *fp = arg;
	struct fp_msg *copy = calloc(1, sizeof(*copy));

	assert_non_null(copy);
	assert_true(fp->nmsgs < FP_MESSAGES);
	copy->type = m->type;
	copy->id = m->id;
	copy->len = m->len;
	memcpy(copy->u.bytes, m->payload, m->len);
	fp->msgs[fp->nmsgs++] = copy;
	if (!fp->manual)
		fp_autopilot(fp, m);
	return 0;
}

static void
fp_on_closed(void *arg, int violation, const char *why)
{
	struct fakeparent *fp = arg;

	fp->closed = 1;
	fp->violation = violation;
	snprintf(fp->why, sizeof(fp->why), "%s", why);
}

void
fp_run_for(struct fakeparent *fp, unsigned ms)
{
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	event_base_loopexit(fp->base, &tv);
	event_base_dispatch(fp->base);
}

struct fp_msg *
fp_try(struct fakeparent *fp, enum ipc_type type, unsigned ms)
{
	uint64_t until = time_mono_ms() + ms;
	unsigned i;

	for (;;) {
		for (i = 0; i < fp->nmsgs; i++) {
			if (fp->msgs[i]->type == type && !fp->msgs[i]->taken) {
				fp->msgs[i]->taken = 1;
				return fp->msgs[i];
			}
		}
		if (time_mono_ms() >= until || fp->closed)
			return NULL;
		fp_run_for(fp, 5);
	}
}

struct fp_msg *
fp_wait(struct fakeparent *fp, enum ipc_type type)
{
	struct fp_msg *m = fp_try(fp, type, FP_WAIT_MS);

	if (m == NULL)
		fail_msg("no %s came (%s)", ipc_type_name(type), fp->closed ? fp->why : "still waiting");
	return m;
}

int
fp_logged(struct fakeparent *fp, const char *text)
{
	struct fp_msg *m;
	char line[600];

	while ((m = fp_try(fp, IPC_LOG, 2000)) != NULL) {
		snprintf(line, sizeof(line), "%.*s", (int)m->u.log.data_len, m->u.log.data);
		if (strstr(line, text) != NULL)
			return 1;
	}
	return 0;
}

void
fp_start(struct fakeparent *fp, const struct child_role *role)
{
	struct ipc_handlers h;
	unsigned t;
	int sv[2];

	memset(fp, 0, sizeof(*fp));
	memset(&h, 0, sizeof(h));
	for (t = 1; t < IPC_NTYPES; t++)
		h.on[t] = fp_on_message;
	h.closed = fp_on_closed;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	fflush(NULL);
	assert_true((fp->pid = fork()) != -1);
	if (fp->pid == 0) {
		dup2(sv[1], CHILD_FD);
		for (t = CHILD_FD + 1; t < 1024; t++)
			close((int)t);
		_exit(child_run(role));
	}
	close(sv[1]);
	assert_non_null(fp->base = event_base_new());
	fp->ipc = ipc_new(fp->base, sv[0], IPC_PARENT_SIDE, role->role, 7, &h, fp);
	assert_non_null(fp->ipc);
}

void
fp_fill_hello(struct ipc_hello *m, const struct child_role *role)
{
	memset(m, 0, sizeof(*m));
	memcpy(m->build, build_id, BUILD_ID_LEN);
	m->role = (uint32_t)role->role;
	m->log_level = LOG_L_DEBUG;
}

void
fp_fill_config(struct ipc_config *m, int https)
{
	memset(m, 0, sizeof(*m));
	IPC_SET(m, host, "control.example", 15);
	IPC_SET(m, authority, "control.example:8080", 20);
	m->https = (uint32_t)https;
	m->url_port = 8080;
	m->clear_port = 8080;
	m->capver = 131;
	m->watchdog_ms = 120000;
	m->max_map_wire = 64u << 20;
	m->max_map_decoded = 512u << 20;
}

void
fp_send_hostinfo(struct fakeparent *fp, const char *text)
{
	ipc_send_chunks(fp->ipc, IPC_HOSTINFO, IPC_ID_NONE, text, strlen(text));
}

void
fp_send_config(struct fakeparent *fp, uint32_t watchdog_ms)
{
	struct ipc_config m;

	fp_fill_config(&m, 0);
	m.watchdog_ms = watchdog_ms;
	fp_send(fp, IPC_CONFIG, IPC_ID_NONE, &m, sizeof(m), -1);
}

void
fp_start_ready(struct fakeparent *fp, const struct child_role *role)
{
	struct ipc_hello hello;

	fp_start(fp, role);
	fp_fill_hello(&hello, role);
	fp_send(fp, IPC_HELLO, IPC_ID_NONE, &hello, sizeof(hello), -1);
	fp_send_config(fp, 120000);
	assert_memory_equal(fp_wait(fp, IPC_READY)->u.ready.build, build_id, BUILD_ID_LEN);
	ipc_set_state(fp->ipc, IPC_S_IDLE);
	fp_send_hostinfo(fp, FP_HOSTINFO);
}

int
fp_reap(struct fakeparent *fp)
{
	int status = 0, i;

	for (i = 0; i < 1000; i++) {
		if (waitpid(fp->pid, &status, WNOHANG) == fp->pid) {
			fp->pid = -1;
			return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
		}
		fp_run_for(fp, 10);
	}
	return 1000;
}

void
fp_free(struct fakeparent *fp)
{
	unsigned i;

	if (fp->pid > 0) {
		kill(fp->pid, SIGKILL);
		waitpid(fp->pid, NULL, 0);
	}
	ipc_free(fp->ipc);
	for (i = 0; i < fp->nservers; i++)
		fs_free(fp->servers[i]);
	for (i = 0; i < fp->nmsgs; i++)
		free(fp->msgs[i]);
	event_base_free(fp->base);
}

void
fp_stop(struct fakeparent *fp)
{
	fp_send_empty(fp, IPC_STOP, IPC_ID_NONE);
	assert_int_equal(fp_reap(fp), EXIT_OK);
	fp_free(fp);
}

struct fakeserver *
fp_server(struct fakeparent *fp, unsigned n)
{
	unsigned i;

	for (i = 0; i < FP_WAIT_MS / 5 && fp->nservers <= n; i++)
		fp_run_for(fp, 5);
	assert_true(fp->nservers > n);
	return fp->servers[n];
}

struct fs_stream *
fp_request(struct fakeparent *fp, struct fakeserver *fs, unsigned n)
{
	unsigned i;

	for (i = 0; i < FP_WAIT_MS / 5 && (fs->nstreams <= n || !fs->streams[n].ended); i++)
		fp_run_for(fp, 5);
	if (fs->nstreams <= n || !fs->streams[n].ended)
		fail_msg("request %u was not received", n);
	return &fs->streams[n];
}
