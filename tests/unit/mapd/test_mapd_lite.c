/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "mapd.h"
#include "util_mapd.h"

static unsigned
count_lites(struct fakeserver *fs)
{
	unsigned i, n = 0;

	for (i = 0; i < fs->nstreams; i++)
		n += fs->streams[i].ended && strstr(fs_body(&fs->streams[i]), "\"OmitPeers\":true") != NULL;
	return n;
}

/* --- lite updates --- */

/* rows: LITE-01 */
static void
test_lite_on_change(void **state)
{
	struct fakeparent fp;
	struct fakeserver *fs;
	struct fs_stream *poll = live_stream(&fp, 120000), *lite;
	struct ipc_map_params params;
	struct fp_msg *m;

	(void)state;
	fs = fp.servers[0];
	assert_int_equal(fp_wait(&fp, IPC_LITE)->u.lite.generation, 1);
	send_params(&fp, 2, 555);
	lite = wait_lite(&fp, fs, 1);
	assert_non_null(strstr(fs_body(lite), "192.0.2.7:555"));
	assert_null(strstr(fs_body(lite), "Stream"));
	assert_null(strstr(fs_body(lite), "ReadOnly"));
	fs_answer(fs, lite, "200", NULL, "junk that is not read.", 22, 1);
	m = fp_wait(&fp, IPC_LITE);
	assert_int_equal(m->u.lite.ok, 1);
	assert_int_equal(m->u.lite.generation, 2);
	send_params(&fp, 3, 555); /* the same value again: confirmed, not sent */
	m = fp_wait(&fp, IPC_LITE);
	assert_int_equal(m->u.lite.ok, 1);
	assert_int_equal(m->u.lite.generation, 3);
	fill_params(&params, 4, 555);
	params.refresh = 1;
	fp_send(&fp, IPC_MAP_PARAMS, IPC_ID_NONE, &params, sizeof(params), -1);
	lite = wait_lite(&fp, fs, 2);
	fs_answer(fs, lite, "200", NULL, "", 0, 1);
	fp_send_hostinfo(&fp, "{\"OS\":\"linux\",\"Hostname\":\"new\",\"BackendLogID\":\"b1\"}");
	lite = wait_lite(&fp, fs, 3);
	assert_non_null(strstr(fs_body(lite), "\"Hostname\":\"new\""));
	assert_false(poll->closed);
	assert_int_equal(count_lites(fs), 4);
	fp_stop(&fp);
}

/* rows: LITE-03 */
static void
test_lite_burst(void **state)
{
	struct fakeparent fp;
	struct fakeserver *fs;
	struct fs_stream *lite;
	uint32_t i;

	(void)state;
	live_stream(&fp, 120000);
	fs = fp.servers[0];
	for (i = 2; i <= 50; i++)
		send_params(&fp, i, (uint16_t)(1000 + i));
	lite = wait_lite(&fp, fs, 1);
	for (i = 51; i <= 60; i++) { /* while one is in flight */
		send_params(&fp, i, (uint16_t)(1000 + i));
		fp_run_for(&fp, 2);
	}
	assert_int_equal(count_lites(fs), 2);
	fs_answer(fs, lite, "200", NULL, "", 0, 1);
	lite = wait_lite(&fp, fs, 2);
	assert_non_null(strstr(fs_body(lite), "192.0.2.7:1060"));
	fs_answer(fs, lite, "200", NULL, "", 0, 1);
	while (fp_wait(&fp, IPC_LITE)->u.lite.generation != 60)
		;
	fp_run_for(&fp, 50);
	assert_int_equal(count_lites(fs), 3);
	fp_stop(&fp);
}

/* rows: LITE-06 */
static void
test_lite_failure(void **state)
{
	struct fakeparent fp;
	struct fakeserver *fs;
	struct fs_stream *poll = live_stream(&fp, 120000), *lite;
	struct fp_msg *m;
	unsigned i;

	(void)state;
	fs = fp.servers[0];
	fp_wait(&fp, IPC_LITE);
	send_params(&fp, 2, 555);
	for (i = 1; i <= 3; i++) {
		lite = wait_lite(&fp, fs, i);
		if (i == 2)
			nghttp2_submit_rst_stream(fs->h2, NGHTTP2_FLAG_NONE, lite->id, NGHTTP2_INTERNAL_ERROR);
		else
			fs_answer(fs, lite, "500", NULL, "oops", 4, 1);
		fs_pump(fs);
		m = fp_wait(&fp, IPC_LITE);
		assert_int_equal(m->u.lite.ok, 0);
		assert_true(m->u.lite.err_len > 0);
	}
	lite = wait_lite(&fp, fs, 4);
	fs_answer(fs, lite, "200", NULL, "", 0, 1);
	m = fp_wait(&fp, IPC_LITE);
	assert_int_equal(m->u.lite.ok, 1);
	assert_int_equal(m->u.lite.generation, 2);
	assert_false(poll->closed);
	m = ask_counters(&fp);
	assert_int_equal(m->u.counters.lite_ok, 2);
	assert_int_equal(m->u.counters.lite_failed, 3);
	/* The status says that the server has it, however its answer ends. */
	send_params(&fp, 3, 556);
	lite = wait_lite(&fp, fs, 5);
	fs_answer(fs, lite, "200", NULL, "half", 4, 0);
	nghttp2_submit_rst_stream(fs->h2, NGHTTP2_FLAG_NONE, lite->id, NGHTTP2_INTERNAL_ERROR);
	fs_pump(fs);
	m = fp_wait(&fp, IPC_LITE);
	assert_int_equal(m->u.lite.ok, 1);
	assert_int_equal(m->u.lite.generation, 3);
	fp_run_for(&fp, 100); /* the first retry comes within 15 ms */
	assert_int_equal(count_lites(fs), 6);
	assert_null(fp_try(&fp, IPC_LITE, 0));
	assert_false(poll->closed);
	fp_stop(&fp);
}

/* A lite update that hangs is given up by its own watchdog; the stream lives on keep-alives. */
/* rows: LITE-06 */
static void
test_lite_hangs(void **state)
{
	struct fakeparent fp;
	struct fakeserver *fs;
	struct fs_stream *poll = live_stream(&fp, 500), *lite;
	int i;

	(void)state;
	fs = fp.servers[0];
	fp_wait(&fp, IPC_LITE);
	send_params(&fp, 2, 555);
	lite = wait_lite(&fp, fs, 1);
	for (i = 0; i < 8; i++) {
		send_frame(fs, poll, KEEPALIVE);
		fp_run_for(&fp, 100);
	}
	assert_true(lite->closed);
	assert_int_equal(fp_wait(&fp, IPC_LITE)->u.lite.ok, 0);
	wait_lite(&fp, fs, 2);
	assert_false(poll->closed);
	fp_stop(&fp);
}

static void
send_forwarding(struct fakeparent *fp, uint32_t generation, int broken)
{
	struct ipc_map_params p;

	fill_params(&p, generation, 41641);
	p.ip_forwarding_broken = (uint32_t)broken;
	fp_send(fp, IPC_MAP_PARAMS, IPC_ID_NONE, &p, sizeof(p), -1);
}

/* A host that cannot forward reports it, in update and poll, and withdraws it; the stream continues. */
/* rows: LITE-07 */
static void
test_forwarding_broken(void **state)
{
	static const char flag[] = "\"DebugFlags\":[\"warn-ip-forwarding-off\"]";
	struct fakeparent fp;
	struct fakeserver *fs;
	struct fs_stream *poll = live_stream(&fp, 120000), *lite;

	(void)state;
	fs = fp.servers[0];
	fp_wait(&fp, IPC_LITE);
	assert_null(strstr(fs_body(poll), "DebugFlags"));
	assert_null(strstr(fs_body(wait_lite(&fp, fs, 0)), "DebugFlags"));
	send_forwarding(&fp, 2, 1);
	lite = wait_lite(&fp, fs, 1);
	assert_non_null(strstr(fs_body(lite), flag));
	fs_answer(fs, lite, "200", NULL, "", 0, 1);
	assert_int_equal(fp_wait(&fp, IPC_LITE)->u.lite.generation, 2);
	send_forwarding(&fp, 3, 0);
	lite = wait_lite(&fp, fs, 2);
	assert_null(strstr(fs_body(lite), "DebugFlags"));
	fs_answer(fs, lite, "200", NULL, "", 0, 1);
	assert_int_equal(fp_wait(&fp, IPC_LITE)->u.lite.generation, 3);
	assert_int_equal(count_lites(fs), 3);
	assert_false(poll->closed);
	send_forwarding(&fp, 4, 1);
	lite = wait_lite(&fp, fs, 3);
	assert_non_null(strstr(fs_body(lite), flag));
	fs_answer(fs, lite, "200", NULL, "", 0, 1);
	send_start(&fp, 51, 0x11, 0);
	assert_non_null(strstr(fs_body(wait_body(&fp, fs, "\"Stream\":true", 1)), flag));
	fp_stop(&fp);
}

/* rows: LITE-04 */
static void
test_lite_before_login(void **state)
{
	struct fakeparent fp;

	(void)state;
	fp_start_ready(&fp, &mapd_role);
	send_params(&fp, 1, 1);
	fp_send_hostinfo(&fp, FP_HOSTINFO);
	assert_null(fp_try(&fp, IPC_DIAL, 100));
	fp_stop(&fp);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lite_on_change),
		cmocka_unit_test(test_lite_burst),
		cmocka_unit_test(test_lite_failure),
		cmocka_unit_test(test_lite_hangs),
		cmocka_unit_test(test_forwarding_broken),
		cmocka_unit_test(test_lite_before_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
