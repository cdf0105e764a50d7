/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "jsonparse.h"
#include "text.h"
#include "utf8.h"

/*
 * Whatever json_parse() takes must print to UTF-8 JSON that parses to the same text again, and that json-c's own
 * strict tokener takes as well.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
use_getters(struct json_object *o)
{
	struct json_object *v;
	struct pubkey k;
	struct wtime t;
	const char *s;
	size_t n;
	int64_t i;
	double d;
	int b;

	json_get_str(o, "a", &s, &n);
	json_get_i64(o, "a", &i);
	json_get_f64(o, "a", &d);
	json_get_bool(o, "a", &b);
	json_get_time(o, "a", &t);
	json_get_key(o, "a", KEY_NODE, &k);
	json_get_obj(o, "a", &v);
	json_get_arr(o, "a", &v);
}

/* json-c refuses integers it cannot hold; everything else that we print it must take. */
static int
json_c_takes(const char *s, size_t n)
{
	struct json_tokener *tok = json_tokener_new_ex(64);
	struct json_object *o;
	size_t i, run = 0;
	int ok;

	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(tok, s, (int)n);
	ok = json_tokener_get_error(tok) == json_tokener_success && json_tokener_get_parse_end(tok) == n;
	json_object_put(o);
	json_tokener_free(tok);
	for (i = 0; i < n && !ok; i++)
		if ((run = s[i] >= '0' && s[i] <= '9' ? run + 1 : 0) >= 19)
			ok = 1;
	return ok;
}

static void
round_trip(struct json_object *o)
{
	struct buf one, two;
	struct json_object *again;
	char err[200];

	buf_init(&one, 1 << 24);
	buf_init(&two, 1 << 24);
	if (json_print(&one, o) == -1 || !utf8_valid((char *)buf_ptr(&one), buf_len(&one)))
		abort();
	again = json_parse((char *)buf_ptr(&one), buf_len(&one), NULL, err, sizeof(err));
	if (err[0] != '\0' || json_print(&two, again) == -1)
		abort();
	if (buf_len(&one) != buf_len(&two) || memcmp(buf_ptr(&one), buf_ptr(&two), buf_len(&one)) != 0)
		abort();
	/* A bare number is never over for a tokener that waits for more. */
	if ((json_object_is_type(o, json_type_object) || json_object_is_type(o, json_type_array)) &&
	    !json_c_takes((char *)buf_ptr(&one), buf_len(&one)))
		abort();
	json_object_put(again);
	buf_free(&one);
	buf_free(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct json_limits small = { 4096, 6, 200, 300 };
	struct json_object *o;
	char err[200];

	o = json_parse((const char *)data, size, NULL, err, sizeof(err));
	if ((o != NULL && err[0] != '\0') || strlen(err) >= sizeof(err))
		abort();
	if (o != NULL) {
		use_getters(o);
		round_trip(o);
	}
	json_object_put(o);
	json_object_put(json_parse((const char *)data, size, &small, err, sizeof(err)));
	return 0;
}
