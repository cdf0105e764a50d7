/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "hex.h"
#include "json.h"
#include "jsonparse.h"
#include "serverkey.h"

#define KEY_BODY_MAX  65536
#define LEGACY_DIGITS 64

/* Before JSON there were 64 hex digits: a key, but not one for Noise. */
static int
is_legacy(const uint8_t *body, size_t n)
{
	uint8_t key[LEGACY_DIGITS / 2];

	return n == LEGACY_DIGITS && hex_decode((const char *)body, n, key) == 0;
}

int
serverkey_parse(const uint8_t *body, size_t n, struct pubkey *key)
{
	struct json_object *o;
	char why[80];
	int rc;

	if (n > KEY_BODY_MAX)
		return -1;
	if (is_legacy(body, n))
		return 1;
	if ((o = json_parse((const char *)body, n, NULL, why, sizeof(why))) == NULL)
		return -1;
	rc = json_object_is_type(o, json_type_object) ? json_get_key(o, "publicKey", KEY_MACHINE, key) : -1;
	json_object_put(o);
	if (rc == -1)
		return -1;
	return rc == 0 || key_is_zero(key) ? 1 : 0;
}
