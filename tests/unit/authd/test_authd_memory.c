/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exits.h"
#include "memfail.h"
#include "util_authd.h"

/* The n-th allocation of authd fails, up to a whole key fetch: the process ends with EXIT_MEMORY and nothing else. */

static unsigned long at_ready; /* allocations up to the first READY that the tester sees */

/* A key fetch as the parent would ask for it, until the channel closes.  1: it was answered. */
static int
fetch_key(struct fakeparent *fp)
{
	static const char answer[] = "{\"publicKey\":\"mkey:" HEX64 "\"}";
	struct ipc_hello hello;
	struct fakeserver *fs;
	struct fp_msg *m;
	int answered = 0, asked = 0;
	char head[100];

	fp_start(fp, &authd_role);
	fp->plain = 1;
	fp_fill_hello(&hello, &authd_role);
	fp_send(fp, IPC_HELLO, IPC_ID_NONE, &hello, sizeof(hello), -1);
	fp_send_config(fp, 120000);
	for (unsigned i = 0; i < FP_WAIT_MS && !fp->closed; i++) {
		if (!asked && fp_try(fp, IPC_READY, 0) != NULL) {
			asked = 1;
			at_ready = memfail_count();
			ipc_set_state(fp->ipc, IPC_S_BUSY);
			fp_send_hostinfo(fp, FP_HOSTINFO);
			fp_send_empty(fp, IPC_KEY_FETCH, 41);
		}
		fs = fp->nservers > 0 ? fp->servers[0] : NULL;
		if (!answered && fs != NULL && buf_len(&fs->in) > 4 &&
		    memcmp(buf_ptr(&fs->in) + buf_len(&fs->in) - 4, "\r\n\r\n", 4) == 0) {
			answered = 1;
			snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(answer));
			buf_puts(&fs->wire, head);
			buf_puts(&fs->wire, answer);
			fs_flush(fs);
		}
		if ((m = fp_try(fp, IPC_KEY_RESULT, 0)) != NULL) {
			assert_true(m->u.key.ok);
			return 1;
		}
		fp_run_for(fp, 1);
	}
	assert_true(fp->closed);
	assert_false(fp->violation);
	return 0;
}

/* 1: the fetch was answered; else the process has ended as it should. */
static int
fail_and_see(unsigned long n)
{
	struct fakeparent fp;
	int done, code;

	memfail_at(n);
	done = fetch_key(&fp);
	if (!done && (code = fp_reap(&fp)) != EXIT_MEMORY)
		fail_msg("allocation %lu: exit %d", n, code);
	fp_free(&fp);
	return done;
}

static void
test_every_allocation(void **state)
{
	unsigned long n, ready, tried = 0;

	(void)state;
	memfail_init();
	assert_true(fail_and_see(0));
	ready = at_ready;
	for (n = 1; n < ready; n += n < 64 ? 1 : n / 16) /* most is what OpenSSL loads */
		assert_false(fail_and_see(n));
	for (n = ready + 1; !fail_and_see(n); n++) /* and each one of the work */
		tried++;
	print_message("%lu allocations before READY, %lu in the work\n", ready, tried);
	assert_true(ready > 100 && tried > 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_allocation) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
