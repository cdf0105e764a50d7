/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef KEYTEXT_H
#define KEYTEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * PUBLIC keys and their text forms (protocol.md A.2).  Private keys have their own type, which only tailnetd/keys.h
 * knows.  Decoders demand the exact prefix and length, take either case of hex, and tolerate no white space.
 */
#define KEY_LEN		32
struct pubkey { uint8_t b[KEY_LEN]; };

enum key_kind { KEY_MACHINE, KEY_NODE, KEY_DISCO, KEY_NL, KEY_CHALLENGE };

#define KEY_TEXT_MAX	80		/* longest text form of any kind, with its NUL ("discokey:" + 64 ...) */
#define KEY_SHORT_MAX	24

int	 key_is_zero(const struct pubkey *k);
int	 key_equal(const struct pubkey *a, const struct pubkey *b);
/* Text form with NUL; returns out. */
char	*key_format(enum key_kind kind, const struct pubkey *k, char out[KEY_TEXT_MAX]);
/* s need not be terminated; n bytes are the whole text.  0, or -1 (wrong prefix, length, digit). */
int	 key_parse(enum key_kind kind, const char *s, size_t n, struct pubkey *out);
/* For logs: "mkey [abcde]" (interface.md 9: type and five characters of the public half, base64). */
char	*key_short(enum key_kind kind, const struct pubkey *k, char out[KEY_SHORT_MAX]);

#endif
