/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util_noise.h"

#ifndef LIBRESSL_VERSION_NUMBER
static void
blake(const void *a, size_t an, const void *b, size_t bn, uint8_t out[32])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (EVP_DigestInit_ex(c, EVP_blake2s256(), NULL) != 1 || EVP_DigestUpdate(c, a, an) != 1 ||
	    EVP_DigestUpdate(c, b, bn) != 1 || EVP_DigestFinal_ex(c, out, NULL) != 1)
		abort();
	EVP_MD_CTX_free(c);
}
#else /* has no BLAKE2s */
#include "../../../tailnetd/keys/blake2s.c"

static void
blake(const void *a, size_t an, const void *b, size_t bn, uint8_t out[32])
{
	struct blake2s s;

	blake2s_start(&s);
	blake2s_add(&s, a, an);
	blake2s_add(&s, b, bn);
	blake2s_end(&s, out);
}
#endif

/* HMAC with a key of 32 bytes over a || b. */
static void
hmac(const uint8_t key[32], const void *a, size_t an, const void *b, size_t bn, uint8_t out[32])
{
	uint8_t pad[64 + 96], inner[32];

	memset(pad, 0x36, 64);
	for (int i = 0; i < 32; i++)
		pad[i] ^= key[i];
	memcpy(pad + 64, a, an);
	memcpy(pad + 64 + an, b, bn);
	blake(pad, 64 + an + bn, "", 0, inner);
	memset(pad, 0x5c, 64);
	for (int i = 0; i < 32; i++)
		pad[i] ^= key[i];
	blake(pad, 64, inner, 32, out);
}

static void
hkdf(const uint8_t ck[32], const void *in, size_t n, uint8_t first[32], uint8_t second[32])
{
	uint8_t prk[32], one[32];

	hmac(ck, in, n, "", 0, prk);
	hmac(prk, "\1", 1, "", 0, one);
	hmac(prk, one, 32, "\2", 1, second);
	memcpy(first, one, 32);
}

static void
mix_hash(struct tnoise *n, const void *p, size_t len)
{
	uint8_t out[32];

	blake(n->h, 32, p, len, out);
	memcpy(n->h, out, 32);
}

static void
mix_dh(struct tnoise *n, const uint8_t priv[32], const uint8_t pub[32])
{
	uint8_t dh[32], ck[32];

	if (crypto_scalarmult(dh, priv, pub) != 0)
		memset(dh, 0, 32);
	hkdf(n->ck, dh, 32, ck, n->k);
	memcpy(n->ck, ck, 32);
}

static void
encrypt(struct tnoise *n, const uint8_t *p, size_t len, uint8_t *out)
{
	static const uint8_t nonce[12];

	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, p, len, n->h, 32, NULL, nonce, n->k);
	mix_hash(n, out, len + 16);
}

static int
decrypt(struct tnoise *n, const uint8_t *c, size_t len, uint8_t *out)
{
	static const uint8_t nonce[12];

	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, c, len, n->h, 32, nonce, n->k) != 0)
		return -1;
	mix_hash(n, c, len);
	return 0;
}

static void
start(struct tnoise *n, const uint8_t server[32], unsigned version)
{
	char prologue[64];

	memset(n->k, 0, 32);
	blake("Noise_IK_25519_ChaChaPoly_BLAKE2s", 33, "", 0, n->h);
	memcpy(n->ck, n->h, 32);
	snprintf(prologue, sizeof(prologue), "Tailscale Control Protocol v%u", version);
	mix_hash(n, prologue, strlen(prologue));
	mix_hash(n, server, 32);
}

void
tn_keypair(uint8_t seed, uint8_t priv[32], uint8_t pub[32])
{
	memset(priv, seed, 32);
	crypto_scalarmult_base(pub, priv);
}

void
tn_begin(struct tnoise *n, const uint8_t s[32], const uint8_t rs[32], unsigned version, uint8_t msg[101])
{
	const uint8_t head[5] = { (uint8_t)(version >> 8), (uint8_t)version, 1, 0, 96 };

	memcpy(n->s, s, 32);
	crypto_scalarmult_base(n->s_pub, s);
	memcpy(n->rs, rs, 32);
	randombytes_buf(n->e, 32);
	crypto_scalarmult_base(n->e_pub, n->e);
	start(n, rs, version);
	memcpy(msg, head, 5);
	memcpy(msg + 5, n->e_pub, 32);
	mix_hash(n, n->e_pub, 32);
	mix_dh(n, n->e, n->rs);
	encrypt(n, n->s_pub, 32, msg + 37);
	mix_dh(n, n->s, n->rs);
	encrypt(n, NULL, 0, msg + 85);
}

int
tn_finish(struct tnoise *n, const uint8_t body[48], uint8_t tx[32], uint8_t rx[32])
{
	uint8_t none[1];

	mix_hash(n, body, 32);
	mix_dh(n, n->e, body);
	mix_dh(n, n->s, body);
	if (decrypt(n, body + 32, 16, none) == -1)
		return -1;
	hkdf(n->ck, "", 0, tx, rx);
	return 0;
}

int
tn_respond(const uint8_t s[32], const uint8_t e[32], unsigned version, const uint8_t msg[101], uint8_t resp[51],
    uint8_t tx[32], uint8_t rx[32])
{
	struct tnoise n;
	uint8_t none[1], client[32];

	crypto_scalarmult_base(n.s_pub, s);
	if (e != NULL)
		memcpy(n.e, e, 32);
	else
		randombytes_buf(n.e, 32);
	crypto_scalarmult_base(n.e_pub, n.e);
	start(&n, n.s_pub, version);
	mix_hash(&n, msg + 5, 32);
	mix_dh(&n, s, msg + 5);
	if (decrypt(&n, msg + 37, 48, client) == -1)
		return -1;
	mix_dh(&n, s, client);
	if (decrypt(&n, msg + 85, 16, none) == -1)
		return -1;
	memcpy(resp, "\2\0\60", 3);
	memcpy(resp + 3, n.e_pub, 32);
	mix_hash(&n, n.e_pub, 32);
	mix_dh(&n, n.e, msg + 5);
	mix_dh(&n, n.e, client);
	encrypt(&n, NULL, 0, resp + 35);
	hkdf(n.ck, "", 0, rx, tx);
	return 0;
}
