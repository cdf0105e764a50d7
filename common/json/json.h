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

/*
 * Bounded JSON reading over json-c (security.md D15: depth 32, value count, string length).  Numbers keep their digits:
 * json_parse() walks the text once before json-c sees it and refuses what exceeds the limits, so that memory is bounded by
 * the text's size.  Field lookup is exact first, then ASCII-case-insensitive (protocol.md A.3).
 */
struct json_limits { size_t max_bytes; unsigned max_depth; size_t max_values; size_t max_string; };
extern const struct json_limits json_limits_default;	/* 1 MiB, 32, 65536, 1 MiB */

/* Whole text n bytes (no NUL needed).  New reference, or NULL with a one-line reason in err. */
struct json_object *json_parse(const char *s, size_t n, const struct json_limits *lim, char *err, size_t errsize);

/* Member lookup; NULL when absent.  JSON null is returned as NULL too; *present (may be NULL) tells them apart. */
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

/* Canonical-enough text of a value: no spaces, slashes not escaped. */
int	 json_print(struct buf *b, struct json_object *o);

#endif
