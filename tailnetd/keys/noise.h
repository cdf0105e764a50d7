/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef NOISE_H
#define NOISE_H

#include "keys.h"
#include "msgs.h"

/*
 * Noise_IK_25519_ChaChaPoly_BLAKE2s initiator (protocol.md C.3, C.4, appendix 1).  One object per half-open handshake;
 * holds the ephemeral key and chain state in locked memory; one-shot.
 */
struct noise;
struct noise *noise_begin(struct keyring *k, const struct pubkey *server, unsigned capver,
	    uint8_t init[NOISE_INIT_LEN]);
/* The 48 bytes after the response header.  0 = out filled; else enum ipc_hs_reason.  Frees n in every case. */
int	 noise_finish(struct noise *n, struct keyring *k, const uint8_t body[NOISE_RESP_BODY], struct ipc_hs_keys *out);
void	 noise_abort(struct noise *n);
/* For the test vector only: the same with a given ephemeral key. */
struct noise *noise_begin_with(struct keyring *k, const struct pubkey *server, unsigned capver, const uint8_t eph[32],
	    uint8_t init[NOISE_INIT_LEN]);

#endif
