/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef JSON_H
#define JSON_H

#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>

#include "buf.h"
#include "keytext.h"
#include "timefmt.h"

/* Members and text of the json-c objects that json_parse() makes (jsonparse.h).  Field lookup is exact first, then
 * ASCII-case-insensitive (protocol.md A.3). */

/*
 * Member lookup; NULL when absent.  JSON null is returned as NULL too; *present (may be NULL) is 1 for null, 0 for
 * absent.
 */
struct json_object *json_get(struct json_object *o, const char *name, int *present);

/*
 * Typed members: 1 = present and of the right type, 0 = absent or null, -1 = wrong type or range.
 * Strings are returned with their length and may hold NUL bytes; they live as long as o.
 */
int	 json_get_str(struct json_object *o, const char *name, const char **s, size_t *n);
int	 json_get_i64(struct json_object *o, const char *name, int64_t *v);
int	 json_get_bool(struct json_object *o, const char *name, int *v);
int	 json_get_f64(struct json_object *o, const char *name, double *v);
int	 json_get_time(struct json_object *o, const char *name, struct wtime *t);
int	 json_get_key(struct json_object *o, const char *name, enum key_kind kind, struct pubkey *k);
int	 json_get_obj(struct json_object *o, const char *name, struct json_object **out);
int	 json_get_arr(struct json_object *o, const char *name, struct json_object **out);

/* Text of a value (NULL: null): no spaces, slashes not escaped, always UTF-8.  0, or -1 when b is full. */
int	 json_print(struct buf *b, struct json_object *o);

#endif
