/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <qrencode.h>
#include <stdio.h>

#include "qr.h"

#define QUIET_ZONE 2 /* modules around the code; the standard asks for four, readers accept two */

/* Outside of the code everything is light. */
static int
is_dark(const QRcode *q, int x, int y)
{
	if (x < 0 || y < 0 || x >= q->width || y >= q->width)
		return 0;
	return q->data[y * q->width + x] & 1;
}

/* Two rows of modules per line of text.  Light modules are drawn, which suits the dark ground of most terminals. */
int
qr_print(FILE *f, const char *text)
{
	static const char *const cell[] = { "\xe2\x96\x88", "\xe2\x96\x80", "\xe2\x96\x84", " " };
	QRcode *q;
	int x, y;

	if ((q = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L)) == NULL)
		return -1;
	for (y = -QUIET_ZONE; y < q->width + QUIET_ZONE; y += 2) {
		for (x = -QUIET_ZONE; x < q->width + QUIET_ZONE; x++)
			fputs(cell[is_dark(q, x, y) << 1 | is_dark(q, x, y + 1)], f);
		fputc('\n', f);
	}
	QRcode_free(q);
	return 0;
}
