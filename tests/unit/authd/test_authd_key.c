/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd.h"
#include "hex.h"
#include "util_authd.h"

/* --- server key --- */

static struct fakeserver *
begin_fetch(struct fakeparent *fp, uint32_t id)
{
	struct fakeserver *fs;

	fp_start_ready(fp, &authd_role);
	fp->plain = 1;
	ipc_set_state(fp->ipc, IPC_S_BUSY);
	fp_send_empty(fp, IPC_KEY_FETCH, id);
	assert_int_equal(fp_wait(fp, IPC_DIAL)->u.dial.kind, IPC_DIAL_URL);
	fs = fp_server(fp, 0);
	FP_UNTIL(fp, buf_len(&fs->in) > 4 && memcmp(buf_ptr(&fs->in) + buf_len(&fs->in) - 4, "\r\n\r\n", 4) == 0);
	return fs;
}

static void
answer_http(struct fakeparent *fp, struct fakeserver *fs, const char *status, const char *body)
{
	char head[200];

	(void)fp;
	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", status, strlen(body));
	buf_puts(&fs->wire, head);
	buf_puts(&fs->wire, body);
	fs_flush(fs);
}

static struct fp_msg *
fetch_with(struct fakeparent *fp, const char *status, const char *body)
{
	struct fakeserver *fs = begin_fetch(fp, 41);
	struct fp_msg *m;

	answer_http(fp, fs, status, body);
	m = fp_wait(fp, IPC_KEY_RESULT);
	assert_int_equal(m->id, 41);
	return m;
}

/* rows: KEY-02 KEY-06 */
static void
test_key(void **state)
{
	struct fakeparent fp;
	struct fp_msg *m =
	    fetch_with(&fp, "200 OK", "{\"legacyPublicKey\":\"mkey:" ZERO64 "\",\"publicKey\":\"mkey:" HEX64 "\"}");
	char hex[65];

	(void)state;
	assert_int_equal(m->u.key.ok, 1);
	assert_int_equal(m->u.key.http_status, 200);
	hex_encode(m->u.key.key.b, KEY_LEN, hex);
	assert_string_equal(hex, HEX64);
	assert_non_null(strstr((const char *)buf_ptr(&fp.servers[0]->in), "GET /key?v=131 HTTP/1.1\r\n"));
	FP_UNTIL(&fp, fp.servers[0]->gone);
	assert_int_equal(fp.nservers, 1);
	fp_stop(&fp);
}

/* rows: KEY-03 */
static void
test_key_too_old(void **state)
{
	struct fakeparent fp;
	struct fp_msg *m = fetch_with(&fp, "200 OK", HEX64);
	char text[IPC_ERR_MAX + 1];

	(void)state;
	assert_int_equal(m->u.key.ok, 0);
	assert_int_equal(m->u.key.too_old, 1);
	IPC_STR(&m->u.key, err, text);
	assert_non_null(strstr(text, "too old"));
	fp_stop(&fp);
}

static void
key_error(const char *status, const char *body, unsigned http_status, const char *part)
{
	struct fakeparent fp;
	struct fp_msg *m = fetch_with(&fp, status, body);
	char text[IPC_ERR_MAX + 1];

	assert_int_equal(m->u.key.ok, 0);
	assert_int_equal(m->u.key.too_old, 0);
	assert_int_equal(m->u.key.http_status, http_status);
	IPC_STR(&m->u.key, err, text);
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", part, text);
	fp_stop(&fp);
}

/* rows: KEY-04 */
static void
test_key_errors(void **state)
{
	char *big = malloc(65538);

	(void)state;
	key_error("500 Oops", "no", 500, "500");
	key_error("200 OK", "<html>", 200, "200");
	memset(big, ' ', 65537);
	big[65537] = '\0';
	key_error("200 OK", big, 0, "server key: ");
	free(big);
}

static void
test_key_cancel(void **state)
{
	struct fakeparent fp;
	struct fakeserver *fs = begin_fetch(&fp, 5);
	struct fp_msg *m;
	char text[IPC_ERR_MAX + 1];

	(void)state;
	fp_send_empty(&fp, IPC_CANCEL, 4); /* of another operation: nothing happens */
	fp_send_empty(&fp, IPC_CANCEL, 5);
	m = fp_wait(&fp, IPC_KEY_RESULT);
	assert_int_equal(m->id, 5);
	assert_int_equal(m->u.key.ok, 0);
	IPC_STR(&m->u.key, err, text);
	assert_string_equal(text, "cancelled");
	FP_UNTIL(&fp, fs->gone);
	fp_send_empty(&fp, IPC_CANCEL, 5); /* twice is harmless */
	fp_stop(&fp);
}

static int
file_with(const char *text)
{
	char path[] = "/tmp/test_authd.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd != -1);
	unlink(path);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* No trust anchors, no key: nothing is dialled (KEY-05 is about the certificate itself). */
static void
test_key_needs_ca(void **state)
{
	struct fakeparent fp;
	struct ipc_config cfg;
	struct ipc_empty none = { 0 };
	struct fp_msg *m;

	(void)state;
	fp_start_ready(&fp, &authd_role);
	fp_fill_config(&cfg, 1);
	fp_send(&fp, IPC_CONFIG, IPC_ID_NONE, &cfg, sizeof(cfg), -1);
	ipc_set_state(fp.ipc, IPC_S_BUSY);
	fp_send_empty(&fp, IPC_KEY_FETCH, 9);
	fp_wait(&fp, IPC_NEED_CA);
	fp_send(&fp, IPC_CA, IPC_ID_NONE, &none, sizeof(none), file_with("not a certificate\n"));
	m = fp_wait(&fp, IPC_KEY_RESULT);
	assert_int_equal(m->u.key.ok, 0);
	assert_true(m->u.key.err_len > 0);
	assert_null(fp_try(&fp, IPC_DIAL, 50));
	fp_stop(&fp);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_key_too_old),
		cmocka_unit_test(test_key_errors),
		cmocka_unit_test(test_key_cancel),
		cmocka_unit_test(test_key_needs_ca),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
