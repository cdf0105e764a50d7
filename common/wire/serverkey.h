/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SERVERKEY_H
#define SERVERKEY_H

#include <stddef.h>
#include <stdint.h>

#include "keytext.h"

/*
 * The body of /key (protocol.md B.2).  0 = key filled; 1 = server too old (legacy form or zero key); -1 = neither, an
 * invalid answer.
 */
int	 serverkey_parse(const uint8_t *body, size_t n, struct pubkey *key);

#endif
