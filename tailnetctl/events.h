/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef EVENTS_H
#define EVENTS_H

#include "json.h"

struct ctl;
struct source;

/* Events of `watch`, one by one. */
struct event {			/* one event, its bulk left out */
	char			 name[32];
	struct json_object	*o;		/* members but netmap and nodes */
};
/* 1 = an event (free with event_done), 0 = closed, -1 = trouble (complaint made through ctl_lost). */
int	 event_next(struct source *s, struct event *e);
void	 event_done(struct event *e);
void	 event_print_json(struct ctl *c, const struct event *e);	/* a line, with -j only */
struct json_object *event_status(struct event *e);			/* NULL unless a status event */

#endif
