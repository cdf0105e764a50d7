/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef SYSINFO_H
#define SYSINFO_H

#include <stddef.h>

/* What the system says of itself, each text "" when unknown. */
struct sysinfo_text {
	char	 os[32], os_version[128], machine[64];	/* "linux", uname -r, uname -m */
	const char *arch;				/* as Go calls it: "amd64" */
	char	 hostname[256];				/* first label */
	char	 distro[64], distro_version[64], distro_codename[64];
	int	 container;				/* 1 yes, 0 no, -1 unknown */
};

void	 sysinfo_collect(struct sysinfo_text *s);
/* One value out of an os-release(5) text, unquoted: its length, 0 when absent or when it does not fit. */
size_t	 sysinfo_os_release(const char *text, size_t n, const char *key, char *out, size_t outsize);
/* Text of /proc/1/cgroup: 1 when it names a container manager. */
int	 sysinfo_cgroup_is_container(const char *text, size_t n);

#endif
