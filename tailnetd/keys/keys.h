/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef KEYS_H
#define KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "keytext.h"
#include "msgs.h"

/*
 * Private keys and everything done with them.  Only tailnetd links this.  The private key type is opaque; its bytes live in
 * one locked, guarded, undumped region (memfd_secret where the kernel has it, else sodium_malloc; security.md D11) that is
 * PROT_NONE between uses, and leave it only into the state file's own locked buffer and, by keys_wgconf_private(), for root.
 */
struct keyring;			/* machine, node (current C), old (O), candidate (T): protocol.md D.4 */
enum key_slot { SLOT_MACHINE, SLOT_NODE, SLOT_OLD, SLOT_CANDIDATE, SLOT_COUNT };

struct keyring *keyring_new(void);			/* all slots empty; NULL with errno */
void	 keyring_free(struct keyring *k);		/* wipes */
int	 keyring_generate(struct keyring *k, enum key_slot s);	/* new clamped X25519 key from the system RNG; 0 / -1 */
void	 keyring_clear(struct keyring *k, enum key_slot s);
void	 keyring_copy(struct keyring *k, enum key_slot to, enum key_slot from);	/* from stays */
void	 keyring_move(struct keyring *to, enum key_slot ts, struct keyring *from, enum key_slot fs);	/* between rings; from is emptied */
int	 keyring_has(const struct keyring *k, enum key_slot s);
const struct pubkey *keyring_public(const struct keyring *k, enum key_slot s);	/* zero key when empty */
/* "privkey:<64 hex>" into / out of memory the caller has locked (state.c).  0 / -1. */
#define PRIVKEY_TEXT_LEN 72
int	 keyring_export(const struct keyring *k, enum key_slot s, char text[PRIVKEY_TEXT_LEN]);	/* not terminated */
int	 keyring_import(struct keyring *k, enum key_slot s, const char *text, size_t n);

/*
 * Noise_IK_25519_ChaChaPoly_BLAKE2s initiator (protocol.md C.3, C.4, appendix 1).  One object per half-open handshake; holds the
 * ephemeral key and chain state in locked memory; one-shot.
 */
struct noise;
struct noise *noise_begin(struct keyring *k, const struct pubkey *server, unsigned capver, uint8_t init[NOISE_INIT_LEN]);
/* The 48 bytes after the response header.  0 = out filled; else enum ipc_hs_reason.  Frees n in every case. */
int	 noise_finish(struct noise *n, struct keyring *k, const uint8_t body[NOISE_RESP_BODY], struct ipc_hs_keys *out);
void	 noise_abort(struct noise *n);
/* For the test vector only: the same with a given ephemeral key. */
struct noise *noise_begin_with(struct keyring *k, const struct pubkey *server, unsigned capver, const uint8_t eph[32],
	    uint8_t init[NOISE_INIT_LEN]);

/* "PrivateKey = <base64>\n" of the node key straight to fd.  0 / -1. */
int	 keys_wgconf_private(const struct keyring *k, int fd);

#endif
