/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "jget.h"

const char *
jstr(struct json_object *o, const char *name)
{
	const char *s;
	size_t n;

	return json_get_str(o, name, &s, &n) == 1 ? s : "";
}

int
jbool(struct json_object *o, const char *name)
{
	int v;

	return json_get_bool(o, name, &v) == 1 && v;
}

int64_t
ji64(struct json_object *o, const char *name)
{
	int64_t v;

	return json_get_i64(o, name, &v) == 1 ? v : 0;
}

int
jnum(struct json_object *o, const char *name, double *v)
{
	return json_get_f64(o, name, v) == 1;
}

int
jtime(struct json_object *o, const char *name, int64_t *t)
{
	struct wtime w;

	if (json_get_time(o, name, &w) != 1 || time_is_none(w))
		return 0;
	*t = w.sec;
	return 1;
}

void
jlist(struct json_object *o, const char *name, const char *sep, char *out, size_t outsize)
{
	struct json_object *a, *v;
	size_t i;

	out[0] = '\0';
	if (json_get_arr(o, name, &a) != 1)
		return;
	for (i = 0; i < json_object_array_length(a); i++) {
		v = json_object_array_get_idx(a, i);
		if (!json_object_is_type(v, json_type_string))
			continue;
		if (out[0] != '\0')
			strlcat(out, sep, outsize);
		strlcat(out, json_object_get_string(v), outsize);
	}
}
