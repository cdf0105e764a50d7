/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "b64.h"
#include "hex.h"
#include "keytext.h"

static const char *
key_prefix(enum key_kind kind)
{
	switch (kind) {
	case KEY_MACHINE: return "mkey:";
	case KEY_NODE: return "nodekey:";
	case KEY_DISCO: return "discokey:";
	case KEY_NL: return "nlpub:";
	case KEY_CHALLENGE: return "chalpub:";
	}
	return "key:";
}

int
key_is_zero(const struct pubkey *k)
{
	static const struct pubkey zero;

	return key_equal(k, &zero);
}

int
key_equal(const struct pubkey *a, const struct pubkey *b)
{
	return memcmp(a->b, b->b, KEY_LEN) == 0;
}

char *
key_format(enum key_kind kind, const struct pubkey *k, char out[KEY_TEXT_MAX])
{
	const char *prefix = key_prefix(kind);
	size_t n = strlen(prefix);

	memcpy(out, prefix, n);
	hex_encode(k->b, KEY_LEN, out + n);
	return out;
}

static int
parse_with(const char *prefix, const char *s, size_t n, struct pubkey *out)
{
	struct pubkey k;
	size_t plen = strlen(prefix);

	if (n != plen + 2 * KEY_LEN || memcmp(s, prefix, plen) != 0)
		return -1;
	if (hex_decode(s + plen, 2 * KEY_LEN, k.b) == -1)
		return -1;
	*out = k;
	return 0;
}

int
key_parse(enum key_kind kind, const char *s, size_t n, struct pubkey *out)
{
	if (parse_with(key_prefix(kind), s, n, out) == 0)
		return 0;
	if (kind == KEY_NL) /* protocol.md A.2: decoders also take the other prefix */
		return parse_with("tlpub:", s, n, out);
	return -1;
}

char *
key_short(enum key_kind kind, const struct pubkey *k, char out[KEY_SHORT_MAX])
{
	const char *prefix = key_prefix(kind);
	char b64[48];

	b64_encode(k->b, KEY_LEN, b64, sizeof(b64));
	snprintf(out, KEY_SHORT_MAX, "%.*s [%.5s]", (int)strcspn(prefix, ":"), prefix, b64);
	return out;
}
