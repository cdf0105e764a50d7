/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "noiserec.h"

/*
 * The input is a script: records sealed by the peer, damaged or not, and raw bytes, in pieces of any size.  The
 * decrypted data must be what was sealed, in order, up to the first damage.  The first byte: 0xff = the counters are
 * near their end, 0xfe = the reader stops.
 */
struct out {
	struct buf b;
	int stops;
};

static int
take(void *arg, const uint8_t *p, size_t n)
{
	struct out *o = arg;

	if (n == 0 || n > NOISE_PLAIN_MAX)
		abort();
	return o->stops && buf_len(&o->b) > 0 ? 1 : buf_put(&o->b, p, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t k1[32] = { 1 }, k2[32] = { 2 };
	uint8_t plain[5000];
	struct noiserec client, server;
	struct buf wire, expect;
	struct out got;
	size_t at = 0, n, piece;
	int damaged = 0, rc = 0;

	if (sodium_init() == -1)
		abort();
	noiserec_init(&client, k1, k2);
	noiserec_init(&server, k2, k1);
	if (size == 0)
		return 0;
	if (data[0] == 0xff)
		client.nrx = server.ntx = UINT64_MAX - 4;
	got.stops = data[0] == 0xfe;
	buf_init(&wire, 1 << 22);
	buf_init(&expect, 1 << 22);
	buf_init(&got.b, 1 << 22);
	for (at = 1; at + 4 <= size && buf_len(&wire) < (1 << 20); at += 4) {
		n = ((size_t)data[at + 1] << 8 | data[at + 2]) % sizeof(plain);
		memset(plain, data[at + 3], n);
		switch (data[at] & 3) {
		case 0:
		case 1:
			if (!damaged) /* not sent as a whole: the part that was sent is its beginning */
				buf_put(&expect, plain, n);
			damaged |= noiserec_seal(&server, plain, n, &wire) == -1;
			break;
		case 2:
			if (buf_len(&wire) > n && noiserec_seal(&server, plain, 7, &wire) == 0) {
				/* what was sealed last is suspect from here on */
				wire.mem[wire.end - 1 - n % 20] ^= (uint8_t)(data[at + 3] | 1);
				damaged = 1;
			}
			break;
		default:
			buf_put(&wire, data + at + 1, 3);
			damaged = 1;
			break;
		}
	}
	for (n = 0; rc == 0 && n < buf_len(&wire); n += piece) {
		piece = (size_t)data[n % size] * 17 + 1;
		if (piece > buf_len(&wire) - n)
			piece = buf_len(&wire) - n;
		rc = noiserec_feed(&client, buf_ptr(&wire) + n, piece, take, &got);
	}
	if (rc == -1 && client.error == NULL)
		abort();
	if (!damaged && rc == 0 && noiserec_partial(&client))
		abort();
	if (!damaged && rc == 0 && buf_len(&got.b) != buf_len(&expect))
		abort();
	if (buf_len(&got.b) > buf_len(&expect) ||
	    (buf_len(&got.b) > 0 && memcmp(buf_ptr(&got.b), buf_ptr(&expect), buf_len(&got.b)) != 0))
		abort();
	if (rc == -1 && (client.rx[0] != 0 || noiserec_feed(&client, plain, 1, take, &got) != -1))
		abort();
	buf_free(&wire);
	buf_free(&expect);
	buf_free(&got.b);
	return 0;
}
