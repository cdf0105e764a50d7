/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef KEYRING_H
#define KEYRING_H

#include "keys.h"

/*
 * Between keys.c and noise.c only: X25519 of a slot's private key with a point from outside.  out is the caller's secret
 * memory.  0, or -1 when the slot is empty or the result is all zero (protocol.md C.3: abort).
 */
int	 keyring_dh(const struct keyring *k, enum key_slot s, const uint8_t theirs[KEY_LEN], uint8_t out[KEY_LEN]);

#endif
