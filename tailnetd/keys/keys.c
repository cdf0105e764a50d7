/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "keyring.h"
#include "secret.h"

#define WGCONF_NAME "PrivateKey = "

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

int
keyring_generate(struct keyring *k, enum key_slot s)
{
	struct privates *p = secret_open(k->area);
	int rv;

	randombytes_buf(p->b[s], KEY_LEN);
	p->b[s][0] &= 248; /* protocol.md A.2: clamped at creation */
	p->b[s][31] = (uint8_t)((p->b[s][31] & 127) | 64);
	rv = keyring_fill(k, s, p);
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
	memcpy(p->text, WGCONF_NAME, PRIVATES_NAME_LEN);
	sodium_bin2base64(p->text + PRIVATES_NAME_LEN, PRIVATES_B64_LEN + 1, p->b[SLOT_NODE], KEY_LEN,
	    sodium_base64_VARIANT_ORIGINAL);
	p->text[sizeof(p->text) - 1] = '\n'; /* in place of the terminator */
	n = write(fd, p->text, sizeof(p->text));
	sodium_memzero(p->text, sizeof(p->text));
	secret_close(k->area);
	return n == (ssize_t)sizeof(p->text) ? 0 : -1;
}
