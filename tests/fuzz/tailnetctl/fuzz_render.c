/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdlib.h>
#include <string.h>

#include "cmd_peers.h"
#include "cmd_status.h"
#include "cmd_watch.h"
#include "ctl.h"
#include "jget.h"
#include "out.h"
#include "scan.h"
#include "sock.h"
#include "texts.h"
#include "text.h"
#include "utf8.h"

/*
 * Whatever a daemon answers: no crash, and nothing on the terminal but UTF-8 text without control characters.  The
 * first byte says which command.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
print_status(struct ctl *c, struct source *s)
{
	struct json_object *o;

	if (scan_json(s, &o) == 1) {
		status_print(c, o);
		status_exit(o, c->now);
	}
	json_object_put(o);
	return 0;
}

static void
check_output(const char *p, size_t n)
{
	size_t i;

	if (!utf8_valid(p, n))
		abort();
	for (i = 0; i < n; i++)
		if (((unsigned char)p[i] < 0x20 && p[i] != '\n' && p[i] != '\t') || p[i] == 0x7f)
			abort();
}

static int
print_text(struct ctl *c, struct source *s)
{
	return text_print(c, s, END_WGCONF);
}

/* What -j prints, in two pieces. */
static int
print_json(struct ctl *c, struct source *s)
{
	struct json_out j = { 0 };
	size_t half = s->len / 2;

	out_json(c->out, &j, s->buf, half);
	out_json(c->out, &j, s->buf + half, s->len - half);
	out_json_end(c->out, &j);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const print[])(struct ctl *, struct source *) = { print_status, peers_print, netmap_print,
		events_print, print_text, print_json };
	struct ctl c = { .socket = "fuzz", .now = 1767225600 };
	struct source s;
	char *out = NULL;
	size_t n = 0;

	if (size < 2)
		return 0;
	c.out = open_memstream(&out, &n);
	/* Complaints go to stderr, which is the fuzzer's. */
	c.quiet = 1;
	source_init(&s, -1, -1);
	s.cap = s.len = size - 1;
	s.buf = malloc(s.cap);
	memcpy(s.buf, data + 1, s.cap);
	print[data[0] % 6](&c, &s);
	source_close(&s);
	fclose(c.out);
	check_output(out, n);
	free(out);
	return 0;
}
