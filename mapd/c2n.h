/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef C2N_H
#define C2N_H

#include "buf.h"

/*
 * The complete HTTP/1.1 answer to a c2n request: /echo returns the body, everything else is 400 (PING-04).  0; -1:
 * not an HTTP/1.x request, which gets no answer.
 */
#define C2N_MAX_BODY	(64u * 1024)
int	 c2n_answer(const uint8_t *request, size_t n, struct buf *out);

#endif
