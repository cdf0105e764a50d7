/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "unit.h"

#include "pickendpoint.h"

static int
routed(const void *arg, const uint8_t addr[16], unsigned family)
{
	static const uint8_t lan[16] = { 10, 7 };

	assert_string_equal(arg, "arg");
	return family == 4 && addr_prefix_contains(lan, 16, addr);
}

static struct ipc_addr
prefix(const char *text)
{
	struct ipc_addr a = { .family = 0 };
	unsigned family, bits;

	assert_int_equal(addr_parse_prefix(text, strlen(text), a.addr, &family, &bits), 0);
	a.family = (uint8_t)family;
	a.bits = (uint8_t)bits;
	return a;
}

static enum pickendpoint_rank
rank(const struct ipc_map_params *p, const char *text)
{
	const struct pickendpoint o = { .params = p, .routed = routed, .arg = "arg" };
	uint8_t a[16];
	unsigned family;
	int zone;

	assert_int_equal(addr_parse_ip(text, strlen(text), a, &family, &zone), 0);
	pickendpoint_unmap(a, &family);
	return pickendpoint_rank(&o, a, family);
}

static void
test_never(void **state)
{
	static const char *const never[] = { "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.9.9.9", "169.254.169.254",
		"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "febf::1",
		"ff02::1", "100.64.0.1", "100.127.0.1", "fd7a:115c:a1e0::5", "::ffff:127.0.0.1",
		"::ffff:169.254.169.254", "::ffff:10.7.0.1", "10.7.0.1", "10.7.255.255" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (rank(NULL, never[i]) != PICK_NEVER)
			fail_msg("%s", never[i]);
}

static void
test_without_knowledge_of_the_host(void **state)
{
	(void)state;
	assert_int_equal(rank(NULL, "192.0.2.1"), PICK_GLOBAL);
	assert_int_equal(rank(NULL, "2001:db8::1"), PICK_GLOBAL);
	assert_int_equal(rank(NULL, "::ffff:192.0.2.1"), PICK_GLOBAL);
	assert_int_equal(rank(NULL, "10.8.0.1"), PICK_PRIVATE);
	assert_int_equal(rank(NULL, "172.17.0.1"), PICK_PRIVATE);
	assert_int_equal(rank(NULL, "172.32.0.1"), PICK_GLOBAL);
	assert_int_equal(rank(NULL, "192.168.1.1"), PICK_PRIVATE);
	assert_int_equal(rank(NULL, "fd00::1"), PICK_PRIVATE);
	assert_true(PICK_NEVER < PICK_PRIVATE && PICK_PRIVATE < PICK_GLOBAL && PICK_GLOBAL < PICK_SAME_NET);
}

/* docker0 has the same address on each host: the tunnel would lead to itself, or into the wrong containers. */
static void
test_this_hosts_networks(void **state)
{
	struct ipc_map_params p = { .nlocal = 4, .n = 2 };

	(void)state;
	p.local[0] = prefix("192.168.1.5/32");
	p.local[0].bits = 24;
	p.local[1] = prefix("172.17.0.1/32");
	p.local[1].bits = 16;
	p.local[2] = prefix("2001:db8:1::5/128");
	p.local[2].bits = 64;
	p.local[3] = prefix("198.51.100.9/32");
	p.ep[0].family = 4;
	memcpy(p.ep[0].addr, p.local[0].addr, 16);
	p.ep[1].family = 6;
	memcpy(p.ep[1].addr, p.local[2].addr, 16);
	assert_int_equal(rank(&p, "192.168.1.5"), PICK_NEVER);
	assert_int_equal(rank(&p, "::ffff:192.168.1.5"), PICK_NEVER);
	assert_int_equal(rank(&p, "192.168.1.6"), PICK_SAME_NET);
	assert_int_equal(rank(&p, "192.168.2.6"), PICK_PRIVATE);
	assert_int_equal(rank(&p, "172.17.0.1"), PICK_NEVER);
	assert_int_equal(rank(&p, "172.17.0.2"), PICK_NEVER);
	assert_int_equal(rank(&p, "172.18.0.2"), PICK_PRIVATE);
	assert_int_equal(rank(&p, "2001:db8:1::6"), PICK_SAME_NET);
	assert_int_equal(rank(&p, "2001:db8:2::6"), PICK_GLOBAL);
	assert_int_equal(rank(&p, "198.51.100.9"), PICK_NEVER);
	assert_int_equal(rank(&p, "198.51.100.8"), PICK_GLOBAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_never),
		cmocka_unit_test(test_without_knowledge_of_the_host), cmocka_unit_test(test_this_hosts_networks) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
