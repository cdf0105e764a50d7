/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "config.h"
#include "msgs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config c, c2;

static void
need(int ok)
{
	if (!ok)
		abort();
}

static void
put(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	need(fd != -1 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

/* The same bytes as a file of each kind that is read; the first byte says what is wrong with the file itself. */
static void
as_files(const uint8_t *data, size_t size)
{
	static char dir[] = "/tmp/fuzzconfXXXXXX", path[64];
	char key[IPC_AUTHKEY_MAX + 1], err[400];
	size_t len = 0;
	int bad = size > 0 ? data[0] % 16 : 0;

	if (path[0] == '\0') {
		need(mkdtemp(dir) != NULL);
		snprintf(path, sizeof(path), "%s/f", dir);
	}
	unlink(path);
	if (bad == 1)
		need(mkdir(path, 0700) == 0);
	else if (bad == 2)
		need(symlink("/etc/hostname", path) == 0);
	else if (bad != 3)
		put(path, data, size);
	if (bad == 4)
		need(chmod(path, 0644) == 0);
	if (bad == 5)
		(void)!chown(path, 65534, 65534);
	(void)config_load(path, 1, &c, err, sizeof(err));
	memset(&c, 0, sizeof(c));
	snprintf(c.auth_key_file, sizeof(c.auth_key_file), "%s", path);
	if (config_read_authkey(&c, key, sizeof(key), &len, err, sizeof(err)) == 0) {
		need(len > 0 && len < sizeof(key) && bad != 4);
		while (len-- > 0)
			need(key[len] > ' ' && key[len] < 0x7f);
	}
	if (bad == 1)
		rmdir(path);
	unlink(path);
	rmdir(dir);
	(void)!mkdir(dir, 0700);
}

/*
 * What is accepted prints to a text that is accepted and prints the same; what is refused has a reason with the
 * file's name.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf a, b;
	char err[400] = "";

	as_files(data, size);

	if (config_parse("conf", (const char *)data, size, &c, err, sizeof(err)) == -1) {
		need(strncmp(err, "conf:", 5) == 0);
		return 0;
	}
	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	need(config_print(&c, &a) == 0);
	need(config_parse("print", (const char *)buf_ptr(&a), buf_len(&a), &c2, err, sizeof(err)) == 0);
	need(config_print(&c2, &b) == 0);
	need(buf_len(&a) == buf_len(&b) && memcmp(buf_ptr(&a), buf_ptr(&b), buf_len(&a)) == 0);
	need(config_reload_blocker(&c, &c2) == NULL);
	buf_free(&a);
	buf_free(&b);
	return 0;
}
