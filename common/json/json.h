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
 * Bounded JSON reading into json-c objects (security.md D15: depth 32, value count, string length).  json-c's own tokener is not used:
 * it cuts member names at an escaped NUL and saturates integers of more than 20 digits.  json_parse() is strict (RFC 8259), counts as it goes,
 * so that memory is bounded by the limits, and keeps the digits of every number.  Bad UTF-8 and lone surrogates in strings become U+FFFD, as
 * in Go; escaped NUL bytes stay, but not in member names, which are C strings.  Of duplicate members the last wins.  Field
 * lookup is exact first, then ASCII-case-insensitive (protocol.md A.3).
 */
struct json_limits { size_t max_bytes; unsigned max_depth; size_t max_values; size_t max_string; };
extern const struct json_limits json_limits_default;	/* 1 MiB, 32, 65536, 1 MiB */

/*
 * Whole text n bytes (no NUL needed; s may be NULL with n 0).  New reference, or NULL with a one-line reason in err.  The text
 * `null` is a success without an object: NULL with an empty err.  lim NULL: the default limits.  errno after a failure: ENOMEM, or
 * EINVAL when the text is at fault.
 */
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

/* Canonical-enough text of a value (NULL: null): no spaces, slashes not escaped, always UTF-8.  0, or -1 when b is full. */
int	 json_print(struct buf *b, struct json_object *o);

#endif
