/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef JGET_H
#define JGET_H

#include <stddef.h>
#include <stdint.h>

#include "json.h"

/* Members of a daemon's answer, as C strings and with defaults. */
const char *jstr(struct json_object *o, const char *name);		/* "" when absent or no string; cut at NUL */
int	 jbool(struct json_object *o, const char *name);
int64_t	 ji64(struct json_object *o, const char *name);			/* 0 when absent */
int	 jnum(struct json_object *o, const char *name, double *v);	/* 1 present */
int	 jtime(struct json_object *o, const char *name, int64_t *t);	/* 1 present and not zero */
/* Strings of an array with a separator; "" when absent. */
void	 jlist(struct json_object *o, const char *name, const char *sep, char *out, size_t outsize);

#endif
