/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "mem.h"
#include "text.h"

static char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static int
same_name(const char *a, const char *b)
{
	while (ascii_lower(*a) == ascii_lower(*b)) {
		if (*a == '\0')
			return 1;
		a++;
		b++;
	}
	return 0;
}

struct json_object *
json_get(struct json_object *o, const char *name, int *present)
{
	struct json_object *v = NULL;
	int found = 0;

	if (json_object_is_type(o, json_type_object)) {
		found = json_object_object_get_ex(o, name, &v);
		if (!found) {
			json_object_object_foreach(o, key, val) {
				if (same_name(key, name)) {
					v = val;
					found = 1;
				}
			}
		}
	}
	if (present != NULL)
		*present = found;
	return v;
}

/* 1: a value of that type; 0: absent or null; -1: another type. */
static int
get_typed(struct json_object *o, const char *name, enum json_type type, struct json_object **v)
{
	if ((*v = json_get(o, name, NULL)) == NULL)
		return 0;
	if (json_object_is_type(*v, type))
		return 1;
	*v = NULL; /* json-c asserts on the type: a caller that does not check the result finds NULL */
	return -1;
}

int
json_get_str(struct json_object *o, const char *name, const char **s, size_t *n)
{
	struct json_object *v;
	int r;

	if ((r = get_typed(o, name, json_type_string, &v)) != 1)
		return r;
	*s = json_object_get_string(v);
	*n = (size_t)json_object_get_string_len(v);
	return 1;
}

int
json_get_i64(struct json_object *o, const char *name, int64_t *out)
{
	struct json_object *v;
	int64_t i;

	if ((v = json_get(o, name, NULL)) == NULL)
		return 0;
	if (json_object_is_type(v, json_type_double) && strcmp(json_object_get_string(v), "-0") == 0) {
		*out = 0;
		return 1;
	}
	if (!json_object_is_type(v, json_type_int))
		return -1;
	i = json_object_get_int64(v);
	if (i == INT64_MAX && json_object_get_uint64(v) > (uint64_t)INT64_MAX)
		return -1;
	*out = i;
	return 1;
}

int
json_get_bool(struct json_object *o, const char *name, int *out)
{
	struct json_object *v;
	int r;

	if ((r = get_typed(o, name, json_type_boolean, &v)) == 1)
		*out = json_object_get_boolean(v);
	return r;
}

int
json_get_f64(struct json_object *o, const char *name, double *out)
{
	struct json_object *v;
	double d;

	if ((v = json_get(o, name, NULL)) == NULL)
		return 0;
	if (!json_object_is_type(v, json_type_double) && !json_object_is_type(v, json_type_int))
		return -1;
	d = json_object_get_double(v);
	if (!isfinite(d))
		return -1;
	*out = d;
	return 1;
}

int
json_get_time(struct json_object *o, const char *name, struct wtime *t)
{
	const char *s;
	size_t n;
	int r;

	if ((r = json_get_str(o, name, &s, &n)) != 1)
		return r;
	return time_parse(s, n, t) == 0 ? 1 : -1;
}

int
json_get_key(struct json_object *o, const char *name, enum key_kind kind, struct pubkey *k)
{
	const char *s;
	size_t n;
	int r;

	if ((r = json_get_str(o, name, &s, &n)) != 1)
		return r;
	return key_parse(kind, s, n, k) == 0 ? 1 : -1;
}

int
json_get_obj(struct json_object *o, const char *name, struct json_object **out)
{
	return get_typed(o, name, json_type_object, out);
}

int
json_get_arr(struct json_object *o, const char *name, struct json_object **out)
{
	return get_typed(o, name, json_type_array, out);
}

static void print_value(struct buf *b, struct json_object *o);

static void
print_object(struct buf *b, struct json_object *o)
{
	int n = 0;

	buf_putc(b, '{');
	json_object_object_foreach(o, key, val) {
		if (n++ > 0)
			buf_putc(b, ',');
		json_quote(b, key, strlen(key));
		buf_putc(b, ':');
		print_value(b, val);
	}
	buf_putc(b, '}');
}

static void
print_array(struct buf *b, struct json_object *o)
{
	size_t i, n = json_object_array_length(o);

	buf_putc(b, '[');
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(b, ',');
		print_value(b, json_object_array_get_idx(o, i));
	}
	buf_putc(b, ']');
}

/* json-c makes the text in memory of its own. */
static void
print_number(struct buf *b, struct json_object *o)
{
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);

	if (text != NULL)
		buf_puts(b, text);
	else {
		(void)mem_failed();
		b->failed = 1;
	}
}

/* As deep as the object: bounded by the limits it was parsed with. */
static void
print_value(struct buf *b, struct json_object *o)
{
	switch (json_object_get_type(o)) {
	case json_type_object: print_object(b, o); break;
	case json_type_array: print_array(b, o); break;
	case json_type_string: json_quote(b, json_object_get_string(o), (size_t)json_object_get_string_len(o)); break;
	case json_type_boolean: buf_puts(b, json_object_get_boolean(o) ? "true" : "false"); break;
	case json_type_null: buf_puts(b, "null"); break;
	case json_type_int:
	case json_type_double: print_number(b, o); break;
	}
}

int
json_print(struct buf *b, struct json_object *o)
{
	print_value(b, o);
	return b->failed ? -1 : 0;
}
