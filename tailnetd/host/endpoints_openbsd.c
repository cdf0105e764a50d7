/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifdef __OpenBSD__
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/sysctl.h>

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "endpoints.h"

/* getifaddrs(3) lists the interfaces of all routing domains; the link-level entry has the number. */
int
endpoints_os_elsewhere(const struct ifaddrs *list, const char *ifname)
{
	unsigned ours = (unsigned)getrtable();
	const struct ifaddrs *i;

	for (i = list; i != NULL; i = i->ifa_next)
		if (i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_LINK && i->ifa_data != NULL &&
		    strcmp(i->ifa_name, ifname) == 0)
			return ((const struct if_data *)i->ifa_data)->ifi_rdomain != ours;
	return 0;
}

int
endpoints_os_open(void)
{
	unsigned filter = ROUTE_FILTER(RTM_NEWADDR) | ROUTE_FILTER(RTM_DELADDR) | ROUTE_FILTER(RTM_CHGADDRATTR) |
	    ROUTE_FILTER(RTM_IFINFO) | ROUTE_FILTER(RTM_DESYNC) | ROUTE_FILTER(RTM_ADD) | ROUTE_FILTER(RTM_DELETE) |
	    ROUTE_FILTER(RTM_CHANGE);
	int fd, saved;

	if ((fd = socket(AF_ROUTE, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	if (setsockopt(fd, AF_ROUTE, ROUTE_MSGFILTER, &filter, sizeof(filter)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
endpoints_os_relevant(const void *msg, size_t n)
{
	struct rt_msghdr h;

	if (n < offsetof(struct rt_msghdr, rtm_hdrlen))
		return 1;
	memset(&h, 0, sizeof(h));
	memcpy(&h, msg, n < sizeof(h) ? n : sizeof(h));
	if (h.rtm_version != RTM_VERSION)
		return 0;
	return h.rtm_type == RTM_NEWADDR || h.rtm_type == RTM_DELADDR || h.rtm_type == RTM_CHGADDRATTR ||
	    h.rtm_type == RTM_IFINFO || h.rtm_type == RTM_DESYNC || h.rtm_type == RTM_ADD || h.rtm_type == RTM_DELETE ||
	    h.rtm_type == RTM_CHANGE;
}

static int
ask(int family)
{
	int mib[4] = { CTL_NET, PF_INET, IPPROTO_IP, IPCTL_FORWARDING }, on = 1;
	size_t len = sizeof(on);

	if (family == 6) {
		mib[1] = PF_INET6;
		mib[2] = IPPROTO_IPV6;
		mib[3] = IPV6CTL_FORWARDING;
	}
	return sysctl(mib, 4, &on, &len, NULL, 0) == 0 && on == 0;
}

/* The answer is kept: behind pledge(2) this sysctl would be the end of the process. */
int
endpoints_os_forwarding_off(int family)
{
	static int asked, off4, off6;

	if (!asked) {
		off4 = ask(4);
		off6 = ask(6);
		asked = 1;
	}
	return family == 4 ? off4 : off6;
}
#else
typedef int endpoints_openbsd_is_empty;
#endif
