/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control_ops.h"
#include "controlsock.h"
#include "peerfd.h"

/* The run directory and the socket in it (interface.md 1 and 2, security.md D13). */

#define BACKLOG         1024
#define REFUSED_TRIES   5
#define REFUSED_WAIT_MS 20

static int
run_dir(const struct control_ops *o, char *dir, size_t size, char *err, size_t errsize)
{
	struct stat st;
	char *slash;

	snprintf(dir, size, "%s", o->cfg->control_socket);
	if ((slash = strrchr(dir, '/')) == NULL || slash == dir)
		return 0;
	*slash = '\0';
	if (mkdir(dir, 0750) == 0) {
		if (o->root && chown(dir, 0, o->ids->control_gid) == -1) {
			snprintf(err, errsize, "%s: %s", dir, strerror(errno));
			return -1;
		}
		return 0;
	}
	/* A link is fine where root has made it, as /var/run is. */
	if (errno != EEXIST || lstat(dir, &st) == -1 ||
	    (S_ISLNK(st.st_mode) && (st.st_uid == 0 || st.st_uid == geteuid()) && stat(dir, &st) == -1)) {
		snprintf(err, errsize, "run directory %s: %s", dir, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()))
		snprintf(err, errsize, "run directory %s: not a directory owned by root; chown it to root", dir);
	else if ((st.st_mode & 022) != 0)
		snprintf(err, errsize, "run directory %s can be written by others (mode %04o); chmod 750 it", dir,
		    st.st_mode & 07777);
	else if (o->root && (st.st_mode & 011) == 010 && st.st_gid != 0 && st.st_gid != o->ids->control_gid &&
	    (st.st_gid != o->ids->own_gid ||
		chown(dir, (uid_t)-1, o->ids->control_gid) == -1)) /* our tmpfiles.d has made it */
		snprintf(err, errsize,
		    "run directory %s is open to the group %u and not to control-group; chgrp it to %u", dir,
		    (unsigned)st.st_gid, (unsigned)o->ids->control_gid);
	else
		return 0;
	return -1;
}

static int
somebody_answers(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, rv, tries = 0;

	if (strlen(path) >= sizeof(sun.sun_path) ||
	    (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
		return 0;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	/* OpenBSD refuses at once while the queue of a daemon is full, as if it did not run. */
	while ((rv = connect(fd, (struct sockaddr *)&sun, sizeof(sun))) == -1 && errno == ECONNREFUSED &&
	    tries++ < REFUSED_TRIES)
		(void)poll(NULL, 0, REFUSED_WAIT_MS);
	close(fd);
	return rv == 0 || errno == EAGAIN;
}

/* A socket left by an earlier daemon is replaced: connecting fails, and the state directory's lock is ours (D13). */
static int
remove_stale(const char *path, char *err, size_t errsize)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return 0;
	if (!S_ISSOCK(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid())) {
		snprintf(err, errsize, "%s exists and is not a tailnetd socket; move it away", path);
		return -1;
	}
	if (somebody_answers(path)) {
		snprintf(err, errsize, "%s: another tailnetd is listening there; configure another control-socket",
		    path);
		return -1;
	}
	if (unlink(path) == -1) {
		snprintf(err, errsize, "%s: %s", path, strerror(errno));
		return -1;
	}
	return 0;
}

static int
bind_socket(const struct control_ops *o, const char *path, char *err, size_t errsize)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t old;
	int fd, rv;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		snprintf(err, errsize, "control-socket: a socket's path has at most %zu characters",
		    sizeof(sun.sun_path) - 1);
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd != -1)
		peerfd_listener(fd);
	old = umask(0177); /* never a moment in which others may connect */
	rv = fd == -1 ? -1 : bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(old);
	if (rv == 0 && chown(path, (uid_t)-1, o->ids->control_gid) == 0 && chmod(path, 0660) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	snprintf(err, errsize, "control socket %s: %s", path, strerror(errno));
	if (rv == 0)
		(void)unlink(path); /* no process listens there */
	if (fd != -1)
		close(fd);
	return -1;
}

int
controlsock_bind(const struct control_ops *o, const char *path, char *err, size_t errsize)
{
	char dir[1024];

	if (run_dir(o, dir, sizeof(dir), err, errsize) == -1 || remove_stale(path, err, errsize) == -1)
		return -1;
	return bind_socket(o, path, err, errsize);
}
