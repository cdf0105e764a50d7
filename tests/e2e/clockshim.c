/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
/*
 * LD_PRELOAD shim: the clocks run ahead of the system's (security.md D16, ERR-06).
 *
 *   cc -D_GNU_SOURCE -shared -fPIC -O2 -o clockshim.so clockshim.c
 *   CLOCKSHIM=/some/file LD_PRELOAD=.../clockshim.so tailnetd ...
 *
 * The file is three numbers of 64 bits, which count from the moment they are written: by how many seconds
 * CLOCK_MONOTONIC, CLOCK_BOOTTIME and CLOCK_REALTIME are ahead.  Children have an empty environment: the shim is in the
 * parent only.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead;

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("CLOCKSHIM");
	void *p;
	int fd;

	if (path == NULL || (fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return;
	if ((p = mmap(NULL, 3 * sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0)) != MAP_FAILED)
		ahead = p;
	close(fd);
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int rv = (int)syscall(SYS_clock_gettime, id, ts);

	if (rv == -1 || ahead == NULL)
		return rv;
	if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
		ts->tv_sec += ahead[0];
	else if (id == CLOCK_BOOTTIME)
		ts->tv_sec += ahead[1];
	else if (id == CLOCK_REALTIME)
		ts->tv_sec += ahead[2];
	return rv;
}
