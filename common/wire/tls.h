/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef TLS_H
#define TLS_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "cause.h"

/*
 * TLS client without I/O (protocol.md B.3, security.md D15): bytes from the network in, bytes for the network appended
 * to a buf.  Two modes.  Verify: chain (depth 8) and host name or address against a `struct trust`; a bad certificate
 * ends it. Camouflage (ts2021): Noise authenticates the server, so a bad certificate is only remarked.  Both: TLS >=
 * 1.2, SNI for names, no ALPN, no renegotiation, no session resumption.
 */
struct tls;
struct trust;		/* trust anchors, in memory */

/*
 * Reads a PEM bundle from fd to its end and closes fd.  NULL with a reason in err (empty bundle, not PEM, too large).
 */
struct trust *trust_load(int fd, char *err, size_t errsize);
struct trust *trust_ref(struct trust *t);	/* NULL is fine; one trust_free() for each */
void	 trust_free(struct trust *t);

/*
 * Loads everything OpenSSL, libsodium and friends would load later, so that no file is needed behind the sandbox, and
 * ignores SIGPIPE (descriptors are written with write(2)).  Exits the process if that fails.  The system's openssl.cnf
 * is not read: it may name libraries to load.  Nothing may call OpenSSL before, as its first call decides that.
 */
void	 wire_memory(void);	/* before anything else: OpenSSL and libevent without memory end the process (mem.h) */
void	 wire_warm(void);

/* trust: NULL = camouflage.  host without brackets.  NULL: the name is too long, or OpenSSL refuses. */
struct tls *tls_new(const struct trust *trust, const char *host);
void	 tls_free(struct tls *t);
/*
 * Feeds n bytes (n may be 0: starts the handshake) and appends what must be sent to `net`.  1: the handshake is done;
 * 0: more bytes needed; -1: failed, see tls_error().  Bytes behind the handshake stay inside: go on with tls_read().
 */
int	 tls_handshake(struct tls *t, const uint8_t *p, size_t n, struct buf *net);
/* Camouflage, after the handshake: what a verifier would have objected to, or NULL. */
const char *tls_remark(const struct tls *t);
/* New bytes for tls_read(), which must have returned 0 since the last ones. */
void	 tls_feed(struct tls *t, const uint8_t *p, size_t n);
/* Plaintext: > 0 bytes, 0 = nothing left for now, -1 = failed, see tls_error().  net as above. */
long	 tls_read(struct tls *t, uint8_t *out, size_t n, struct buf *net);
/* After 0 from tls_read(): did the peer say it has finished (close_notify)? */
int	 tls_finished(const struct tls *t);
int	 tls_write(struct tls *t, const uint8_t *p, size_t n, struct buf *net);	/* 0: all n bytes, or -1 */
void	 tls_close(struct tls *t, struct buf *net);		/* close_notify */
const char *tls_error(const struct tls *t);
enum cause tls_cause(const struct tls *t);	/* of that error */

#endif
