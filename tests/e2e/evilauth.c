/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "evil.h"

/*
 * A compromised authd, by the scenario EVIL of evil_list.h.  It answers the first register request
 * of a daemon as a server would, so that an honest, synchronized mapd runs beside it.
 */
static uint32_t first_done;

static void
result(uint32_t id, uint32_t outcome, const char *url)
{
	struct ipc_reg_result r;

	memset(&r, 0, sizeof(r));
	r.outcome = outcome;
	r.user_id = r.login_id = 1;
	r.machine_authorized = 1;
	memcpy(r.login_name, "evil", 4);
	r.login_name_len = 4;
	r.url_len = (uint16_t)strlen(url);
	memcpy(r.url, url, r.url_len);
	send_msg(IPC_REG_RESULT, id, &r, sizeof(r));
}

static void
forged_key(uint32_t id)
{
	struct ipc_key_result k;

	memset(&k, 0, sizeof(k));
	k.ok = 1;
	memset(&k.key, 0x77, sizeof(k.key));
	send_msg(IPC_KEY_RESULT, id, &k, sizeof(k));
}

static void
evil(uint32_t id)
{
	static unsigned urls;
	struct ipc_hs_finish f;
	struct ipc_step step = { IPC_STEP_TLS, 1 };
	char url[64];
	unsigned i;

	memset(&f, 0, sizeof(f));
	switch ((enum evilauth_scenario)EVIL) {
	/* violations */
	case EVILAUTH_TWO_RESULTS: /* one request, two results */
		result(id, IPC_REG_TRANSPORT, "");
		result(id, IPC_REG_OK, "");
		break;
	case EVILAUTH_BAD_OUTCOME: result(id, 99, ""); break;
	case EVILAUTH_NO_URL: /* to be visited, but where */ result(id, IPC_REG_URL, ""); break;
	case EVILAUTH_STEP: /* the doctor's word */ send_msg(IPC_STEP, id, &step, sizeof(step)); break;
	case EVILAUTH_MAPDS: /* mapd's */ evil_stream(id, IPC_STREAM_LIVE); break;
	case EVILAUTH_HANGS_UP: /* closes its channel and stays */
		close(3);
		for (;;)
			pause();
	/* false values */
	case EVILAUTH_FORGED_KEY: /* a key where a result is asked for: it is no pin */ forged_key(id); break;
	case EVILAUTH_OTHER_ID: result(id + 1000, IPC_REG_OK, ""); break;
	case EVILAUTH_URLS: /* always another place to visit */
		snprintf(url, sizeof(url), "https://evil.example/%u", urls++);
		result(id, IPC_REG_URL, url);
		break;
	case EVILAUTH_HANDSHAKES: /* as many handshakes and answers to them as it likes */
		for (i = 1; i < 400; i++) {
			send_msg(IPC_HS_BEGIN, i, &(struct ipc_hs_begin){ 0 }, sizeof(struct ipc_hs_begin));
			send_msg(IPC_HS_FINISH, i, &f, sizeof(f));
		}
		break;
	case EVILAUTH_EXPIRED: /* works, but each time with a new key */ result(id, IPC_REG_KEY_EXPIRED, ""); break;
	case EVILAUTH_NO_ANSWER: break;
	}
}

int
main(void)
{
	struct ipc_empty e = { 0 };
	union evil_msg u;
	struct hdr h;

	while (next_msg(&h, &u)) {
		if (h.type == IPC_PING)
			send_msg(IPC_PONG, h.id, &e, sizeof(e));
		else if (h.type == IPC_REGISTER && generation == 1 && first_done++ == 0)
			result(h.id, IPC_REG_OK, "");
		else if (h.type == IPC_REGISTER)
			evil(h.id);
		else if (h.type == IPC_CANCEL && EVIL > EVILAUTH_FORGED_KEY) /* one of the false values behind it */
			result(h.id, IPC_REG_TRANSPORT, "");
	}
	return 0;
}
