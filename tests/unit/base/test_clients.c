/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clients.h"
#include "unit.h"

static void
test_limits(void **state)
{
	(void)state;
	assert_true(clients_fit(0, 0, 1000));
	assert_true(clients_fit(CLIENTS_MAX - 1, CLIENTS_UID - 1, 1000));
	assert_false(clients_fit(CLIENTS_MAX, 0, 1000));
	assert_false(clients_fit(CLIENTS_UID, CLIENTS_UID, 1000));
	assert_true(clients_fit(CLIENTS_MAX + CLIENTS_ROOT - 1, CLIENTS_MAX, 0));
	assert_false(clients_fit(CLIENTS_MAX + CLIENTS_ROOT, 0, 0));
}

static void
test_hung_up(void **state)
{
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_false(client_hung_up(fd[0]));
	assert_int_equal(shutdown(fd[1], SHUT_WR), 0);
	assert_false(client_hung_up(fd[0])); /* it still reads */
	close(fd[1]);
	assert_true(client_hung_up(fd[0]));
	close(fd[0]);
}

static void
same(size_t n, const char *have, const char *want)
{
	assert_string_equal(have, want);
	assert_int_equal(n, strlen(want));
}

static void
test_ends(void **state)
{
	static const char *const wrong[] = { "", "# end: ", "# end: 2 peers, netmapSeq ",
		"# end:  2 peers, netmapSeq 1", "# end: 2 peers, netmapSeq 1 ", "# end: -2 peers, netmapSeq 1",
		"# end: 99999999999999999999 peers, netmapSeq 1", "{\"end\":{\"count\":2,\"netmapSeq\":1}",
		"{\"end\":{\"count\":,\"netmapSeq\":1}}", "{\"end\":{\"count\":2,\"netmapSeq\":1}}}",
		"x{\"end\":{\"count\":2,\"netmapSeq\":1}}" };
	uint64_t count = 0, seq = 0;
	char text[END_MAX];
	size_t i, n;

	(void)state;
	same(n = end_text(text, 12, 17), text, "# end: 12 peers, netmapSeq 17\n");
	assert_true(end_text_read(text, n - 1, &count, &seq) && count == 12 && seq == 17);
	assert_false(end_text_read(text, n, &count, &seq));
	assert_false(end_line_read(text, n - 1, &count, &seq));
	same(n = end_line(text, 0, 18), text, "{\"end\":{\"count\":0,\"netmapSeq\":18}}\n");
	assert_true(end_line_read(text, n - 1, &count, &seq) && count == 0 && seq == 18);
	assert_true(end_line_read(text, n - 1, &count, NULL));
	assert_false(end_text_read(text, n - 1, &count, &seq));
	assert_false(end_text_read(NULL, 0, &count, &seq));
	n = end_text(text, UINT64_MAX, UINT64_MAX);
	assert_true(n < END_MAX && end_line(text, UINT64_MAX, UINT64_MAX) < END_MAX);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(end_text_read(wrong[i], strlen(wrong[i]), &count, &seq));
		assert_false(end_line_read(wrong[i], strlen(wrong[i]), &count, &seq));
	}
}

static void
test_events(void **state)
{
	char text[EVENT_TEXT_MAX], fields[EVENT_FIELDS_MAX];
	size_t n;

	(void)state;
	same(event_head(text, UINT64_MAX, (struct wtime){ 1700000000, 123000000 }), text,
	    "{\"v\":1,\"seq\":18446744073709551615,\"time\":\"2023-11-14T22:13:20.123Z\",");
	same(event_netmap(text, UINT64_MAX, SIZE_MAX), text,
	    "\"event\":\"netmap\",\"netmapSeq\":18446744073709551615,\"full\":true,"
	    "\"peers\":18446744073709551615");
	same(event_delta(text, 7), text, "\"event\":\"delta\",\"netmapSeq\":7");
	same(event_lagged(text, 8), text, "\"event\":\"lagged\",\"dropped\":8");
	same(event_fields(fields, 0), fields, "\"fields\":[]");
	same(event_fields(fields, 1u << 0 | 1u << 14), fields, "\"fields\":[\"SelfNode\",\"DefaultAutoUpdate\"]");
	n = event_fields(fields, UINT32_MAX); /* bits without a name are ignored */
	assert_int_equal(n, strlen(fields));
	assert_non_null(strstr(fields, "\"DNS\",\"DERPMap\",\"PacketFilterRules\",\"UserProfiles\",\"Domain\","));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_hung_up),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
