/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef STATUS_H
#define STATUS_H

/* The status object (interface.md 4), status events (6) and `processes` (3). */
struct buf;
struct control;
struct control_ops;
struct status;

struct status *status_new(struct control *c);	/* NULL: out of memory */
void	 status_free(struct status *s);		/* NULL is fine */

enum status_part { STATUS_WHOLE, STATUS_STABLE };	/* STABLE: without what changes all the time (interface.md 6) */
/* 0, or -1: out is full */
int	 status_json(const struct control_ops *o, enum status_part part, struct buf *out);
/*
 * Emit a status event if it did change: at once when state, login, sync, URL or error did, else when everything that
 * was received in this turn of the loop is handled, so that one cause is one event.  NULL is fine: there are no
 * clients.
 */
void	 status_changed(struct control *c);
void	 status_now(struct control *c);
void	 status_login_finished(struct control *c);	/* the next status event says so */
int	 status_waits(const struct control *c);	/* 1: a change was not sent yet (tests) */
/* Of the event that a watcher begins with; 0, or -1: out is full */
int	 status_first_body(struct control *c, struct buf *out);
int	 processes_json(const struct control_ops *o, struct buf *out);

/* One line for the service manager: state, error and health, the worst first.  Returns out. */
#define STATUS_LINE_MAX	600
const char *status_line(const struct control_ops *o, char *out, size_t size);

#endif
