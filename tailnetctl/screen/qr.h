/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef QR_H
#define QR_H

#include <stdio.h>

int	 qr_print(FILE *f, const char *text);	/* half-block characters; -1 when it does not fit */

#endif
