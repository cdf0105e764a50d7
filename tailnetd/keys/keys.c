/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "keyring.h"
#include "keys.h"
#include "secret.h"

#define PRIVKEY_PREFIX     "privkey:"
#define PRIVKEY_PREFIX_LEN 8
#define WGCONF_NAME        "PrivateKey = "
#define WGCONF_NAME_LEN    13
#define B64_LEN            44
#define STACK_RESIDUE      4096

struct privates {
	uint8_t b[SLOT_COUNT][KEY_LEN];
	char text[WGCONF_NAME_LEN + B64_LEN + 1]; /* keys become text here only (security.md D11) */
};

struct keyring {
	struct secret *area; /* struct privates */
	struct pubkey pub[SLOT_COUNT];
	int has[SLOT_COUNT];
};

struct keyring *
keyring_new(void)
{
	struct keyring *k;

	if (sodium_init() == -1 || (k = calloc(1, sizeof(*k))) == NULL)
		return NULL;
	if ((k->area = secret_new(sizeof(struct privates))) == NULL) {
		free(k);
		return NULL;
	}
	return k;
}

void
keyring_free(struct keyring *k)
{
	if (k == NULL)
		return;
	secret_free(k->area);
	free(k);
}

/* Slot s has its private half in place: derive the public one. */
static int
slot_filled(struct keyring *k, enum key_slot s, const struct privates *p)
{
	int rv = crypto_scalarmult_curve25519_base(k->pub[s].b, p->b[s]);

	sodium_stackzero(STACK_RESIDUE); /* what the multiplication knew of the key */
	k->has[s] = rv == 0;
	return rv;
}

int
keyring_generate(struct keyring *k, enum key_slot s)
{
	struct privates *p = secret_open(k->area);
	int rv;

	randombytes_buf(p->b[s], KEY_LEN);
	p->b[s][0] &= 248; /* protocol.md A.2: clamped at creation */
	p->b[s][31] = (uint8_t)((p->b[s][31] & 127) | 64);
	rv = slot_filled(k, s, p);
	secret_close(k->area);
	if (rv == -1)
		keyring_clear(k, s);
	return rv;
}

void
keyring_clear(struct keyring *k, enum key_slot s)
{
	struct privates *p = secret_open(k->area);

	sodium_memzero(p->b[s], KEY_LEN);
	secret_close(k->area);
	memset(&k->pub[s], 0, sizeof(k->pub[s]));
	k->has[s] = 0;
}

void
keyring_copy(struct keyring *k, enum key_slot to, enum key_slot from)
{
	struct privates *p = secret_open(k->area);

	memcpy(p->b[to], p->b[from], KEY_LEN);
	secret_close(k->area);
	k->pub[to] = k->pub[from];
	k->has[to] = k->has[from];
}

void
keyring_move(struct keyring *to, enum key_slot ts, struct keyring *from, enum key_slot fs)
{
	struct privates *tp = secret_open(to->area), *fp = secret_open(from->area);

	memcpy(tp->b[ts], fp->b[fs], KEY_LEN);
	secret_close(to->area);
	secret_close(from->area);
	to->pub[ts] = from->pub[fs];
	to->has[ts] = from->has[fs];
	keyring_clear(from, fs);
}

int
keyring_has(const struct keyring *k, enum key_slot s)
{
	return k->has[s];
}

const struct pubkey *
keyring_public(const struct keyring *k, enum key_slot s)
{
	return &k->pub[s];
}

/* Without a table: which digit it is leaves no trace in the cache. */
static char
hex_digit(unsigned v)
{
	return (char)('0' + v + (((9 - v) >> 8) & ('a' - '0' - 10)));
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
		rv = any == 0 ? -1 : slot_filled(k, s, p); /* the zero key means "none" and is never stored */
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

int
keys_wgconf_private(const struct keyring *k, int fd)
{
	struct privates *p;
	ssize_t n;

	if (!k->has[SLOT_NODE]) {
		errno = ENOENT;
		return -1;
	}
	p = secret_open(k->area);
	memcpy(p->text, WGCONF_NAME, WGCONF_NAME_LEN);
	sodium_bin2base64(p->text + WGCONF_NAME_LEN, B64_LEN + 1, p->b[SLOT_NODE], KEY_LEN,
	    sodium_base64_VARIANT_ORIGINAL);
	p->text[sizeof(p->text) - 1] = '\n'; /* in place of the terminator */
	n = write(fd, p->text, sizeof(p->text));
	sodium_memzero(p->text, sizeof(p->text));
	secret_close(k->area);
	return n == (ssize_t)sizeof(p->text) ? 0 : -1;
}
