/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "childsend.h"
#include "configrecord.h"
#include "hostreport.h"
#include "log.h"
#include "parent.h"

/* --- at the start --- */

void
childsend_hello(struct child *c)
{
	const struct parent *p = c->p;
	struct ipc_hello m;

	memset(&m, 0, sizeof(m));
	memcpy(m.build, build_id, BUILD_ID_LEN);
	m.role = (uint32_t)c->role;
	m.log_level = (uint32_t)log_get_level();
	m.sandbox_required = !p->cfg.best_effort;
	m.drop_ids = (uint32_t)p->root;
	m.uid = c->role == IPC_AUTHD ? p->ids.auth_uid : p->ids.map_uid;
	m.gid = c->role == IPC_AUTHD ? p->ids.auth_gid : p->ids.map_gid;
	if (p->root)
		IPC_SET(&m, chroot_dir, p->cfg.chroot_dir, strlen(p->cfg.chroot_dir));
	ipc_send(c->ipc, IPC_HELLO, IPC_ID_NONE, &m, sizeof(m), -1);
}

void
childsend_config(struct child *c)
{
	struct ipc_config m;

	config_record(&c->p->cfg, &m);
	m.report_steps = (uint32_t)c->kind->report_steps;
	ipc_send(c->ipc, IPC_CONFIG, IPC_ID_NONE, &m, sizeof(m), -1);
}

int
childsend_ca(struct child *c)
{
#ifdef __OpenBSD__
	const char *path = "/etc/ssl/cert.pem";
#else
	const char *path = "/etc/ssl/certs/ca-certificates.crt";
#endif
	struct ipc_empty none = { 0 };
	char text[300];
	int fd;

	if (c->p->cfg.ca_file[0] != '\0')
		path = c->p->cfg.ca_file;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1) {
		snprintf(text, sizeof(text), "CA certificates %.200s: %s", path, strerror(errno));
		if (!c->p->no_ca)
			log_errorx("%s", text); /* once: they are asked for at each try */
		(void)health_raise(&c->p->health, HEALTH_CA_UNUSABLE, text);
	} else
		(void)health_clear(&c->p->health, HEALTH_CA_UNUSABLE);
	c->p->no_ca = fd == -1;
	if (fd == -1)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the child says that there are none */
	return fd == -1 ? -1 : ipc_send(c->ipc, IPC_CA, IPC_ID_NONE, &none, sizeof(none), fd);
}

/* --- later --- */

enum { PUSH_CONFIG = 1, PUSH_LEVEL = 2, PUSH_HOSTINFO = 4, PUSH_PARAMS = 8, PUSH_TIMES = 16 };

static void
send_level(struct child *c)
{
	struct ipc_log_level m = { (uint32_t)log_get_level() };

	ipc_send(c->ipc, IPC_LOG_LEVEL, IPC_ID_NONE, &m, sizeof(m), -1);
}

static void
send_hostinfo(struct child *c)
{
	const struct buf *b = hostreport_hostinfo(c->p->report);

	if (buf_len(b) > 0)
		ipc_send_chunks(c->ipc, IPC_HOSTINFO, IPC_ID_NONE, (const char *)buf_ptr(b), buf_len(b));
}

static void
send_params(struct child *c)
{
	struct ipc_map_params m = *hostreport_params(c->p->report);

	if (c->role == IPC_MAPD)
		ipc_send(c->ipc, IPC_MAP_PARAMS, IPC_ID_NONE, &m, sizeof(m), -1);
}

static void
send_dial_times(struct child *c)
{
	struct ipc_dial_times m;

	dialler_times(c->p->dialler, &m);
	ipc_send(c->ipc, IPC_DIAL_TIMES, IPC_ID_NONE, &m, sizeof(m), -1);
}

/* In this order: MAP_PARAMS has the number of the Hostinfo before it. */
static const struct {
	unsigned bit;
	void (*send)(struct child *c);
} pushes[] = {
	{ PUSH_CONFIG, childsend_config },
	{ PUSH_LEVEL, send_level },
	{ PUSH_HOSTINFO, send_hostinfo },
	{ PUSH_PARAMS, send_params },
	{ PUSH_TIMES, send_dial_times },
};

void
childsend_due(struct child *c)
{
	size_t i;

	for (i = 0; i < sizeof(pushes) / sizeof(pushes[0]); i++) {
		if ((c->due & pushes[i].bit) == 0)
			continue;
		if (ipc_full(c->ipc))
			return;
		c->due &= ~pushes[i].bit;
		pushes[i].send(c);
	}
}

static void
push(struct child *c, unsigned bits)
{
	if (!child_listens(c))
		return;
	c->due |= bits;
	childsend_due(c);
}

void
childsend_report(struct child *c)
{
	c->due = 0;
	push(c, PUSH_HOSTINFO | PUSH_PARAMS | PUSH_TIMES);
}

void
childsend_hostinfo(struct supervisor *s)
{
	push(&s->authd, PUSH_HOSTINFO);
	push(&s->mapd, PUSH_HOSTINFO);
}

void
childsend_params(struct supervisor *s)
{
	push(&s->mapd, PUSH_PARAMS);
}

void
childsend_dial_times(struct supervisor *s)
{
	push(&s->authd, PUSH_TIMES);
	push(&s->mapd, PUSH_TIMES);
}

void
childsend_log_level(struct supervisor *s)
{
	push(&s->authd, PUSH_LEVEL);
	push(&s->mapd, PUSH_LEVEL);
}

void
childsend_new_config(struct supervisor *s)
{
	struct child *all[] = { &s->authd, &s->mapd };
	size_t i;

	for (i = 0; i < 2; i++)
		if (child_listens(all[i]))
			push(all[i], PUSH_CONFIG);
		else if (all[i]->phase == CHILD_STARTING && all[i]->ipc != NULL)
			childsend_config(all[i]); /* one that is not READY yet has the old one */
}
