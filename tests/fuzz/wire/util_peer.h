/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef UTIL_PEER_H
#define UTIL_PEER_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "noiserec.h"

/*
 * The other end of a connection that is being fuzzed: it sends what the input says, below or inside TLS, below or
 * inside Noise.
 */
struct peer {
	int		 fd;		/* -1: none, or closed */
	SSL		*ssl;		/* NULL: clear text */
	struct noiserec	 rec;
};

/* Once, from LLVMFuzzerInitialize() of every target that has peers. */
void	 peer_init(void);
const char *peer_cert(void);		/* of the peer, PEM */
/* The descriptor for the client, or -1. */
int	 peer_open(struct peer *p, int tls);
void	 peer_close(struct peer *p);
void	 peer_raw(struct peer *p, const void *data, size_t n);
/* Reads all received data, and lets TLS answer. */
void	 peer_pump(struct peer *p);
/* Inside of TLS, if it is used and established. */
void	 peer_say(struct peer *p, const void *data, size_t n);
/* Inside of a Noise record. */
void	 peer_record(struct peer *p, const void *data, size_t n);

/* What is left of the input. */
struct script {
	const uint8_t	*p;
	size_t		 n;
};

uint8_t	 take(struct script *s);
const uint8_t *script_bytes(struct script *s, size_t *n);

#endif
