/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/utsname.h>

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "sysinfo.h"

#define FILE_MAX 16384

#if defined(__x86_64__)
#define ARCH "amd64"
#elif defined(__i386__)
#define ARCH "386"
#elif defined(__aarch64__)
#define ARCH "arm64"
#elif defined(__arm__)
#define ARCH "arm"
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH "riscv64"
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define ARCH "ppc64le"
#elif defined(__powerpc64__)
#define ARCH "ppc64"
#elif defined(__s390x__)
#define ARCH "s390x"
#elif defined(__loongarch64)
#define ARCH "loong64"
#elif defined(__mips64)
#define ARCH "mips64"
#else
#define ARCH ""
#endif

size_t
sysinfo_os_release(const char *text, size_t n, const char *key, char *out, size_t outsize)
{
	const char *end = text + n, *line, *nl;
	size_t klen = strlen(key), len = 0;
	char quote = 0;

	*out = '\0';
	for (line = text; line < end; line = nl + 1) {
		if ((nl = memchr(line, '\n', (size_t)(end - line))) == NULL)
			nl = end;
		if ((size_t)(nl - line) <= klen || memcmp(line, key, klen) != 0 || line[klen] != '=')
			continue;
		line += klen + 1;
		if (line < nl && (*line == '"' || *line == '\''))
			quote = *line++;
		while (line < nl && (quote != 0 ? *line != quote : !isspace((unsigned char)*line))) {
			if (quote != '\'' && *line == '\\' && line + 1 < nl)
				line++;
			if (*line == '\0' || len + 1 >= outsize) {
				*out = '\0';
				return 0;
			}
			out[len++] = *line++;
		}
		out[len] = '\0';
		return len;
	}
	return 0;
}

int
sysinfo_cgroup_is_container(const char *text, size_t n)
{
	static const char *const marks[] = { "/docker", "/lxc", "/kubepods", "/libpod", "/containerd",
		"/machine.slice" };
	size_t i;

	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (memmem(text, n, marks[i], strlen(marks[i])) != NULL)
			return 1;
	return 0;
}

#ifdef __linux__
static size_t
read_file(const char *path, char text[FILE_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t len = 0;
	ssize_t n;

	if (fd == -1)
		return 0;
	while (len < FILE_MAX && (n = read(fd, text + len, FILE_MAX - len)) > 0)
		len += (size_t)n;
	close(fd);
	return len;
}

static void
collect_distro(struct sysinfo_text *s)
{
	char text[FILE_MAX];
	size_t n = read_file("/etc/os-release", text);

	if (n == 0)
		n = read_file("/usr/lib/os-release", text);
	sysinfo_os_release(text, n, "ID", s->distro, sizeof(s->distro));
	sysinfo_os_release(text, n, "VERSION_ID", s->distro_version, sizeof(s->distro_version));
	sysinfo_os_release(text, n, "VERSION_CODENAME", s->distro_codename, sizeof(s->distro_codename));
}

static int
in_container(void)
{
	char text[FILE_MAX];
	size_t n;

	if (access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 ||
	    access("/run/systemd/container", F_OK) == 0)
		return 1;
	n = read_file("/proc/1/cgroup", text);
	return sysinfo_cgroup_is_container(text, n);
}
#endif

void
sysinfo_collect(struct sysinfo_text *s)
{
	struct utsname u;
	char *p;

	memset(s, 0, sizeof(*s));
	s->container = -1;
	s->arch = ARCH;
	if (uname(&u) == 0) {
		strlcpy(s->os, u.sysname, sizeof(s->os));
		for (p = s->os; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
		strlcpy(s->os_version, u.release, sizeof(s->os_version));
		strlcpy(s->machine, u.machine, sizeof(s->machine));
	}
	if (gethostname(s->hostname, sizeof(s->hostname)) == -1)
		s->hostname[0] = '\0';
	s->hostname[sizeof(s->hostname) - 1] = '\0';
	s->hostname[strcspn(s->hostname, ".")] = '\0'; /* REG-11: first label */
#ifdef __linux__
	collect_distro(s);
	s->container = in_container();
#endif
}
