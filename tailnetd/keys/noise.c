/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "blake2s.h"
#include "keyring.h"
#include "noise.h"
#include "secret.h"

/*
 * Noise_IK_25519_ChaChaPoly_BLAKE2s, initiator, on messages of constant size (protocol.md C.3 and C.4).
 *
 *   <- s                   MixHash(prologue), MixHash(rs)
 *   -> e, es, s, ss        101 bytes: header, e, Enc(s), Enc("")
 *   <- e, ee, se           48 bytes after the header: re, Enc("")
 *
 * Every intermediate value lives in the handshake's own locked memory and is wiped with it.
 */
#define HASH_LEN      BLAKE2S_LEN
#define BLOCK_LEN     BLAKE2S_BLOCK
#define TAG_LEN       16
#define HEADER_LEN    5
#define OFF_E         HEADER_LEN
#define OFF_S         (OFF_E + KEY_LEN)
#define OFF_TAG       (OFF_S + KEY_LEN + TAG_LEN)
#define STACK_RESIDUE 8192
#define PROTOCOL      "Noise_IK_25519_ChaChaPoly_BLAKE2s"
#define PROLOGUE_FMT  "Tailscale Control Protocol v%u"

_Static_assert(OFF_TAG + TAG_LEN == NOISE_INIT_LEN, "initiation layout");
_Static_assert(KEY_LEN + TAG_LEN == NOISE_RESP_BODY, "response layout");

struct hs {
	uint8_t e[KEY_LEN]; /* ephemeral private key */
	uint8_t ck[HASH_LEN], h[HASH_LEN], k[HASH_LEN], dh[KEY_LEN];
	uint8_t prk[HASH_LEN], pad[BLOCK_LEN], inner[HASH_LEN], in[HASH_LEN + 1];
	struct blake2s st;
};

struct noise {
	struct secret *area; /* struct hs */
};

static void
mix_hash(struct hs *s, const void *p, size_t n)
{
	blake2s_start(&s->st);
	blake2s_add(&s->st, s->h, HASH_LEN);
	blake2s_add(&s->st, p, n);
	blake2s_end(&s->st, s->h);
}

/* RFC 2104 over BLAKE2s: 64-byte block, 32-byte output.  out may be key or p. */
static void
hmac(struct hs *s, uint8_t out[HASH_LEN], const uint8_t key[HASH_LEN], const void *p, size_t n)
{
	size_t i;

	memset(s->pad, 0x36, BLOCK_LEN);
	for (i = 0; i < HASH_LEN; i++)
		s->pad[i] ^= key[i];
	blake2s_start(&s->st);
	blake2s_add(&s->st, s->pad, BLOCK_LEN);
	blake2s_add(&s->st, p, n);
	blake2s_end(&s->st, s->inner);
	for (i = 0; i < BLOCK_LEN; i++)
		s->pad[i] ^= 0x36 ^ 0x5c;
	blake2s_start(&s->st);
	blake2s_add(&s->st, s->pad, BLOCK_LEN);
	blake2s_add(&s->st, s->inner, HASH_LEN);
	blake2s_end(&s->st, out);
}

/* prk = HMAC(ck, input); first = HMAC(prk, 01); second = HMAC(prk, first || 02) */
static void
hkdf(struct hs *s, const void *input, size_t n, uint8_t first[HASH_LEN], uint8_t second[HASH_LEN])
{
	uint8_t one = 1;

	hmac(s, s->prk, s->ck, input, n);
	hmac(s, first, s->prk, &one, 1);
	memcpy(s->in, first, HASH_LEN);
	s->in[HASH_LEN] = 2;
	hmac(s, second, s->prk, s->in, sizeof(s->in));
}

static void
mix_key(struct hs *s)
{
	hkdf(s, s->dh, KEY_LEN, s->ck, s->k);
}

static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

/* c has room for n + TAG_LEN.  Each key encrypts once, so the nonce is always zero. */
static void
encrypt_and_hash(struct hs *s, uint8_t *c, const uint8_t *p, size_t n)
{
	crypto_aead_chacha20poly1305_ietf_encrypt(c, NULL, p, n, s->h, HASH_LEN, NULL, zero_nonce, s->k);
	mix_hash(s, c, n + TAG_LEN);
}

static int
write_initiation(struct hs *s, const struct keyring *k, const struct pubkey *server, unsigned capver, uint8_t *m)
{
	char prologue[64];
	int n;

	/* The name is longer than a hash: h0 = ck0 = BLAKE2s(name). */
	blake2s_start(&s->st);
	blake2s_add(&s->st, PROTOCOL, sizeof(PROTOCOL) - 1);
	blake2s_end(&s->st, s->h);
	memcpy(s->ck, s->h, HASH_LEN);
	n = snprintf(prologue, sizeof(prologue), PROLOGUE_FMT, capver);
	mix_hash(s, prologue, (size_t)n);
	mix_hash(s, server->b, KEY_LEN);

	m[0] = (uint8_t)(capver >> 8);
	m[1] = (uint8_t)capver;
	m[2] = 1;
	m[3] = 0;
	m[4] = NOISE_INIT_LEN - HEADER_LEN;
	if (crypto_scalarmult_curve25519_base(m + OFF_E, s->e) == -1)
		return -1;
	mix_hash(s, m + OFF_E, KEY_LEN);
	if (crypto_scalarmult_curve25519(s->dh, s->e, server->b) == -1)
		return -1; /* es */
	mix_key(s);
	encrypt_and_hash(s, m + OFF_S, keyring_public(k, SLOT_MACHINE)->b, KEY_LEN);
	if (keyring_dh(k, SLOT_MACHINE, server->b, s->dh) == -1)
		return -1; /* ss */
	mix_key(s);
	encrypt_and_hash(s, m + OFF_TAG, NULL, 0);
	return 0;
}

static struct noise *
begin(struct keyring *k, const struct pubkey *server, unsigned capver, const uint8_t *eph, uint8_t *init)
{
	struct noise *n;
	struct hs *s;
	int rv;

	if (!keyring_has(k, SLOT_MACHINE) || key_is_zero(server) || capver > UINT16_MAX) {
		errno = EINVAL;
		return NULL;
	}
	if ((n = calloc(1, sizeof(*n))) == NULL)
		return NULL;
	if ((n->area = secret_new(sizeof(struct hs))) == NULL) {
		free(n);
		return NULL;
	}
	s = secret_open(n->area);
	if (eph != NULL)
		memcpy(s->e, eph, KEY_LEN);
	else
		randombytes_buf(s->e, KEY_LEN);
	rv = write_initiation(s, k, server, capver, init);
	sodium_stackzero(STACK_RESIDUE);
	secret_close(n->area);
	if (rv == -1) {
		noise_abort(n);
		errno = EINVAL;
		return NULL;
	}
	return n;
}

struct noise *
noise_begin(struct keyring *k, const struct pubkey *server, unsigned capver, uint8_t init[NOISE_INIT_LEN])
{
	return begin(k, server, capver, NULL, init);
}

struct noise *
noise_begin_with(struct keyring *k, const struct pubkey *server, unsigned capver, const uint8_t eph[32],
    uint8_t init[NOISE_INIT_LEN])
{
	return begin(k, server, capver, eph, init);
}

static int
read_response(struct hs *s, const struct keyring *k, const uint8_t *re, const uint8_t *tag, struct ipc_hs_keys *out)
{
	mix_hash(s, re, KEY_LEN);
	if (crypto_scalarmult_curve25519(s->dh, s->e, re) == -1)
		return IPC_HS_BAD_POINT; /* ee */
	mix_key(s);
	if (keyring_dh(k, SLOT_MACHINE, re, s->dh) == -1)
		return IPC_HS_BAD_POINT; /* se */
	mix_key(s);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(NULL, NULL, NULL, tag, TAG_LEN, s->h, HASH_LEN, zero_nonce,
		s->k) == -1)
		return IPC_HS_BAD_TAG;
	mix_hash(s, tag, TAG_LEN);
	hkdf(s, NULL, 0, out->tx, out->rx); /* Split: the first key is client to server */
	memcpy(out->hash, s->h, HASH_LEN);
	return 0;
}

int
noise_finish(struct noise *n, struct keyring *k, const uint8_t body[NOISE_RESP_BODY], struct ipc_hs_keys *out)
{
	int rv;

	rv = read_response(secret_open(n->area), k, body, body + KEY_LEN, out);
	sodium_stackzero(STACK_RESIDUE); /* of hashing and multiplying */
	secret_close(n->area);
	if (rv != 0)
		sodium_memzero(out, sizeof(*out));
	noise_abort(n);
	return rv;
}

void
noise_abort(struct noise *n)
{
	if (n == NULL)
		return;
	secret_free(n->area);
	free(n);
}
