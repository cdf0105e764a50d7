/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#ifdef __linux__
#include <linux/rtnetlink.h>
#endif

#include "endpoints.h"
#include "netaddr.h"
#include "timefmt.h"
#include "unit.h"

#define MANY 100

struct fake {
	struct ifaddrs i[MANY];
	struct sockaddr_storage ss[MANY];
	unsigned n;
};

static char eth0[] = "eth0";

static void
add(struct fake *f, const char *text, unsigned flags)
{
	struct sockaddr_storage *ss = &f->ss[f->n];
	struct sockaddr_in *sin = (void *)ss;
	struct sockaddr_in6 *sin6 = (void *)ss;

	if (inet_pton(AF_INET, text, &sin->sin_addr) == 1)
		ss->ss_family = AF_INET;
	else {
		assert_int_equal(inet_pton(AF_INET6, text, &sin6->sin6_addr), 1);
		ss->ss_family = AF_INET6;
	}
	f->i[f->n].ifa_addr = (struct sockaddr *)ss;
	f->i[f->n].ifa_name = eth0;
	f->i[f->n].ifa_flags = flags;
	if (f->n > 0)
		f->i[f->n - 1].ifa_next = &f->i[f->n];
	f->n++;
}

static void
test_which_addresses(void **unused)
{
	static const char *const want[] = { "10.0.0.1:5", "100.115.92.9:5", "100.128.0.1:5", "192.0.2.1:5",
		"[2001:db8::1]:5", "[fd00::1]:5", "[fd7a:115c:a1e1::1]:5" };
	struct ipc_endpoint out[IPC_MAX_ENDPOINTS];
	struct fake *f = calloc(1, sizeof(*f));
	char text[80];
	int i;

	(void)unused;
	assert_non_null(f);
	add(f, "fd00::1", IFF_UP);
	add(f, "192.0.2.1", IFF_UP);
	add(f, "127.0.0.1", IFF_UP | IFF_LOOPBACK);
	add(f, "192.0.2.7", IFF_UP | IFF_LOOPBACK); /* an address on lo */
	add(f, "127.0.0.2", IFF_UP);
	add(f, "192.0.2.8", 0); /* down */
	add(f, "fe80::1", IFF_UP);
	add(f, "169.254.1.1", IFF_UP);
	add(f, "0.0.0.0", IFF_UP);
	add(f, "10.0.0.1", IFF_UP);
	add(f, "10.0.0.1", IFF_UP); /* on a second interface */
	add(f, "2001:db8::1", IFF_UP);
	add(f, "100.64.0.9", IFF_UP); /* what our own tailnet gave us: not a way to us */
	add(f, "100.127.255.254", IFF_UP);
	add(f, "fd7a:115c:a1e0::9", IFF_UP);
	add(f, "fd7a:115c:a1e1::1", IFF_UP);
	add(f, "100.115.92.9", IFF_UP);
	add(f, "100.128.0.1", IFF_UP);
	f->i[4].ifa_addr = NULL; /* interfaces without address are listed so */
	f->ss[6].ss_family = AF_UNIX;
	assert_int_equal(endpoints_from(f->i, 5, out), 7);
	for (i = 0; i < 7; i++) {
		assert_string_equal(netaddr_endpoint_format(&out[i], text, sizeof(text)), want[i]);
		assert_int_equal(out[i].type, IPC_EP_LOCAL);
	}
	assert_int_equal(endpoints_from(NULL, 5, out), 0);
	free(f);
}

static void
test_limit_keeps_the_first_in_order(void **unused)
{
	struct ipc_endpoint up[IPC_MAX_ENDPOINTS + 1], down[IPC_MAX_ENDPOINTS + 1];
	struct fake *f = calloc(1, sizeof(*f)), *g = calloc(1, sizeof(*g));
	char text[80];
	int i;

	(void)unused;
	assert_true(f != NULL && g != NULL);
	for (i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "10.0.0.%d", i + 1);
		add(f, text, IFF_UP);
		snprintf(text, sizeof(text), "10.0.0.%d", MANY - i);
		add(g, text, IFF_UP);
	}
	memset(up, 0x77, sizeof(up));
	memset(down, 0x77, sizeof(down));
	assert_int_equal(endpoints_from(f->i, 5, up), IPC_MAX_ENDPOINTS);
	assert_int_equal(endpoints_from(g->i, 5, down), IPC_MAX_ENDPOINTS);
	assert_memory_equal(up, down, sizeof(up)); /* and nothing behind the end */
	assert_string_equal(netaddr_endpoint_format(&up[63], text, sizeof(text)), "10.0.0.64:5");
	free(f);
	free(g);
}

/* Bridges of containers are no way to this host; its own addresses on them are known all the same. */
static void
test_inner_interfaces(void **unused)
{
	static const char *const inner[] = { "docker0", "br-0123456789ab", "veth12", "virbr0", "cni0", "podman1",
		"lxdbr0" };
	static const char *const outer[] = { "eth0", "br0", "br-lan", "br-0123456789xy", "vmbr0", "enp3s0", "wlan0",
		"bond0" };
	struct ipc_endpoint out[IPC_MAX_ENDPOINTS];
	struct ipc_addr local[IPC_MAX_LOCAL];
	struct sockaddr_in mask = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xffff0000) };
	struct fake *f = calloc(1, sizeof(*f));
	char docker[] = "docker0";
	size_t i;

	(void)unused;
	assert_non_null(f);
	for (i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
		assert_true(endpoints_inner(inner[i]));
	for (i = 0; i < sizeof(outer) / sizeof(outer[0]); i++)
		assert_false(endpoints_inner(outer[i]));
	add(f, "172.17.0.1", IFF_UP);
	add(f, "192.0.2.1", IFF_UP);
	add(f, "192.0.2.9", 0);
	f->i[0].ifa_name = docker;
	f->i[0].ifa_netmask = (struct sockaddr *)&mask;
	assert_int_equal(endpoints_from(f->i, 5, out), 1);
	assert_int_equal(out[0].addr[0], 192);
	assert_int_equal(endpoints_local(f->i, local), 2);
	assert_int_equal(local[0].addr[0], 172);
	assert_int_equal(local[0].bits, 16);
	assert_int_equal(local[1].bits, 32); /* without a mask */
	free(f);
}

static void
test_this_host(void **unused)
{
	struct ipc_endpoint out[IPC_MAX_ENDPOINTS];
	struct ipc_addr local[IPC_MAX_LOCAL];
	uint32_t nlocal;
	int i, n = endpoints_collect(41641, out, local, &nlocal);

	(void)unused;
	assert_true(n >= 0 && nlocal >= (unsigned)n);
	for (i = 0; i < n; i++) {
		assert_null(netaddr_endpoint_refused(&out[i], 0));
		assert_int_equal(out[i].port, 41641);
	}
}

static void
test_pick_port(void **unused)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	uint16_t port = 0;
	int fd;

	(void)unused;
	assert_int_equal(endpoints_pick_port(&port), 0);
	assert_true(port >= 1024);
	sin.sin_port = htons(port);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0); /* it is free again */
	close(fd);
}

static void
test_forwarding(void **unused)
{
	struct config c;

	(void)unused;
	memset(&c, 0, sizeof(c));
	assert_int_equal(ip_forwarding_broken(&c), 0);
	c.nroutes = 1;
	assert_int_equal(netaddr_prefix_parse("10.0.0.0/8", &c.routes[0].a), 0);
	assert_int_equal(ip_forwarding_broken(&c), ip_forwarding_off(4));
	assert_int_equal(netaddr_prefix_parse("2001:db8::/32", &c.routes[0].a), 0);
	assert_int_equal(ip_forwarding_broken(&c), ip_forwarding_off(6));
	assert_int_equal(netaddr_prefix_parse("10.0.0.0/8", &c.routes[1].a), 0);
	c.nroutes = 2;
	assert_int_equal(ip_forwarding_broken(&c), ip_forwarding_off(4) || ip_forwarding_off(6));
}

#ifdef __linux__
static void
test_netlink_messages(void **unused)
{
	struct {
		struct nlmsghdr h;
		char pad[16];
	} m[2];

	(void)unused;
	memset(m, 0, sizeof(m));
	m[0].h.nlmsg_len = m[1].h.nlmsg_len = sizeof(m[0]);
	m[0].h.nlmsg_type = m[1].h.nlmsg_type = RTM_NEWNEIGH;
	assert_false(endpoints_os_relevant(m, sizeof(m)));
	m[1].h.nlmsg_type = RTM_DELADDR;
	assert_true(endpoints_os_relevant(m, sizeof(m)));
	assert_false(endpoints_os_relevant(m, sizeof(m[0])));
	m[0].h.nlmsg_type = RTM_DELROUTE;
	assert_true(endpoints_os_relevant(m, sizeof(m[0])));
	m[0].h.nlmsg_type = RTM_NEWNETCONF;
	assert_true(endpoints_os_relevant(m, sizeof(m[0])));
	m[0].h.nlmsg_type = RTM_NEWNEIGH;
	m[0].h.nlmsg_len = 0;
	assert_true(endpoints_os_relevant(m, sizeof(m[0])));
	m[0].h.nlmsg_len = 0xffffffff;
	assert_true(endpoints_os_relevant(m, sizeof(m[0])));
	m[0].h.nlmsg_len = sizeof(m[0]);
	assert_true(endpoints_os_relevant(m, sizeof(m[0]) + 3));
	assert_false(endpoints_os_relevant(m, 0));
}

static int
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	return f != NULL && fputs(text, f) >= 0 && fclose(f) == 0 ? 0 : -1;
}

struct seen {
	struct event_base *base;
	int calls;
};

static void
on_change(void *arg)
{
	struct seen *s = arg;

	s->calls++;
	event_base_loopbreak(s->base);
}

/* In a network of its own, where addresses can be changed at will. */
static void
test_watch(void **unused)
{
	struct seen s = { event_base_new(), 0 };
	struct endpoints_watch *w;
	struct timeval limit = { 3, 0 };
	uint64_t start;

	(void)unused;
	if (unshare(CLONE_NEWNET) == -1) {
		event_base_free(s.base);
		print_message("not permitted to make a network namespace\n");
		skip();
	}
	assert_non_null(w = endpoints_watch_new(s.base, on_change, &s));
	start = time_mono_ms();
	if (system("ip link set lo up && ip addr add 192.0.2.1/32 dev lo && ip addr add 192.0.2.2/32 dev lo") != 0)
		fail_msg("ip");
	event_base_loopexit(s.base, &limit);
	event_base_dispatch(s.base);
	assert_int_equal(s.calls, 1);
	assert_true(time_mono_ms() - start >= 900);
	limit.tv_sec = 2;
	event_base_loopexit(s.base, &limit);
	event_base_dispatch(s.base);
	assert_int_equal(s.calls, 1); /* a burst is one change */
	endpoints_watch_free(w);
	event_base_free(s.base);
}
#endif

#ifdef __linux__
/* LITE-07: turned on or off for one family only. */
static void
test_watch_forwarding(void **unused)
{
	static const char *const paths[] = { "/proc/sys/net/ipv4/ip_forward",
		"/proc/sys/net/ipv6/conf/all/forwarding" };
	struct seen s = { event_base_new(), 0 };
	struct endpoints_watch *w;
	struct timeval limit = { 5, 0 };
	int i;

	(void)unused;
	if (unshare(CLONE_NEWNET) == -1 || write_file(paths[0], "0\n") == -1 || write_file(paths[1], "0\n") == -1) {
		event_base_free(s.base);
		print_message("not permitted to change a network namespace\n");
		skip();
	}
	assert_non_null(w = endpoints_watch_new(s.base, on_change, &s));
	for (i = 0; i < 2; i++) {
		assert_int_equal(write_file(paths[i], "1\n"), 0);
		event_base_loopexit(s.base, &limit);
		event_base_dispatch(s.base);
		assert_int_equal(s.calls, i + 1);
	}
	endpoints_watch_free(w);
	event_base_free(s.base);
}

static void
test_forwarding_is_read(void **unused)
{
	struct config c;

	(void)unused;
	if (unshare(CLONE_NEWNET) == -1 || write_file("/proc/sys/net/ipv4/ip_forward", "0\n") == -1 ||
	    write_file("/proc/sys/net/ipv6/conf/all/forwarding", "1\n") == -1) {
		print_message("not permitted to change a network namespace\n");
		skip();
	}
	memset(&c, 0, sizeof(c));
	c.nroutes = 1;
	assert_int_equal(netaddr_prefix_parse("10.0.0.0/8", &c.routes[0].a), 0);
	assert_int_equal(ip_forwarding_broken(&c), 1);
	assert_int_equal(netaddr_prefix_parse("2001:db8::/32", &c.routes[0].a), 0);
	assert_int_equal(ip_forwarding_broken(&c), 0);
	assert_int_equal(write_file("/proc/sys/net/ipv4/ip_forward", "1\n"), 0);
	assert_int_equal(netaddr_prefix_parse("10.0.0.0/8", &c.routes[0].a), 0);
	assert_int_equal(ip_forwarding_broken(&c), 0);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which_addresses),
		cmocka_unit_test(test_limit_keeps_the_first_in_order),
		cmocka_unit_test(test_inner_interfaces),
		cmocka_unit_test(test_this_host),
		cmocka_unit_test(test_pick_port),
		cmocka_unit_test(test_forwarding),
#ifdef __linux__
		cmocka_unit_test(test_netlink_messages),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_watch_forwarding),
		cmocka_unit_test(test_forwarding_is_read),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
