/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "log.h"
#include "noiserec.h"
#include "tls.h"
#include "util_peer.h"

static SSL_CTX *peer_ctx;
static char peer_pem[4096]; /* its certificate */

static void
make_certificate(void)
{
	X509V3_CTX v3;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_EXTENSION *san;
	X509 *x = X509_new();
	BIO *out = BIO_new(BIO_s_mem());
	int n;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 360000);
	X509_set_pubkey(x, key);
	X509V3_set_ctx(&v3, x, x, NULL, NULL, 0);
	san = X509V3_EXT_conf_nid(NULL, &v3, NID_subject_alt_name, "DNS:fuzz.example");
	X509_add_ext(x, san, -1);
	X509_EXTENSION_free(san);
	if (X509_sign(x, key, EVP_sha256()) == 0 || PEM_write_bio_X509(out, x) != 1)
		abort();
	n = BIO_read(out, peer_pem, sizeof(peer_pem) - 1);
	peer_pem[n] = '\0';
	peer_ctx = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate(peer_ctx, x) != 1 || SSL_CTX_use_PrivateKey(peer_ctx, key) != 1)
		abort();
	BIO_free(out);
	X509_free(x);
	EVP_PKEY_free(key);
}

void
peer_init(void)
{
	log_set_level(LOG_L_ERROR);
	wire_warm();
	make_certificate();
}

const char *
peer_cert(void)
{
	return peer_pem;
}

int
peer_open(struct peer *p, int tls)
{
	int sv[2];

	memset(p, 0, sizeof(*p));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == -1)
		abort();
	p->fd = sv[0];
	if (tls) {
		p->ssl = SSL_new(peer_ctx);
		SSL_set_bio(p->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
		SSL_set_accept_state(p->ssl);
	}
	return sv[1];
}

void
peer_close(struct peer *p)
{
	if (p->fd != -1)
		close(p->fd);
	SSL_free(p->ssl);
	p->ssl = NULL;
	p->fd = -1;
}

void
peer_raw(struct peer *p, const void *data, size_t n)
{
	ssize_t ignored = p->fd != -1 && n > 0 ? send(p->fd, data, n, MSG_NOSIGNAL) : 0;

	(void)ignored;
}

void
peer_pump(struct peer *p)
{
	char tmp[16384];
	ssize_t n;
	int r;

	while (p->fd != -1 && (n = read(p->fd, tmp, sizeof(tmp))) > 0)
		if (p->ssl != NULL)
			BIO_write(SSL_get_rbio(p->ssl), tmp, (int)n);
	if (p->fd == -1 || p->ssl == NULL)
		return;
	if (!SSL_is_init_finished(p->ssl))
		SSL_do_handshake(p->ssl);
	while (SSL_is_init_finished(p->ssl) && SSL_read(p->ssl, tmp, sizeof(tmp)) > 0)
		;
	while ((r = BIO_read(SSL_get_wbio(p->ssl), tmp, sizeof(tmp))) > 0)
		peer_raw(p, tmp, (size_t)r);
}

void
peer_say(struct peer *p, const void *data, size_t n)
{
	if (p->ssl == NULL)
		peer_raw(p, data, n);
	else if (p->fd != -1 && n > 0 && SSL_is_init_finished(p->ssl)) {
		SSL_write(p->ssl, data, (int)n);
		peer_pump(p);
	}
}

void
peer_record(struct peer *p, const void *data, size_t n)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	if (p->rec.error == NULL && noiserec_seal(&p->rec, data, n, &b) == 0)
		peer_say(p, buf_ptr(&b), buf_len(&b));
	buf_free(&b);
}

uint8_t
take(struct script *s)
{
	if (s->n == 0)
		return 0;
	s->n--;
	return *s->p++;
}

const uint8_t *
script_bytes(struct script *s, size_t *n)
{
	const uint8_t *p = s->p;

	if (*n > s->n)
		*n = s->n;
	s->p += *n;
	s->n -= *n;
	return p;
}
