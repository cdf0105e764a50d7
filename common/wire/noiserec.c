/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sodium.h>
#include <string.h>

#include "noiserec.h"

_Static_assert(NOISE_PLAIN_MAX == 4077, "protocol.md C.5");
_Static_assert(NOISE_KEY_LEN == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "key size");
_Static_assert(NOISE_TAG_LEN == crypto_aead_chacha20poly1305_ietf_ABYTES, "tag size");

/* Four zero bytes, then the counter in BIG endian: not what the Noise specification says (NOISE-02). */
static void
make_nonce(uint64_t counter, uint8_t nonce[12])
{
	memset(nonce, 0, 4);
	for (int i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >> (56 - 8 * i));
}

void
noiserec_init(struct noiserec *n, const uint8_t tx[NOISE_KEY_LEN], const uint8_t rx[NOISE_KEY_LEN])
{
	memset(n, 0, sizeof(*n));
	memcpy(n->tx, tx, NOISE_KEY_LEN);
	memcpy(n->rx, rx, NOISE_KEY_LEN);
}

static int
die(struct noiserec *n, const char *why)
{
	noiserec_wipe(n);
	n->error = why;
	return -1;
}

void
noiserec_wipe(struct noiserec *n)
{
	sodium_memzero(n, sizeof(*n));
	n->error = "closed";
}

/*
 * The cipher may leave the contents of its registers below our frame, usually half a key.  Keys must be wiped with
 * their connection (security.md D1), but the stack remains.
 */
#define STACK_RESIDUE 4096

/* Opens one whole frame of `size` bytes; plaintext to n->plain, its length to *plen. */
static int
open_frame(struct noiserec *n, const uint8_t *frame, size_t size, size_t *plen)
{
	uint8_t nonce[12];
	unsigned long long mlen = 0;
	int rv;

	if (n->nrx == UINT64_MAX)
		return die(n, "receive counter exhausted");
	make_nonce(n->nrx++, nonce);
	rv = crypto_aead_chacha20poly1305_ietf_decrypt(n->plain, &mlen, NULL, frame + NOISE_HDR_LEN,
	    size - NOISE_HDR_LEN, NULL, 0, nonce, n->rx);
	sodium_stackzero(STACK_RESIDUE);
	if (rv != 0)
		return die(n, "a record does not decrypt");
	*plen = (size_t)mlen;
	if (mlen != 0)
		n->empty = 0;
	else if (++n->empty > NOISE_MAX_EMPTY) {
		die(n, "too many empty records");
		n->limit = 1;
		return -1;
	}
	return 0;
}

/* Whole size of the frame whose header is at h, or 0: dead. */
static size_t
frame_size(struct noiserec *n, const uint8_t *h)
{
	size_t size = NOISE_HDR_LEN + ((size_t)h[1] << 8 | h[2]);

	if (h[0] != NOISE_TYPE_RECORD) {
		die(n, "not a record");
		return 0;
	}
	if (size < NOISE_FRAME_MIN || size > NOISE_FRAME_MAX) {
		die(n, "record of a forbidden length");
		return 0;
	}
	return size;
}

/* Bytes still missing before something can be done with the unfinished frame; 0: dead. */
static size_t
missing(struct noiserec *n)
{
	size_t size;

	if (n->have < NOISE_HDR_LEN)
		return NOISE_HDR_LEN - n->have;
	size = frame_size(n, n->frame);
	return size == 0 ? 0 : size - n->have;
}

static int
deliver(struct noiserec *n, const uint8_t *frame, size_t size, int (*out)(void *, const uint8_t *, size_t), void *arg)
{
	size_t plen;
	int stop;

	if (open_frame(n, frame, size, &plen) == -1)
		return -1;
	if (plen == 0)
		return 0;
	stop = out(arg, n->plain, plen);
	if (n->error != NULL)
		return -1;
	if (stop)
		return die(n, "stopped");
	return 0;
}

int
noiserec_feed(struct noiserec *n, const uint8_t *p, size_t len, int (*out)(void *, const uint8_t *, size_t), void *arg)
{
	size_t size, take;

	if (n->error != NULL)
		return -1;
	while (len > 0) {
		/* A whole frame at p needs no copy. */
		if (n->have == 0 && len >= NOISE_HDR_LEN) {
			if ((size = frame_size(n, p)) == 0)
				return -1;
			if (size <= len) {
				if (deliver(n, p, size, out, arg) == -1)
					return -1;
				p += size;
				len -= size;
				continue;
			}
		}
		if ((take = missing(n)) == 0)
			return -1;
		if (take > len)
			take = len;
		memcpy(n->frame + n->have, p, take);
		n->have += take;
		p += take;
		len -= take;
		if (n->have < NOISE_HDR_LEN)
			continue;
		if ((size = frame_size(n, n->frame)) == 0)
			return -1;
		if (n->have == size) {
			n->have = 0;
			if (deliver(n, n->frame, size, out, arg) == -1)
				return -1;
		}
	}
	return 0;
}

static int
seal_one(struct noiserec *n, const uint8_t *p, size_t len, struct buf *to)
{
	uint8_t nonce[12], *f;
	unsigned long long clen;

	if (n->ntx == UINT64_MAX)
		return die(n, "send counter exhausted");
	if ((f = buf_reserve(to, NOISE_FRAME_MIN + len)) == NULL)
		return die(n, "no room to send");
	make_nonce(n->ntx++, nonce);
	f[0] = NOISE_TYPE_RECORD;
	f[1] = (uint8_t)((len + NOISE_TAG_LEN) >> 8);
	f[2] = (uint8_t)(len + NOISE_TAG_LEN);
	crypto_aead_chacha20poly1305_ietf_encrypt(f + NOISE_HDR_LEN, &clen, p, len, NULL, 0, NULL, nonce, n->tx);
	sodium_stackzero(STACK_RESIDUE);
	buf_commit(to, NOISE_FRAME_MIN + len);
	return 0;
}

int
noiserec_seal(struct noiserec *n, const uint8_t *p, size_t len, struct buf *to)
{
	size_t part;

	if (n->error != NULL)
		return -1;
	for (;;) {
		part = len > NOISE_PLAIN_MAX ? NOISE_PLAIN_MAX : len;
		if (seal_one(n, p, part, to) == -1)
			return -1;
		if (part == len)
			return 0;
		p += part;
		len -= part;
	}
}

int
noiserec_partial(const struct noiserec *n)
{
	return n->have > 0;
}
