/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "util_server.h"

static int
no_h2(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in, unsigned inlen, void *arg)
{
	(void)ssl;
	(void)out;
	(void)outlen;
	(void)arg;
	for (unsigned i = 0; i < inlen; i += 1u + in[i])
		if (in[i] == 2 && memcmp(in + i + 1, "h2", 2) == 0)
			abort(); /* DIAL-06: never offered */
	return SSL_TLSEXT_ERR_NOACK;
}

SSL_CTX *
ts_tls_context(const char *san, int days, char **pem)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	X509 *x = X509_new();
	X509_EXTENSION *ext;
	BIO *bio;
	char *p;
	long n;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -2 * 86400);
	X509_gmtime_adj(X509_getm_notAfter(x), days * 86400L);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1,
	    0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
	X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	X509_sign(x, key, EVP_sha256());
	if (SSL_CTX_use_certificate(ctx, x) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1)
		abort();
	SSL_CTX_set_alpn_select_cb(ctx, no_h2, NULL);
	if (pem != NULL) {
		bio = BIO_new(BIO_s_mem());
		PEM_write_bio_X509(bio, x);
		n = BIO_get_mem_data(bio, &p);
		*pem = calloc(1, (size_t)n + 1);
		memcpy(*pem, p, (size_t)n);
		BIO_free(bio);
	}
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}
