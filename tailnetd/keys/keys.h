/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef KEYS_H
#define KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "keytext.h"

/*
 * Private keys and everything done with them.  Only tailnetd links this.  The private key type is opaque; its bytes
 * live in one locked, guarded, undumped region (memfd_secret where the kernel has it, else sodium_malloc; security.md
 * D11) that is PROT_NONE between uses, and leave it only into the state file's own locked buffer and, by
 * keys_wgconf_private(), for root.
 */
struct keyring;			/* machine, node (current C), old (O), candidate (T): protocol.md D.4 */
enum key_slot { SLOT_MACHINE, SLOT_NODE, SLOT_OLD, SLOT_CANDIDATE, SLOT_COUNT };

struct keyring *keyring_new(void);			/* all slots empty; NULL with errno */
void	 keyring_free(struct keyring *k);		/* wipes */
int	 keyring_generate(struct keyring *k, enum key_slot s);	/* new clamped X25519 key from the system RNG; 0 / -1 */
void	 keyring_clear(struct keyring *k, enum key_slot s);
void	 keyring_copy(struct keyring *k, enum key_slot to, enum key_slot from);	/* from stays */
/* From a slot of one ring into a slot of another. */
void	 keyring_move(struct keyring *to, enum key_slot ts, struct keyring *from, enum key_slot fs);
int	 keyring_has(const struct keyring *k, enum key_slot s);
const struct pubkey *keyring_public(const struct keyring *k, enum key_slot s);	/* zero key when empty */

/* "PrivateKey = <base64>\n" of the node key straight to fd.  0 / -1. */
int	 keys_wgconf_private(const struct keyring *k, int fd);

#endif
