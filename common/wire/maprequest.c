/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <sys/socket.h>

#include <arpa/inet.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "jsonwrite.h"
#include "maprequest.h"

static int
v4_usable(const uint8_t a[4])
{
	return a[0] != 0 && a[0] < 224 && !(a[0] == 169 && a[1] == 254);
}

static int
v6_usable(const uint8_t a[16])
{
	static const uint8_t zero[16];

	return memcmp(a, zero, sizeof(zero)) != 0 && a[0] != 0xff && !(a[0] == 0xfe && (a[1] & 0xc0) == 0x80);
}

/* Servers drop link-local endpoints; do not send them (protocol.md F.3). */
static int
usable(const struct map_endpoint *e)
{
	if (e->port == 0)
		return 0;
	return e->family == 4 ? v4_usable(e->addr) : e->family == 6 && v6_usable(e->addr);
}

static void
put_endpoint(struct jw *w, const struct map_endpoint *e)
{
	char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 16];

	if (inet_ntop(e->family == 4 ? AF_INET : AF_INET6, e->addr, host, sizeof(host)) == NULL)
		host[0] = '\0'; /* cannot be: the buffer holds every address */
	snprintf(text, sizeof(text), e->family == 4 ? "%s:%u" : "[%s]:%u", host, (unsigned)e->port);
	jw_str(w, text);
}

/* Two arrays of equal length, or neither (LITE-07). */
static void
put_endpoints(struct jw *w, const struct map_request *r)
{
	size_t i, n = 0;

	for (i = 0; i < r->nendpoints; i++)
		n += (size_t)usable(&r->endpoints[i]);
	if (n == 0)
		return;
	jw_key(w, "Endpoints");
	jw_arr(w);
	for (i = 0; i < r->nendpoints; i++)
		if (usable(&r->endpoints[i]))
			put_endpoint(w, &r->endpoints[i]);
	jw_arr_end(w);
	jw_key(w, "EndpointTypes");
	jw_arr(w);
	for (i = 0; i < r->nendpoints; i++)
		if (usable(&r->endpoints[i]))
			jw_i64(w, r->endpoints[i].type);
	jw_arr_end(w);
}

int
maprequest_build(struct buf *out, const struct map_request *r)
{
	char key[KEY_TEXT_MAX];
	struct jw w;

	jw_init(&w, out);
	jw_obj(&w);
	jw_ki64(&w, "Version", r->capver);
	jw_kstr(&w, "Compress", "zstd");
	jw_kbool(&w, "KeepAlive", 1);
	jw_kstr(&w, "NodeKey", key_format(KEY_NODE, &r->node_key, key));
	jw_kstr(&w, "DiscoKey", key_format(KEY_DISCO, &r->disco_key, key));
	jw_kbool(&w, r->lite ? "OmitPeers" : "Stream", 1);
	jw_key(&w, "Hostinfo");
	jw_raw(&w, r->hostinfo, r->hostinfo_len);
	put_endpoints(&w, r);
	if (r->ip_forwarding_broken) {
		jw_key(&w, "DebugFlags");
		jw_arr(&w);
		jw_str(&w, "warn-ip-forwarding-off");
		jw_arr_end(&w);
	}
	jw_obj_end(&w);
	if (out->failed) {
		errno = ENOBUFS;
		return -1;
	}
	return 0;
}
