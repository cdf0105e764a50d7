/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_NOISE_H
#define UTIL_NOISE_H

#include <stdint.h>

/* Both ends of the handshake of protocol.md C.3, for tests: OpenSSL's BLAKE2s, libsodium's X25519 and AEAD. */
struct tnoise {
	uint8_t h[32], ck[32], k[32];
	uint8_t s[32], s_pub[32], e[32], e_pub[32], rs[32];
};

void	 tn_keypair(uint8_t seed, uint8_t priv[32], uint8_t pub[32]);
void	 tn_begin(struct tnoise *n, const uint8_t s[32], const uint8_t rs[32], unsigned version, uint8_t msg[101]);
/* -1: does not decrypt */
int	 tn_finish(struct tnoise *n, const uint8_t body[48], uint8_t tx[32], uint8_t rx[32]);
/* e: ephemeral private key, or NULL for a random one. */
int	 tn_respond(const uint8_t s[32], const uint8_t e[32], unsigned version, const uint8_t msg[101],
	    uint8_t resp[51], uint8_t tx[32], uint8_t rx[32]);

#endif
