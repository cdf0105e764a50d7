/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef JSONPARSE_H
#define JSONPARSE_H

#include <stddef.h>
#include <json-c/json.h>

/*
 * Bounded JSON reading into json-c objects (security.md D15: depth 32, value count, string length).  json-c's own
 * tokener is not used: it cuts member names at an escaped NUL and saturates integers of more than 20 digits.
 * json_parse() is strict (RFC 8259), counts while it parses, so that memory is bounded by the limits, and keeps the
 * digits of every number.  Bad UTF-8 and lone surrogates in strings become U+FFFD, as in Go; escaped NUL bytes stay,
 * but not in member names, which are C strings.  Of duplicate members the last wins.
 */
struct json_limits { size_t max_bytes; unsigned max_depth; size_t max_values; size_t max_string; };
extern const struct json_limits json_limits_default;	/* 1 MiB, 32, 65536, 1 MiB */

/*
 * Parse the whole text of n bytes (no NUL needed; s may be NULL with n 0).  New reference, or NULL with a one-line
 * reason in err.  The text `null` is a success without an object: NULL with an empty err.  lim NULL: the default
 * limits.  errno after a failure: ENOMEM, or EINVAL for a bad text.
 */
struct json_object *json_parse(const char *s, size_t n, const struct json_limits *lim, char *err, size_t errsize);

#endif
