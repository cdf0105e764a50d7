/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/capability.h>
#endif

#include "log.h"
#include "privilege.h"

int
privilege_mapped(const char *map, uint32_t id)
{
	unsigned long first, outside, n;
	int used;

	while (sscanf(map, "%lu %lu %lu%n", &first, &outside, &n, &used) == 3) {
		if (id >= first && id - first < n)
			return 1;
		map += used;
	}
	return 0;
}

#ifdef __linux__

static const struct {
	int bit;
	const char *name;
	int always; /* while it runs, too */
} needed[] = {
	{ CAP_KILL, "CAP_KILL", 1 },
	{ CAP_SETGID, "CAP_SETGID", 1 },
	{ CAP_SETUID, "CAP_SETUID", 1 },
	{ CAP_SYS_CHROOT, "CAP_SYS_CHROOT", 1 },
	{ CAP_CHOWN, "CAP_CHOWN", 0 },
	{ CAP_SETPCAP, "CAP_SETPCAP", 0 },
};

/* The names of those that this process does not have, with spaces between; "" = it has all, or that is not known. */
static const char *
missing(int always, char *out, size_t size)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { 0 } };
	size_t i, used = 0;

	*out = '\0';
	if (syscall(SYS_capget, &hdr, d) == -1)
		return out;
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if ((!always || needed[i].always) && (d[0].effective & (1u << needed[i].bit)) == 0 && used < size)
			used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "", needed[i].name);
	return out;
}

/* A process without such a file has all ids. */
static int
id_is_there(const char *map, uint32_t id)
{
	char text[4096];
	ssize_t n;
	int fd;

	if ((fd = open(map, O_RDONLY | O_CLOEXEC)) == -1)
		return 1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 1;
	text[n] = '\0';
	return privilege_mapped(text, id);
}

static int
ids_are_there(const struct ids *ids)
{
	const uint32_t uids[] = { ids->auth_uid, ids->map_uid, ids->res_uid };
	const uint32_t gids[] = { ids->auth_gid, ids->map_gid, ids->res_gid };
	size_t i;

	for (i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
		int user = !id_is_there("/proc/self/uid_map", uids[i]);

		if (!user && id_is_there("/proc/self/gid_map", gids[i]))
			continue;
		log_errorx("this user namespace does not have the %s %" PRIu32
			   " of the accounts _tailnetd*: map it (see "
			   "user_namespaces(7)), or run tailnetd as an ordinary user with `sandbox best-effort`",
		    user ? "uid" : "gid", user ? uids[i] : gids[i]);
		return 0;
	}
	return 1;
}

static int
root_check(const struct config *cfg, const struct ids *ids)
{
	char names[120];

	if (!ids_are_there(ids))
		return -1;
	if (*missing(1, names, sizeof(names)) == '\0' || cfg->best_effort)
		return 0;
	log_errorx("root without %s: children could not be made or ended; let this process have them (a service: "
		   "CapabilityBoundingSet=, a container: --cap-add), or put `sandbox best-effort` into the "
		   "configuration",
	    names);
	return -1;
}

void
privilege_advice(int root)
{
	char names[120];

	if (root && *missing(0, names, sizeof(names)) != '\0')
		log_errorx("this process lacks %s, which may be the reason: see CapabilityBoundingSet= of the service, "
			   "or "
			   "--cap-add of the container",
		    names);
}

#else

static int
root_check(const struct config *cfg, const struct ids *ids)
{
	(void)cfg;
	(void)ids;
	return 0;
}

void
privilege_advice(int root)
{
	(void)root;
}

#endif

int
privilege_check(const struct config *cfg, const char *conf_path, int root, const struct ids *ids)
{
	if (root)
		return root_check(cfg, ids);
	if (cfg->best_effort)
		return 0;
	log_errorx("not root: start tailnetd as root, or put `sandbox best-effort` into %s to run without separate "
		   "users",
	    conf_path);
	return -1;
}
