/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "exits.h"
#include "mapd.h"
#include "memfail.h"
#include "util_mapd.h"

/* The n-th allocation of mapd fails: the process ends with EXIT_MEMORY and nothing else (security.md D8). */

static const char message[] =
    NODE ",\"Domain\":\"example\",\"Peers\":[{\"ID\":2,\"StableID\":\"n2\",\"Name\":\"two.example.\",\"User\":7,"
	 "\"Key\":\"nodekey:2222222222222222222222222222222222222222222222222222222222222222\","
	 "\"Addresses\":[\"100.64.0.2/32\"],\"AllowedIPs\":[\"100.64.0.2/32\"],"
	 "\"Hostinfo\":{\"OS\":\"linux\",\"Hostname\":\"two\"},\"CapMap\":{\"a\":[1],\"b\":null},\"Online\":true}],"
	 "\"UserProfiles\":[{\"ID\":7,\"LoginName\":\"seven@example\",\"DisplayName\":\"Seven\"}],"
	 "\"DNSConfig\":{\"Domains\":[\"example\"],\"Routes\":{\"a.example.\":[{\"Addr\":\"192.0.2.53\"}]}},"
	 "\"PacketFilters\":{\"base\":[{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,"
	 "\"Last\":65535}}]}]},\"Health\":[\"one\",\"two\"]}";

static void
ended(struct fakeparent *fp, unsigned long n)
{
	int code;

	FP_UNTIL(fp, fp->closed);
	assert_false(fp->violation);
	if ((code = fp_reap(fp)) != EXIT_MEMORY)
		fail_msg("allocation %lu: exit %d", n, code);
}

/* 1: the message was accepted; else the process has ended as it should. */
static int
message_with(unsigned long n)
{
	struct fakeparent fp;
	struct fs_stream *poll;
	struct fp_msg *m;
	int live = 0, done;

	memfail_at(0);
	poll = open_stream(&fp, 120000);
	memfail_at(n);
	send_frame(fp.servers[0], poll, message);
	for (unsigned i = 0; i < FP_WAIT_MS && !fp.closed && !live; i++) {
		if ((m = fp_try(&fp, IPC_STREAM, 1)) != NULL)
			live = m->u.stream.what == IPC_STREAM_LIVE;
	}
	done = live && memfail_count() < n;
	memfail_at(0);
	if (done) {
		fp_stop(&fp);
		return 1;
	}
	ended(&fp, n);
	fp_free(&fp);
	return 0;
}

static void
test_each_allocation_of_a_message(void **state)
{
	unsigned long n;

	(void)state;
	for (n = 1; !message_with(n); n++)
		assert_true(n < 2000);
	print_message("%lu allocations\n", n - 1);
	assert_true(n > 30);
}

/* 1: it was READY.  Most is what libraries load. */
static int
start_with(unsigned long n)
{
	struct fakeparent fp;
	struct ipc_hello hello;
	int ready = 0;

	memfail_at(n);
	fp_start(&fp, &mapd_role);
	fp_fill_hello(&hello, &mapd_role);
	fp_send(&fp, IPC_HELLO, IPC_ID_NONE, &hello, sizeof(hello), -1);
	fp_send_config(&fp, 120000);
	for (unsigned i = 0; i < FP_WAIT_MS && !fp.closed && !ready; i++)
		ready = fp_try(&fp, IPC_READY, 1) != NULL;
	if (ready && memfail_count() < n) {
		fp_stop(&fp);
		return 1;
	}
	ended(&fp, n);
	fp_free(&fp);
	return 0;
}

static void
test_allocations_of_the_start(void **state)
{
	unsigned long n;

	(void)state;
	for (n = 1; !start_with(n); n += n < 32 ? 1 : n / 8)
		assert_true(n < 1000000);
	assert_true(n > 32);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_of_a_message),
		cmocka_unit_test(test_allocations_of_the_start),
	};

	memfail_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
