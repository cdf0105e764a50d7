/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "login_act.h"

struct login_action *
login_act(struct login *c, enum login_act type, uint32_t id)
{
	struct login_action *a;

	if (c->out->n == LOGIN_MAX_ACTIONS)
		abort(); /* more than any event causes */
	a = &c->out->a[c->out->n++];
	memset(a, 0, sizeof(*a));
	a->type = type;
	a->id = id;
	return a;
}

uint32_t
login_new_id(struct login *c)
{
	if (++c->last_id == IPC_ID_NONE)
		++c->last_id;
	return c->last_id;
}

void
login_arm(struct login *c, enum login_timer which, unsigned ms)
{
	struct login_action *a = login_act(c, LA_TIMER, IPC_ID_NONE);

	a->u.timer.which = which;
	a->u.timer.ms = ms;
}

void
login_disarm(struct login *c, enum login_timer which)
{
	login_act(c, LA_TIMER_OFF, IPC_ID_NONE)->u.timer.which = which;
}

unsigned
login_delay(struct login *c, struct backoff *b)
{
	return backoff_next(b, c->rnd(c->rnd_arg));
}

void
login_set_err(struct login *c, enum login_src s, enum cause cause, const char *text)
{
	if (text == NULL || text[0] == '\0')
		text = "unknown error";
	if (strcmp(c->err[s], text) != 0)
		c->err_seq[s] = ++c->last_err_seq;
	strlcpy(c->err[s], text, sizeof(c->err[s]));
	c->cause[s] = cause;
	c->advice[s] = cause_advice(cause);
}

void
login_advise(struct login *c, enum login_src s, const char *advice)
{
	c->advice[s] = advice;
}

void
login_clear_err(struct login *c, enum login_src s)
{
	c->err[s][0] = '\0';
}

uint32_t
login_save(struct login *c, enum login_save how)
{
	struct login_action *a = login_act(c, LA_SAVE, login_new_id(c));

	c->self_unsaved = 0; /* every save includes it */
	a->u.save = how;
	return a->id;
}
