/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CONTROL_OPS_H
#define CONTROL_OPS_H

#include <sys/types.h>

#include <stddef.h>

#include "config.h"
#include "counters.h"
#include "health.h"
#include "ids.h"
#include "ipc.h"
#include "keys.h"
#include "log.h"
#include "login.h"
#include "netmap_info.h"

/*
 * What this room knows and may do of the rest of the daemon.  The parent fills it in (parent_control.c); it stays as it
 * is. Pointers are to objects of the parent, which live as long as the control socket and change in place.
 */
struct dialler;
struct event_base;
struct hostreport;

struct control_process {	/* one line of `processes` */
	const char	*name;
	pid_t		 pid;		/* 0 = does not run */
	uid_t		 uid;
	unsigned	 layers;	/* of its sandbox, as it reported */
	unsigned	 restarts;
	struct wtime	 started;
};
enum { CONTROL_TAILNETD, CONTROL_AUTHD, CONTROL_MAPD, CONTROL_PROCESSES };

struct control_ops {
	void			*arg;	/* of all functions below */
	struct event_base	*base;
	int			 root;	/* we run as root */

	/* To be used as their headers say. */
	struct dialler		*dialler;
	struct hostreport	*report;

	/* To be read. */
	const struct config	*cfg;
	const struct ids	*ids;
	const struct login	*login;
	const struct keyring	*keys;
	const struct netmap_info *netmap;
	const struct counters	*counters;
	const struct health	*health;
	int			 (*stopping)(void *arg);	/* the daemon is ending */
	void			 (*processes)(void *arg, struct control_process out[CONTROL_PROCESSES]);

	/* The login state machine and the daemon. */
	void			 (*event)(void *arg, const struct login_event *e);
	/* Keeps key for LE_LOGIN and wipes it here; NULL: wipes the one kept.  0, or -1: no locked memory. */
	int			 (*auth_key)(void *arg, char *key, size_t len);
	void			 (*shutdown)(void *arg);
	void			 (*log_level)(void *arg, enum log_level level);	/* ours and the children's */
	void			 (*state_is)(void *arg, const char *state);	/* for the service manager */

	/* Children. */
	struct ipc		*(*mapd)(void *arg);	/* mapd's channel; NULL unless it is ready */
	void			 (*doctor_want)(void *arg);	/* start the doctor's authd; doctor_ready() follows */
	void			 (*doctor_unwant)(void *arg);
	void			 (*doctor_ask)(void *arg, enum ipc_type type, uint32_t id, void *m, size_t len);
};

#endif
