/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef NOISEREC_H
#define NOISEREC_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * Noise transport records (protocol.md C.5, security.md D15): bytes in, plaintext out, and back.  No I/O, no handshake.
 * After any failure the object is unusable and its keys are wiped.
 */
#define NOISE_KEY_LEN	 32
#define NOISE_HDR_LEN	 3
#define NOISE_TAG_LEN	 16
#define NOISE_FRAME_MAX	 4096
#define NOISE_FRAME_MIN	 (NOISE_HDR_LEN + NOISE_TAG_LEN)
#define NOISE_PLAIN_MAX	 (NOISE_FRAME_MAX - NOISE_FRAME_MIN)	/* 4077 */
#define NOISE_MAX_EMPTY	 64
#define NOISE_TYPE_RECORD 4

struct noiserec {
	uint8_t		 tx[NOISE_KEY_LEN], rx[NOISE_KEY_LEN];
	uint64_t	 ntx, nrx;		/* next counters; 2^64-1 is never used */
	unsigned	 empty;			/* empty plaintexts in a row */
	size_t		 have;			/* bytes of an unfinished frame */
	uint8_t		 frame[NOISE_FRAME_MAX];
	uint8_t		 plain[NOISE_PLAIN_MAX];
	const char	*error;			/* static text; NULL while alive */
	int		 limit;			/* the error is that a limit of D15 was passed */
};

void	 noiserec_init(struct noiserec *n, const uint8_t tx[NOISE_KEY_LEN], const uint8_t rx[NOISE_KEY_LEN]);
void	 noiserec_wipe(struct noiserec *n);	/* dead from now on; may be called from out() */
/*
 * Takes len bytes from the peer; out() gets every non-empty plaintext in order and returns -1 to stop (the rest of the
 * bytes is then lost: the connection is over).  Returns 0, or -1: dead, see n->error.
 */
int	 noiserec_feed(struct noiserec *n, const uint8_t *p, size_t len, int (*out)(void *, const uint8_t *, size_t),
	    void *arg);
/* Seals len bytes into as many records as needed at the end of `to`.  Returns 0, or -1: dead. */
int	 noiserec_seal(struct noiserec *n, const uint8_t *p, size_t len, struct buf *to);
/* End of the byte stream inside a record? */
int	 noiserec_partial(const struct noiserec *n);

#endif
