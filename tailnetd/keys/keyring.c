/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "hex.h"
#include "keyring.h"
#include "secret.h"

#define PRIVKEY_PREFIX     "privkey:"
#define PRIVKEY_PREFIX_LEN 8
#define STACK_RESIDUE      4096

int
keyring_fill(struct keyring *k, enum key_slot s, const struct privates *p)
{
	int rv = crypto_scalarmult_curve25519_base(k->pub[s].b, p->b[s]);

	sodium_stackzero(STACK_RESIDUE); /* what the multiplication knew of the key */
	k->has[s] = rv == 0;
	return rv;
}

int
keyring_export(const struct keyring *k, enum key_slot s, char text[PRIVKEY_TEXT_LEN])
{
	const struct privates *p;
	int i;

	if (!k->has[s]) {
		errno = ENOENT;
		return -1;
	}
	memcpy(text, PRIVKEY_PREFIX, PRIVKEY_PREFIX_LEN);
	text += PRIVKEY_PREFIX_LEN;
	p = secret_open(k->area);
	for (i = 0; i < KEY_LEN; i++) { /* straight into the caller's locked memory */
		*text++ = hex_digit(p->b[s][i] >> 4);
		*text++ = hex_digit(p->b[s][i] & 15);
	}
	secret_close(k->area);
	return 0;
}

int
keyring_import(struct keyring *k, enum key_slot s, const char *text, size_t n)
{
	struct privates *p;
	uint8_t any = 0;
	int i, rv;

	if (n != PRIVKEY_TEXT_LEN || memcmp(text, PRIVKEY_PREFIX, PRIVKEY_PREFIX_LEN) != 0)
		return -1;
	p = secret_open(k->area);
	rv = hex_decode(text + PRIVKEY_PREFIX_LEN, 2 * KEY_LEN, p->b[s]);
	for (i = 0; i < KEY_LEN; i++)
		any |= p->b[s][i];
	if (rv == 0)
		rv = any == 0 ? -1 : keyring_fill(k, s, p); /* the zero key means "none" and is never stored */
	secret_close(k->area);
	if (rv == -1)
		keyring_clear(k, s);
	return rv;
}

int
keyring_dh(const struct keyring *k, enum key_slot s, const uint8_t theirs[KEY_LEN], uint8_t out[KEY_LEN])
{
	const struct privates *p = secret_open(k->area);
	int rv;

	rv = k->has[s] ? crypto_scalarmult_curve25519(out, p->b[s], theirs) : -1; /* -1 too for an all-zero result */
	sodium_stackzero(STACK_RESIDUE);
	secret_close(k->area);
	return rv;
}
