/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exits.h"
#include "log.h"
#include "mem.h"
#include "tls.h"

#define TRUST_MAX   (4u << 20)
#define CHAIN_DEPTH 8
#define PEM_BEGIN   "-----BEGIN "

struct trust {
	SSL_CTX *ctx;
	unsigned refs;
};

struct tls {
	SSL *ssl;
	const uint8_t *in; /* fed and not yet taken by OpenSSL */
	size_t in_len;
	struct buf *net; /* only during a call */
	int verify;
	int finished;
	int is_addr;
	char host[256];
	char error[200];
	enum cause cause;
	const char *remark;
};

/* --- the BIO between OpenSSL and our buffers --- */

static int
bio_read(BIO *b, char *out, int n)
{
	struct tls *t = BIO_get_data(b);
	size_t take = t->in_len;

	BIO_clear_retry_flags(b);
	if (n <= 0)
		return 0;
	if (take == 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	if (take > (size_t)n)
		take = (size_t)n;
	memcpy(out, t->in, take);
	t->in += take;
	t->in_len -= take;
	return (int)take;
}

static int
bio_write(BIO *b, const char *p, int n)
{
	struct tls *t = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (n <= 0 || t->net == NULL || buf_put(t->net, p, (size_t)n) == -1)
		return -1;
	return n;
}

static long
bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *
bio_method(void)
{
	static BIO_METHOD *m; /* a table of functions: the same as long as the process runs */

	if (m != NULL)
		return m;
	if ((m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "buf")) == NULL)
		return NULL;
	BIO_meth_set_read(m, bio_read);
	BIO_meth_set_write(m, bio_write);
	BIO_meth_set_ctrl(m, bio_ctrl);
	return m;
}

/* --- contexts --- */

static SSL_CTX *
new_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH);
	return ctx;
}

static SSL_CTX *
camouflage_context(void)
{
	static SSL_CTX *ctx; /* immutable, made once: see wire_warm() */

	if (ctx == NULL && (ctx = new_context()) != NULL)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	return ctx;
}

/* OpenSSL asks here for its memory. */
static void *
ssl_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return xmalloc(n);
}

static void *
ssl_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return xrealloc(p, n);
}

static void
ssl_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

void
wire_memory(void)
{
	if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1)
		fatalx(EXIT_STARTUP, "OpenSSL has allocated already");
	event_set_mem_functions(xmalloc, xrealloc, free);
}

void
wire_warm(void)
{
	uint8_t byte;

	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() == -1)
		fatalx(EXIT_STARTUP, "libsodium does not start");
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS |
		    OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
		NULL) != 1 ||
	    RAND_bytes(&byte, 1) != 1 || bio_method() == NULL || camouflage_context() == NULL)
		fatalx(EXIT_STARTUP, "OpenSSL does not start: %s", ERR_reason_error_string(ERR_peek_last_error()));
}

/* --- trust anchors --- */

static char *
read_all(int fd, size_t *len, char *err, size_t errsize)
{
	struct buf b;
	uint8_t *p;
	ssize_t n;

	buf_init(&b, TRUST_MAX);
	do {
		if ((p = buf_reserve(&b, 16384)) == NULL) {
			snprintf(err, errsize, "the CA file is larger than 4 MiB");
			buf_free(&b);
			return NULL;
		}
		while ((n = read(fd, p, 16384)) == -1 && errno == EINTR)
			;
		if (n > 0)
			buf_commit(&b, (size_t)n);
	} while (n > 0);
	if (n == -1) {
		snprintf(err, errsize, "reading the CA file: %s", strerror(errno));
		buf_free(&b);
		return NULL;
	}
	*len = buf_len(&b);
	return (char *)b.mem; /* off is 0: nothing was consumed */
}

/* The start of the next block at or after p, or end. */
static const char *
next_block(const char *text, const char *p, const char *end)
{
	while ((p = memmem(p, (size_t)(end - p), PEM_BEGIN, strlen(PEM_BEGIN))) != NULL && p > text && p[-1] != '\n')
		p++;
	return p != NULL ? p : end;
}

/* Adds a block of PEM: 1, 0 if it is something else than a certificate, -1 if it is malformed. */
static int
add_block(X509_STORE *store, const char *pem, size_t len)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	X509 *x = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	int rc = -1;

	if (x == NULL && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		rc = 0;
	else if (x != NULL && X509_STORE_add_cert(store, x) == 1)
		rc = 1;
	X509_free(x);
	BIO_free(bio);
	ERR_clear_error();
	return rc;
}

/* The number of certificates added.  A malformed block ends where the next one begins: the others count. */
static int
add_certs(X509_STORE *store, const char *pem, size_t len)
{
	const char *end = pem + len, *p, *next;
	int n = 0, malformed = 0;

	for (p = next_block(pem, pem, end); p < end; p = next) {
		int rc;

		next = next_block(pem, p + 1, end);
		rc = add_block(store, p, (size_t)(next - p));
		n += rc == 1;
		malformed += rc == -1;
	}
	if (n > 0 && malformed > 0)
		log_warnx("the CA file (ca-file): %d malformed certificates are left out, %d are used", malformed, n);
	return n;
}

struct trust *
trust_load(int fd, char *err, size_t errsize)
{
	struct trust *t = xcalloc(1, sizeof(*t));
	size_t len = 0;
	char *pem = read_all(fd, &len, err, errsize);

	close(fd);
	t->refs = 1;
	if (pem == NULL)
		goto fail;
	if ((t->ctx = new_context()) == NULL) {
		snprintf(err, errsize, "OpenSSL: no context");
		goto fail;
	}
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	/* An anchor may be any certificate of the chain, as in the reference client. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(t->ctx), X509_V_FLAG_PARTIAL_CHAIN);
	if (add_certs(SSL_CTX_get_cert_store(t->ctx), pem, len) == 0) {
		snprintf(err, errsize, "the CA file is missing or holds no PEM certificate (ca-file)");
		goto fail;
	}
	free(pem);
	return t;
fail:
	free(pem);
	trust_free(t);
	return NULL;
}

struct trust *
trust_ref(struct trust *t)
{
	if (t != NULL)
		t->refs++;
	return t;
}

void
trust_free(struct trust *t)
{
	if (t == NULL || --t->refs > 0)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

/* --- one connection --- */

static int
set_host(struct tls *t)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
	uint8_t addr[16];

	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	t->is_addr = inet_pton(AF_INET, t->host, addr) == 1 || inet_pton(AF_INET6, t->host, addr) == 1;
	if (!t->is_addr && SSL_set_tlsext_host_name(t->ssl, t->host) != 1)
		return -1;
	if (!t->verify)
		return 0;
	if (t->is_addr)
		return X509_VERIFY_PARAM_set1_ip_asc(param, t->host) == 1 ? 0 : -1;
	return X509_VERIFY_PARAM_set1_host(param, t->host, 0) == 1 ? 0 : -1;
}

struct tls *
tls_new(const struct trust *trust, const char *host)
{
	SSL_CTX *ctx = trust != NULL ? trust->ctx : camouflage_context();
	BIO_METHOD *m = bio_method();
	struct tls *t;
	size_t len;
	BIO *bio;

	if (ctx == NULL || m == NULL)
		return NULL;
	t = xcalloc(1, sizeof(*t));
	t->verify = trust != NULL;
	if (strlcpy(t->host, host, sizeof(t->host)) >= sizeof(t->host) || (t->ssl = SSL_new(ctx)) == NULL ||
	    (bio = BIO_new(m)) == NULL) {
		tls_free(t);
		return NULL;
	}
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_connect_state(t->ssl);
	/* The dot of a complete name ("h.example.") is for the look-up; no certificate and no SNI has it (RFC 6066). */
	if ((len = strlen(t->host)) > 1 && t->host[len - 1] == '.')
		t->host[len - 1] = '\0';
	if (set_host(t) == -1) {
		tls_free(t);
		return NULL;
	}
	return t;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	free(t);
}

static enum cause
cause_of(long verify)
{
	switch (verify) {
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED: return CAUSE_CERT_TIME;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH: return CAUSE_CERT_NAME;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK: return CAUSE_CERT_WEAK;
	default: return CAUSE_CERTIFICATE;
	}
}

static void
set_error(struct tls *t, const char *fallback)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;
	long verify = SSL_get_verify_result(t->ssl);

	t->cause = t->verify && verify != X509_V_OK ? cause_of(verify) : CAUSE_OTHER;
	if (t->cause != CAUSE_OTHER)
		snprintf(t->error, sizeof(t->error), "the certificate is not acceptable: %s",
		    X509_verify_cert_error_string(verify));
	else
		snprintf(t->error, sizeof(t->error), "%s", reason != NULL ? reason : fallback);
	ERR_clear_error();
}

/* What can be verified without trust anchors. */
static const char *
judge(X509 *x, const struct tls *t)
{
	int fits;

	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		return "certificate has expired";
	if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		return "certificate is not yet valid";
	fits = t->is_addr ? X509_check_ip_asc(x, t->host, 0)
			  : X509_check_host(x, t->host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL);
	if (fits != 1)
		return "certificate is for another host";
	if (X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(x)) == 0)
		return "self-signed certificate";
	return NULL;
}

static const char *
certificate_remark(const struct tls *t)
{
	X509 *x = SSL_get_peer_certificate(t->ssl);
	const char *remark = x != NULL ? judge(x, t) : "no certificate";

	X509_free(x);
	return remark;
}

int
tls_handshake(struct tls *t, const uint8_t *p, size_t n, struct buf *net)
{
	int rc, why;

	t->in = p;
	t->in_len = n;
	t->net = net;
	ERR_clear_error();
	rc = SSL_do_handshake(t->ssl);
	why = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, rc);
	t->net = NULL;
	if (why == SSL_ERROR_WANT_READ)
		return 0;
	if (why != SSL_ERROR_NONE) {
		set_error(t, "protocol error");
		return -1;
	}
	if (!t->verify)
		t->remark = certificate_remark(t);
	ERR_clear_error();
	return 1;
}

const char *
tls_remark(const struct tls *t)
{
	return t->remark;
}

void
tls_feed(struct tls *t, const uint8_t *p, size_t n)
{
	t->in = p;
	t->in_len = n;
}

long
tls_read(struct tls *t, uint8_t *out, size_t n, struct buf *net)
{
	size_t got = 0;
	int rc, why;

	t->net = net;
	ERR_clear_error();
	rc = SSL_read_ex(t->ssl, out, n, &got);
	why = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, rc);
	t->net = NULL;
	switch (why) {
	case SSL_ERROR_NONE: return (long)got;
	case SSL_ERROR_WANT_READ: return 0;
	case SSL_ERROR_ZERO_RETURN: t->finished = 1; return 0;
	default: set_error(t, "protocol error"); return -1;
	}
}

int
tls_finished(const struct tls *t)
{
	return t->finished;
}

int
tls_write(struct tls *t, const uint8_t *p, size_t n, struct buf *net)
{
	size_t done = 0;
	int rc;

	if (n == 0)
		return 0;
	t->net = net;
	ERR_clear_error();
	rc = SSL_write_ex(t->ssl, p, n, &done);
	t->net = NULL;
	if (rc != 1 || done != n) {
		set_error(t, "no room to send");
		return -1;
	}
	return 0;
}

void
tls_close(struct tls *t, struct buf *net)
{
	t->net = net;
	if (SSL_is_init_finished(t->ssl))
		SSL_shutdown(t->ssl);
	t->net = NULL;
	ERR_clear_error();
}

const char *
tls_error(const struct tls *t)
{
	return t->error;
}

enum cause
tls_cause(const struct tls *t)
{
	return t->cause;
}
