/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>

#include "dialclient.h"
#include "fetch.h"
#include "key.h"
#include "serverkey.h"
#include "timefmt.h"

#define KEY_BODY_MAX 65536 /* protocol.md B.2 */

static void
fail(struct authd *a, uint32_t http_status, enum cause cause, const char *why)
{
	struct ipc_key_result r;
	char text[IPC_ERR_MAX + 1];

	memset(&r, 0, sizeof(r));
	r.http_status = http_status;
	r.cause = cause;
	snprintf(text, sizeof(text), "server key: %s", why);
	IPC_SET(&r, err, text, strlen(text));
	op_end(a, IPC_KEY_RESULT, &r, sizeof(r));
}

static void
fetched(void *arg, int status, const uint8_t *body, size_t n, const char *err)
{
	struct authd *a = arg;
	enum cause cause = fetch_cause(a->fetch);
	struct ipc_key_result r;
	char text[64];
	int rv;

	memset(&r, 0, sizeof(r));
	r.ok = 1;
	r.http_status = (uint32_t)status;
	a->fetch = NULL;
	if (status == 0) {
		fail(a, 0, cause, err);
		return;
	}
	if (status != 200) {
		snprintf(text, sizeof(text), "HTTP %d instead of a key", status);
		fail(a, (uint32_t)status, cause, text);
		return;
	}
	if ((rv = serverkey_parse(body, n, &r.key)) == -1) {
		fail(a, 200, CAUSE_NOT_CONTROL, "HTTP 200, but the answer is not a key");
		return;
	}
	if (rv == 1) {
		r.ok = 0;
		r.too_old = 1;
		r.cause = CAUSE_OTHER;
		memset(&r.key, 0, sizeof(r.key));
		snprintf(text, sizeof(text), "server too old: it has no noise key"); /* KEY-03 */
		IPC_SET(&r, err, text, strlen(text));
	}
	op_end(a, IPC_KEY_RESULT, &r, sizeof(r));
}

static void
start_fetch(struct authd *a)
{
	const struct wire_config *cfg = child_wire_config(a->c);
	uint64_t now = time_mono_ms();
	char path[sizeof(cfg->prefix) + 32];

	a->wait_ca = 0;
	/* The capability version is the same number everywhere (KEY-07). */
	snprintf(path, sizeof(path), "%s/key?v=%u", cfg->prefix, cfg->capver);
	a->fetch = child_fetch(a->c, "GET", path, KEY_BODY_MAX, now < a->until_ms ? (unsigned)(a->until_ms - now) : 1,
	    fetched, a);
}

int
authd_on_key_fetch(void *ctx, const struct ipc_msg *m)
{
	struct authd *a = ctx;

	op_begin(a, OP_KEY, m->id);
	a->until_ms = time_mono_ms() + KEY_FETCH_MS;
	op_deadline(a, KEY_FETCH_MS + 500); /* later than the limit of the fetch, whose error says more */
	if (child_wire_config(a->c)->https && child_trust(a->c) == NULL) {
		a->wait_ca = 1;
		child_need_ca(a->c);
	} else {
		start_fetch(a);
	}
	return 0;
}

void
key_ca_came(struct authd *a)
{
	if (a->kind != OP_KEY || !a->wait_ca)
		return;
	if (child_trust(a->c) != NULL) {
		start_fetch(a);
	} else {
		a->wait_ca = 0;
		fail(a, 0, CAUSE_CERTIFICATE, child_trust_error(a->c));
	}
}

void
key_deadline(struct authd *a)
{
	int waited = a->wait_ca;

	key_abandon(a);
	fail(a, 0, waited ? CAUSE_CERTIFICATE : CAUSE_OTHER,
	    waited ? "timed out waiting for the CA certificates" : "no answer within 15 s");
}

void
key_abandon(struct authd *a)
{
	if (a->fetch != NULL)
		child_fetch_cancel(a->c, a->fetch);
	a->fetch = NULL;
	a->wait_ca = 0;
}
