/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef KEYRING_H
#define KEYRING_H

#if !defined(ROOM_keys) && !defined(UNIT_TEST) && !defined(FUZZING)
#error "keyring.h is for tailnetd/keys only: private keys are touched nowhere else (security.md D1)"
#endif

#include "keys.h"

/*
 * What this room alone may do with the bytes of private keys: keys.c, noise.c, statetext.c.  No other room includes
 * it.
 */
#define PRIVATES_NAME_LEN 13			/* "PrivateKey = " */
#define PRIVATES_B64_LEN  44
struct privates {				/* in a secret area (secret.h), open only while it is used */
	uint8_t	 b[SLOT_COUNT][KEY_LEN];
	char	 text[PRIVATES_NAME_LEN + PRIVATES_B64_LEN + 1];	/* only here keys become text (D11) */
};

struct keyring {
	struct secret	*area;			/* struct privates */
	struct pubkey	 pub[SLOT_COUNT];
	int		 has[SLOT_COUNT];
};

/* The private half of slot s is in place (p: the open area): derives the public one.  0, or -1: it has none. */
int	 keyring_fill(struct keyring *k, enum key_slot s, const struct privates *p);

/* "privkey:<64 hex>" into / out of memory the caller has locked (state.c).  0 / -1. */
#define PRIVKEY_TEXT_LEN 72
int	 keyring_export(const struct keyring *k, enum key_slot s, char text[PRIVKEY_TEXT_LEN]);	/* not terminated */
int	 keyring_import(struct keyring *k, enum key_slot s, const char *text, size_t n);

/*
 * X25519 of a slot's private key with a point from outside.  out is the caller's secret
 * memory.  0, or -1 when the slot is empty or the result is all zero (protocol.md C.3: abort).
 */
int	 keyring_dh(const struct keyring *k, enum key_slot s, const uint8_t theirs[KEY_LEN], uint8_t out[KEY_LEN]);

#endif
