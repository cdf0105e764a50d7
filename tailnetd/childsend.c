/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <fcntl.h>
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
	int fd;

	if (c->p->cfg.ca_file[0] != '\0')
		path = c->p->cfg.ca_file;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 && !c->p->no_ca)
		log_error("CA certificates %s", path); /* once: they are asked for at each try */
	c->p->no_ca = fd == -1;
	if (fd == -1)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the child says that there are none */
	return fd == -1 ? -1 : ipc_send(c->ipc, IPC_CA, IPC_ID_NONE, &none, sizeof(none), fd);
}

/* --- later --- */

static void
send_hostinfo(struct child *c)
{
	const struct buf *b = hostreport_hostinfo(c->p->report);

	if (child_listens(c) && buf_len(b) > 0)
		ipc_send_chunks(c->ipc, IPC_HOSTINFO, IPC_ID_NONE, (const char *)buf_ptr(b), buf_len(b));
}

static void
send_params(struct child *c)
{
	struct ipc_map_params m = *hostreport_params(c->p->report);

	if (c->role == IPC_MAPD && child_listens(c))
		ipc_send(c->ipc, IPC_MAP_PARAMS, IPC_ID_NONE, &m, sizeof(m), -1);
}

static void
send_dial_times(struct child *c)
{
	struct ipc_dial_times m;

	if (!child_listens(c))
		return;
	dialler_times(c->p->dialler, &m);
	ipc_send(c->ipc, IPC_DIAL_TIMES, IPC_ID_NONE, &m, sizeof(m), -1);
}

void
childsend_report(struct child *c)
{
	send_hostinfo(c);
	send_params(c);
	send_dial_times(c);
}

void
childsend_hostinfo(struct supervisor *s)
{
	send_hostinfo(&s->authd);
	send_hostinfo(&s->mapd);
}

void
childsend_params(struct supervisor *s)
{
	send_params(&s->mapd);
}

void
childsend_dial_times(struct supervisor *s)
{
	send_dial_times(&s->authd);
	send_dial_times(&s->mapd);
}

void
childsend_log_level(struct supervisor *s, enum log_level level)
{
	struct child *all[] = { &s->authd, &s->mapd };
	struct ipc_log_level m = { (uint32_t)level };
	size_t i;

	for (i = 0; i < 2; i++)
		if (child_listens(all[i]))
			ipc_send(all[i]->ipc, IPC_LOG_LEVEL, IPC_ID_NONE, &m, sizeof(m), -1);
}
