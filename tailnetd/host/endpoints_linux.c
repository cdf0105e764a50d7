/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifdef __linux__
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#include "endpoints.h"

#define GROUP(n) (1u << ((n)-1))

int
endpoints_os_elsewhere(const struct ifaddrs *list, const char *ifname)
{
	(void)list;
	(void)ifname;
	return 0; /* getifaddrs(3) lists what is in this network namespace; of a VRF all is in reach */
}

int
endpoints_os_open(void)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK,
		.nl_groups = GROUP(RTNLGRP_LINK) | GROUP(RTNLGRP_IPV4_IFADDR) | GROUP(RTNLGRP_IPV6_IFADDR) |
		    GROUP(RTNLGRP_IPV4_ROUTE) | GROUP(RTNLGRP_IPV6_ROUTE) | GROUP(RTNLGRP_IPV4_NETCONF) |
		    GROUP(RTNLGRP_IPV6_NETCONF) };
	int fd, saved;

	if ((fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)) == -1)
		return -1;
	if (bind(fd, (struct sockaddr *)&nl, sizeof(nl)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
endpoints_os_relevant(const void *msg, size_t n)
{
	const char *p = msg;
	struct nlmsghdr h;

	while (n >= sizeof(h)) {
		size_t step;

		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > n)
			return 1;
		switch (h.nlmsg_type) {
		case RTM_NEWADDR: /* also comes for mere lifetime updates: the receiver compares */
		case RTM_DELADDR:
		case RTM_NEWLINK:
		case RTM_DELLINK:
		case RTM_NEWROUTE:
		case RTM_DELROUTE:
		case RTM_NEWNETCONF: return 1; /* forwarding */
		default: break;
		}
		step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		if (step > n)
			step = n;
		p += step;
		n -= step;
	}
	return n > 0;
}

int
endpoints_os_forwarding_off(int family)
{
	const char *path = family == 4 ? "/proc/sys/net/ipv4/ip_forward" : "/proc/sys/net/ipv6/conf/all/forwarding";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = '0';
	ssize_t n;

	if (fd == -1)
		return errno == ENOENT; /* a family that does not exist; unreadable means unknown */
	n = read(fd, &c, 1);
	close(fd);
	return n == 1 && c == '0';
}
#else
typedef int endpoints_linux_is_empty;
#endif
