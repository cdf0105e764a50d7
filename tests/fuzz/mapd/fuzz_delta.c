/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dump.h"
#include "expiry.h"
#include "exportwg.h"
#include "ingest.h"
#include "jsonparse.h"
#include "mapresp.h"

/*
 * Deltas against full maps: the map that any messages (separated by 0x1e) have made, sent as one full message to
 * another map, gives the same map: the same netmap object (except the order of members), wgconf and hosts.
 */
static const struct wtime now = { 1800000000, 0 };
static const struct pubkey key = { { 1 } };

static int
apply(struct netmap *nm, struct ingest *g, const void *p, size_t n)
{
	struct netmap_change ch;
	int r;

	ingest_begin(g);
	if (ingest_data(g, p, n) == -1 || ingest_end(g) == -1)
		return -1;
	if ((r = ingest_apply(g, now, &ch)) != -1)
		(void)netmap_expire(nm, now, &ch); /* as the timer does */
	return r;
}

static char *
printed(struct netmap *nm)
{
	static const struct wgconf_options opt = { .accept_routes = 1, .exit_node = "" };
	struct exporter x;
	struct dump d;
	struct pb out = { 0 };

	if (dump_netmap(&d, nm) == 0)
		while (dump_more(&d, &out, out.n + 700))
			;
	dump_end(&d);
	pb_byte(&out, '\n');
	if (export_wgconf(&x, nm, &opt, &out) == 0)
		while (export_more(&x, &out, out.n + 700))
			;
	export_end(&x);
	if (export_hosts(&x, nm, "host") == 0)
		while (export_more(&x, &out, out.n + 700))
			;
	export_end(&x);
	pb_byte(&out, '\0');
	return (char *)out.p;
}

/* The netmap object in the first line as a value; *rest is the other lines. */
static struct json_object *
object(const char *text, const char **rest)
{
	static const struct json_limits lim = { SIZE_MAX, 40, SIZE_MAX, 8u << 20 };
	size_t n = strcspn(text, "\n");
	struct json_object *o;
	char err[200];

	*rest = text + n;
	if (n == 0)
		return NULL;
	if ((o = json_parse(text, n, &lim, err, sizeof(err))) == NULL)
		abort();
	json_object_object_del(o, "Seq");
	return o;
}

static int
same(const char *a, const char *b)
{
	const char *ra, *rb;
	struct json_object *x = object(a, &ra), *y = object(b, &rb);
	int ok = strcmp(ra, rb) == 0 && (x == NULL) == (y == NULL) && (x == NULL || json_object_equal(x, y));

	json_object_put(x);
	json_object_put(y);
	return ok;
}

static void
differ(const char *what, const char *a, const char *b)
{
	fprintf(stderr, "%s:\n%s\n--- and as one message:\n%s\n", what, a, b);
	abort();
}

/* nm sent in one message to a new map. */
static void
compare(struct netmap *nm)
{
	struct netmap *other = netmap_new();
	struct ingest *g = ingest_new(other);
	struct pb text = { 0 };
	struct mapresp r;
	char *a, *b;

	netmap_session_begin(other, &key, &key);
	if (mapresp_begin(&r, nm) == -1)
		abort();
	while (mapresp_more(&r, &text, text.n + 500))
		;
	mapresp_end(&r);
	if (apply(other, g, text.p, text.n) != 1) {
		pb_byte(&text, '\0');
		differ("refused", ingest_error(g), (char *)text.p);
	}
	a = printed(nm);
	b = printed(other);
	if (!same(a, b))
		differ("not the same", a, b);
	free(a);
	free(b);
	pb_free(&text);
	ingest_free(g);
	netmap_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct netmap *nm = netmap_new();
	struct ingest *g = ingest_new(nm);
	const uint8_t *end;
	size_t n;

	netmap_session_begin(nm, &key, &key);
	for (; size > 0; data += n, size -= n) {
		end = memchr(data, 0x1e, size);
		n = end == NULL ? size : (size_t)(end - data);
		if (apply(nm, g, data, n) == 1)
			compare(nm);
		n += end != NULL;
	}
	ingest_free(g);
	netmap_free(nm);
	return 0;
}
