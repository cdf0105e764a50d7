/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "hex.h"
#include "statetext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char text[STATE_TEXT_MAX + 80], again[STATE_TEXT_MAX];

static void
need(int ok)
{
	if (!ok)
		abort();
}

/*
 * What was parsed must be written as something that parses to the same text: a save is never the loss of an identity.
 */
static void
round_trip(const struct state *st, const struct keyring *k)
{
	struct keyring *k2 = keyring_new();
	struct state st2;
	char err[200];
	size_t n, m;
	enum key_slot s;

	memset(&st2, 0, sizeof(st2));
	if (k2 == NULL)
		return;
	if ((n = statetext_build(st, k, text)) != 0) { /* 0: unknown lines and ours together may not fit */
		need(statetext_parse(text, n, &st2, k2, err, sizeof(err)) == STATETEXT_OK);
		for (s = SLOT_MACHINE; s <= SLOT_OLD; s++)
			need(key_equal(keyring_public(k, s), keyring_public(k2, s)));
		m = statetext_build(&st2, k2, again);
		need(m == n && memcmp(text, again, n) == 0);
		state_free(&st2);
	}
	keyring_free(k2);
}

/* The input is a file without its last line: the checksum is put behind it, or no input would get past it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keyring *k;
	struct state st;
	uint8_t sum[32];
	char hex[65], err[200];
	size_t n = size;

	if (size > STATE_TEXT_MAX || (k = keyring_new()) == NULL)
		return 0;
	memset(&st, 0, sizeof(st));
	if (size > 0)
		memcpy(text, data, size);
	if (statetext_parse(text, n, &st, k, err, sizeof(err)) == STATETEXT_OK)
		state_free(&st);
	crypto_generichash(sum, sizeof(sum), (const uint8_t *)text, n, NULL, 0);
	hex_encode(sum, sizeof(sum), hex);
	memcpy(text + n, "sum ", 4);
	memcpy(text + n + 4, hex, 64);
	text[n + 68] = '\n';
	memset(&st, 0, sizeof(st));
	if (statetext_parse(text, n + 69, &st, k, err, sizeof(err)) == STATETEXT_OK) {
		need(keyring_has(k, SLOT_MACHINE));
		round_trip(&st, k);
	} else
		need(!keyring_has(k, SLOT_MACHINE) && !keyring_has(k, SLOT_NODE) && st.extra == NULL && err[0] != '\0');
	state_free(&st);
	keyring_free(k);
	return 0;
}
