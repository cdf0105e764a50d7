/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include "serverkey.h"
#include "unit.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tls.h"
#include "util_parent.h"

#define OK     "HTTP/1.1 200 OK\r\n"
#define MKEY   "mkey:0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define ZERO   "mkey:0000000000000000000000000000000000000000000000000000000000000000"
#define LEGACY "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"

static struct trust *
trust_from(const char *text, size_t n, char *err)
{
	FILE *f = tmpfile();
	int fd;

	assert_int_equal(fwrite(text, 1, n, f), n);
	fflush(f);
	fd = dup(fileno(f));
	fclose(f);
	lseek(fd, 0, SEEK_SET);
	return trust_load(fd, err, 200);
}

/* One clear-text fetch against a server that answers `http`. */
static void
fetch(struct tparent *p, const char *http, int keep, const char *path)
{
	tp_init(p, "192.0.2.7");
	p->plan[WIRE_DIAL_URL] = (struct ts_plan){ .http = http, .http_keep = keep };
	tp_fetch(p, NULL, path, 300);
	assert_true(tp_wait(p, &p->fetched, 1, 1000));
}

static void
expect(const char *http, int keep, int status, const char *body, const char *err, enum cause cause)
{
	struct tparent p;

	fetch(&p, http, keep, "/key?v=131");
	if (p.status != status || strcmp(p.err, err) != 0)
		fail_msg("%d \"%s\" instead of %d \"%s\"", p.status, p.err, status, err);
	if (p.cause != cause)
		fail_msg("\"%s\": cause %d instead of %d", err, (int)p.cause, (int)cause);
	assert_int_equal(p.fetched, 1);
	assert_int_equal(p.ndials, 1);
	if (body != NULL) {
		assert_int_equal(buf_len(&p.body), strlen(body));
		assert_memory_equal(buf_ptr(&p.body), body, strlen(body));
	}
	tp_run(&p, 5);
	assert_true(tp_server(&p, 0)->eof || tp_server(&p, 0)->fd == -1); /* KEY-06 */
	tp_free(&p);
}

/* rows: KEY-06 */
static void
test_request(void **state)
{
	struct tparent p;
	struct tserver *t;

	(void)state;
	fetch(&p, OK "Content-Length: 2\r\n\r\n{}", 1, "/key?v=131");
	t = tp_server(&p, 0);
	buf_putc(&t->seen, '\0');
	assert_string_equal(buf_ptr(&t->seen),
	    "GET /key?v=131 HTTP/1.1\r\nHost: 192.0.2.7:8080\r\nUser-Agent: tailnetd\r\nConnection: close\r\n\r\n");
	assert_int_equal(p.dials[0].kind, WIRE_DIAL_URL);
	tp_run(&p, 5);
	assert_true(t->eof); /* closed although the server would have kept it */
	tp_free(&p);
}

/* rows: KEY-04 */
static void
test_answers(void **state)
{
	(void)state;
	expect(OK "Content-Length: 5\r\n\r\nhello", 1, 200, "hello", "", CAUSE_NONE);
	expect(OK "\r\nuntil close", 0, 200, "until close", "", CAUSE_NONE);
	expect(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 1, 200, "hello", "", CAUSE_NONE);
	expect("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 1, 404, "no", "HTTP 404 Not Found",
	    CAUSE_NOT_CONTROL);
	expect("HTTP/1.1 500 Oops\r\nContent-Length: 200000\r\n\r\nx", 1, 500, NULL, "HTTP 500 Oops", CAUSE_HTTP);
	expect("HTTP/1.1 500 Oops\r\nContent-Length: 20\r\n\r\ncut", 0, 500, "cut", "HTTP 500 Oops", CAUSE_HTTP);
	expect("HTTP/1.1 503 Later\r\n\r\nnever ends", 1, 503, "never ends", "HTTP 503 Later", CAUSE_HTTP);
	expect(OK "Content-Length: 20\r\n\r\ncut", 0, 0, NULL, "answer of 192.0.2.7:8080 (HTTP 200 OK): cut off",
	    CAUSE_HTTP);
	expect(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", 0, 0, NULL,
	    "answer of 192.0.2.7:8080 (HTTP 200 OK): cut off", CAUSE_HTTP);
	expect(OK "Content-Length: 65537\r\n\r\n", 1, 0, NULL,
	    "answer of 192.0.2.7:8080 (HTTP 200 OK): body larger than 65536 bytes", CAUSE_HTTP);
	expect(OK "\r\nnever ends", 1, 0, NULL, "answer of 192.0.2.7:8080 (HTTP 200 OK): it does not end", CAUSE_HTTP);
	expect(OK, 1, 0, NULL, "request to 192.0.2.7:8080: no answer within 0 s", CAUSE_OTHER);
	expect("garbage\r\n\r\n", 1, 0, NULL, "answer of 192.0.2.7:8080: not an HTTP/1.1 answer", CAUSE_OTHER);
	expect("", 0, 0, NULL, "no answer, connection closed by 192.0.2.7:8080", CAUSE_OTHER);
	expect("HTTP/1.1 101 x\r\n\r\n", 1, 0, NULL, "answer of 192.0.2.7:8080: unexpected HTTP 101", CAUSE_HTTP);
	expect("HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\n1", 1, 200, "1", "", CAUSE_NONE);
}

/* rows: KEY-04 */
static void
test_endless_body(void **state)
{
	struct tparent p;
	struct tserver *t;
	char *blob = malloc(1 << 20);

	(void)state;
	memset(blob, 'x', 1 << 20);
	tp_init(&p, "192.0.2.7");
	p.plan[WIRE_DIAL_URL] = (struct ts_plan){ .http = OK "\r\n", .http_keep = 1 };
	tp_fetch(&p, NULL, "/key", 5000);
	while (p.ndials == 0 || buf_len(&tp_server(&p, 0)->seen) == 0)
		tp_run(&p, 5);
	t = tp_server(&p, 0);
	ts_send_wire(t, blob, 1 << 20);
	ts_flush(t);
	tp_mark(&p);
	assert_true(tp_wait(&p, &p.fetched, 1, 1000));
	assert_int_equal(p.status, 0);
	assert_non_null(strstr(p.err, "(HTTP 200 OK): body larger than 65536 bytes"));
	free(blob);
	tp_free(&p);
}

static void
test_dial_failures_and_cancel(void **state)
{
	struct tparent p;

	(void)state;
	tp_init(&p, "192.0.2.7");
	p.way[WIRE_DIAL_URL] = TP_REFUSE;
	tp_fetch(&p, NULL, "/key", 300);
	assert_true(tp_wait(&p, &p.fetched, 1, 1000));
	assert_string_equal(p.err, "connect to 192.0.2.1: Connection refused");
	p.way[WIRE_DIAL_URL] = TP_IGNORE;
	tp_fetch(&p, NULL, "/key", 50);
	assert_true(tp_wait(&p, &p.fetched, 2, 1000));
	assert_string_equal(p.err, "connection to 192.0.2.7:8080: no connection within 0 s");
	assert_int_equal(p.ncancels, 1);
	tp_fetch(&p, NULL, "/key", 5000);
	tp_run(&p, 5);
	fetch_cancel(p.f);
	p.f = NULL;
	assert_int_equal(p.ncancels, 2);
	tp_fetch(&p, NULL, "/a b", 5000);
	p.way[WIRE_DIAL_URL] = TP_CONNECT;
	assert_true(tp_wait(&p, &p.fetched, 3, 1000));
	assert_non_null(strstr(p.err, "path or host not usable"));
	assert_int_equal(p.fetched, 3);
	tp_free(&p);
}

#define TO(where) "HTTP/1.1 302 Found\r\nLocation: " where "\r\nContent-Length: 0\r\n\r\n"

static void
test_redirects(void **state)
{
	static const struct {
		const char *http;
		unsigned dials;
		const char *path;
	} t[] = {
		{ TO("/other?x=1#frag"), 4, "GET /other?x=1 HTTP/1.1\r\n" },
		{ TO("http://192.0.2.7:8080/abs"), 4, "GET /abs HTTP/1.1\r\n" },
		{ TO("HTTP://192.0.2.7:8080/abs"), 4, "GET /abs HTTP/1.1\r\n" },
		{ TO("https://192.0.2.7:8080/abs"), 1, NULL },
		{ TO("http://192.0.2.7:80/abs"), 1, NULL },
		{ TO("http://192.0.2.7/abs"), 1, NULL },
		{ TO("http://192.0.2.7:8080.example/abs"), 1, NULL },
		{ TO("http://192.0.2.7:8080@example/abs"), 1, NULL },
		{ TO("//example/abs"), 1, NULL },
		{ TO("file:///etc/passwd"), 1, NULL },
		{ TO("relative"), 1, NULL },
		{ TO(""), 1, NULL },
		{ "HTTP/1.1 301 x\r\n\r\n", 1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct tparent p;

		fetch(&p, t[i].http, 1, "/key");
		assert_int_equal(p.status, 0);
		if (p.ndials != t[i].dials)
			fail_msg("case %zu: %u dials", i, p.ndials);
		if (t[i].path != NULL)
			assert_memory_equal(buf_ptr(&tp_server(&p, 1)->seen), t[i].path, strlen(t[i].path));
		assert_non_null(
		    strstr(p.err, t[i].dials == 4 ? "redirects (HTTP 302) too often" : "redirects (HTTP 30"));
		assert_int_equal(p.cause, CAUSE_HTTP);
		tp_free(&p);
	}
}

/* https against `ctx`, trusting `pem`; the result in p. */
static void
fetch_tls(struct tparent *p, SSL_CTX *ctx, const char *pem, const char *host, const char *http)
{
	char err[200];
	struct trust *trust = trust_from(pem, strlen(pem), err);

	assert_non_null(trust);
	tp_init(p, host);
	p->cfg.https = 1;
	p->plan[WIRE_DIAL_URL] = (struct ts_plan){ .http = http, .tls = ctx };
	tp_fetch(p, trust, "/key", 2000);
	assert_true(tp_wait(p, &p->fetched, 1, 3000));
	trust_free(trust);
}

/* rows: KEY-05 */
static void
test_certificates(void **state)
{
	static const struct {
		const char *san, *host;
		int days, ok;
		const char *why;
	} t[] = {
		{ "DNS:control.example", "control.example", 10, 1, "" },
		{ "DNS:*.corp.example", "control.corp.example", 10, 1, "" },
		{ "IP:127.0.0.1", "127.0.0.1", 10, 1, "" },
		{ "IP:::1", "::1", 10, 1, "" },
		{ "DNS:control.example", "control.example.", 10, 1, "" }, /* a complete name */
		{ "DNS:other.example", "control.example.", 10, 0, "ostname mismatch" },
		{ "DNS:other.example", "control.example", 10, 0, "ostname mismatch" },
		{ "DNS:test2", "test", 10, 0, "ostname mismatch" }, /* the subject does not count */
		{ "DNS:127.0.0.1", "127.0.0.1", 10, 0, "IP address mismatch" },
		{ "IP:127.0.0.2", "127.0.0.1", 10, 0, "IP address mismatch" },
		{ "DNS:control.example", "control.example", -1, 0, "has expired" },
	};
	char *pem, *foreign;
	SSL_CTX *ctx, *other;
	struct tparent p;

	(void)state;
	other = ts_tls_context("DNS:control.example", 10, &foreign);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		ctx = ts_tls_context(t[i].san, t[i].days, &pem);
		fetch_tls(&p, ctx, pem, t[i].host, OK "Content-Length: 2\r\n\r\n{}");
		if (p.status != (t[i].ok ? 200 : 0) || strstr(p.err, t[i].why) == NULL ||
		    p.cause !=
			(t[i].ok                ? CAUSE_NONE
				: t[i].days < 0 ? CAUSE_CERT_TIME
						: CAUSE_CERT_NAME))
			fail_msg("case %zu: %d \"%s\"", i, p.status, p.err);
		/* Nothing was asked of a server that did not prove itself, and there is no second try without TLS. */
		assert_int_equal(buf_len(&tp_server(&p, 0)->seen) > 0, t[i].ok);
		assert_int_equal(p.ndials, 1);
		tp_free(&p);
		free(pem);
		SSL_CTX_free(ctx);
	}
	ctx = ts_tls_context("DNS:control.example", 10, &pem);
	fetch_tls(&p, ctx, foreign, "control.example", OK "\r\n");
	assert_int_equal(p.status, 0);
	assert_non_null(
	    strstr(p.err, "TLS handshake with control.example:8080 failed: the certificate is not acceptable: self"));
	assert_int_equal(p.cause, CAUSE_CERTIFICATE);
	assert_int_equal(buf_len(&tp_server(&p, 0)->seen), 0);
	tp_free(&p);
	/* TLS 1.1 only. */
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	fetch_tls(&p, ctx, pem, "control.example", OK "\r\n");
	assert_int_equal(p.status, 0);
	assert_non_null(strstr(p.err, "TLS handshake with control.example:8080 failed: "));
	assert_int_equal(p.cause, CAUSE_OTHER);
	tp_free(&p);
	/* No trust anchors, no request. */
	tp_init(&p, "control.example");
	p.cfg.https = 1;
	tp_fetch(&p, NULL, "/key", 2000);
	assert_true(tp_wait(&p, &p.fetched, 1, 1000));
	assert_int_equal(p.ndials, 0);
	assert_string_equal(p.err, "request to control.example:8080: no trust anchors");
	assert_int_equal(p.cause, CAUSE_CERTIFICATE);
	tp_free(&p);
	free(pem);
	free(foreign);
	SSL_CTX_free(ctx);
	SSL_CTX_free(other);
}

/* A body without length must end with close_notify, or an attacker may have cut it. */
static void
test_cut_tls(void **state)
{
	SSL_CTX *ctx;
	struct tparent p;
	struct trust *trust;
	char *pem, err[200];

	(void)state;
	ctx = ts_tls_context("DNS:control.example", 10, &pem);
	for (int polite = 0; polite < 2; polite++) {
		trust = trust_from(pem, strlen(pem), err);
		tp_init(&p, "control.example");
		p.cfg.https = 1;
		p.plan[WIRE_DIAL_URL] = (struct ts_plan){ .http = OK "\r\nbody", .http_keep = 1, .tls = ctx };
		tp_fetch(&p, trust, "/key", 2000);
		tp_run(&p, 100);
		assert_int_equal(p.fetched, 0);
		if (!polite)
			SSL_set_quiet_shutdown(tp_server(&p, 0)->ssl, 1);
		ts_close(tp_server(&p, 0));
		assert_true(tp_wait(&p, &p.fetched, 1, 1000));
		assert_int_equal(p.status, polite ? 200 : 0);
		if (!polite)
			assert_non_null(strstr(p.err, "cut off"));
		tp_free(&p);
		trust_free(trust);
	}
	free(pem);
	SSL_CTX_free(ctx);
}

/* A server that accepts the connection and sends nothing: the text names the step of the fetch. */
/* rows: KEY-04 */
static void
test_silence_in_the_handshake(void **state)
{
	char *pem, err[200];
	SSL_CTX *ctx = ts_tls_context("DNS:control.example", 10, &pem);
	struct trust *trust = trust_from(pem, strlen(pem), err);
	struct tparent p;

	(void)state;
	for (int proxy = 0; proxy < 2; proxy++) {
		tp_init(&p, "control.example");
		p.cfg.https = 1;
		p.cfg.via_proxy = (unsigned)proxy;
		p.plan[WIRE_DIAL_URL] = (struct ts_plan){ .silent = 1 };
		tp_fetch(&p, trust, "/key", 1100);
		assert_true(tp_wait(&p, &p.fetched, 1, 5000));
		assert_int_equal(p.status, 0);
		assert_string_equal(p.err,
		    proxy ? "proxy CONNECT to control.example:8080: no answer within 1 s"
			  : "TLS handshake with control.example:8080: no answer within 1 s");
		tp_free(&p);
	}
	trust_free(trust);
	free(pem);
	SSL_CTX_free(ctx);
}

/* Newer CA certificates arrive while a fetch uses the old ones, also for the connection after a redirect. */
/* rows: KEY-05 PING-01 */
static void
test_trust_is_replaced_meanwhile(void **state)
{
	char *pem, err[200];
	SSL_CTX *ctx = ts_tls_context("DNS:control.example", 10, &pem);
	struct trust *trust = trust_from(pem, strlen(pem), err);
	struct tparent p;

	(void)state;
	tp_init(&p, "control.example");
	p.cfg.https = 1;
	p.plan[WIRE_DIAL_URL] = (struct ts_plan){ .http = TO("/key2"), .tls = ctx };
	tp_fetch(&p, trust, "/key", 2000);
	trust_free(trust);
	assert_true(tp_wait(&p, &p.fetched, 1, 3000));
	assert_int_equal(p.ndials, 4);
	assert_non_null(strstr(p.err, "too often"));
	tp_free(&p);
	free(pem);
	SSL_CTX_free(ctx);
}

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END   "-----END CERTIFICATE-----\n"

static void
test_trust_files(void **state)
{
	char err[200] = "", *pem, *two;
	struct trust *t;
	SSL_CTX *ctx;

	(void)state;
	ctx = ts_tls_context("DNS:a", 10, &pem);
	two = malloc(2 * strlen(pem) + 200);
	sprintf(two, "# comment\n%s\nnoise\n%s", pem, pem);
	t = trust_from(two, strlen(two), err);
	assert_non_null(t);
	trust_free(t);
	/* What is malformed takes nothing else with it: neither the ones behind it nor those before. */
	sprintf(two, "%sAAAA\n%s%s%s%sAAAA", BEGIN, BEGIN "!\n" END, BEGIN "AAAA\n" END, pem, BEGIN);
	t = trust_from(two, strlen(two), err);
	assert_non_null(t);
	trust_free(t);
	assert_null(trust_from("", 0, err));
	assert_string_equal(err, "the CA file is missing or holds no PEM certificate (ca-file)");
	assert_null(trust_from("hello\n", 6, err));
	assert_null(trust_from("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 58, err));
	pem[60] ^= 1;
	pem[61] ^= 1;
	assert_null(trust_from(pem, strlen(pem), err));
	assert_null(trust_load(open("/", O_RDONLY), err, sizeof(err)));
	assert_non_null(strstr(err, "reading the CA file"));
	free(two);
	two = calloc(1, (4 << 20) + 1);
	assert_null(trust_from(two, (4 << 20) + 1, err));
	assert_string_equal(err, "the CA file is larger than 4 MiB");
	free(two);
	free(pem);
	SSL_CTX_free(ctx);
}

static void
test_key_body(void **state)
{
	static const struct {
		const char *body;
		int rc;
	} t[] = {
		{ "{\"legacyPublicKey\":\"" ZERO "\",\"publicKey\":\"" MKEY "\"}", 0 },
		{ "{\"publicKey\":\"" MKEY "\"}\n", 0 },
		{ "{\"PUBLICKEY\":\"" MKEY "\",\"more\":[{}]}", 0 },
		{ LEGACY, 1 },
		{ "{\"legacyPublicKey\":\"" MKEY "\"}", 1 },
		{ "{\"legacyPublicKey\":\"" MKEY "\",\"publicKey\":\"" ZERO "\"}", 1 },
		{ "{\"publicKey\":null}", 1 },
		{ "{}", 1 },
		{ "", -1 },
		{ "[]", -1 },
		{ "<html>", -1 },
		{ "7", -1 },
		{ LEGACY "\n", -1 },
		{ "{\"publicKey\":\"nodekey:" LEGACY "\"}", -1 },
		{ "{\"publicKey\":\"" LEGACY "\"}", -1 },
		{ "{\"publicKey\":\"\"}", -1 },
		{ "{\"publicKey\":7}", -1 },
		{ "{\"publicKey\":\"" MKEY "\"", -1 },
	};
	struct pubkey key;
	uint8_t *big = calloc(1, 65537);

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		memset(&key, 0xee, sizeof(key));
		if (serverkey_parse((const uint8_t *)t[i].body, strlen(t[i].body), &key) != t[i].rc)
			fail_msg("case %zu", i);
		for (int k = 0; t[i].rc == 0 && k < 32; k++)
			assert_int_equal(key.b[k], k + 1);
	}
	memset(big, ' ', 65537);
	memcpy(big, t[0].body, strlen(t[0].body));
	assert_int_equal(serverkey_parse(big, 65536, &key), 0);
	assert_int_equal(serverkey_parse(big, 65537, &key), -1);
	free(big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_endless_body),
		cmocka_unit_test(test_dial_failures_and_cancel),
		cmocka_unit_test(test_redirects),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_cut_tls),
		cmocka_unit_test(test_silence_in_the_handshake),
		cmocka_unit_test(test_trust_is_replaced_meanwhile),
		cmocka_unit_test(test_trust_files),
		cmocka_unit_test(test_key_body),
	};

	wire_warm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
