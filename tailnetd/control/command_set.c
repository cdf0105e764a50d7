/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <string.h>

#include "cclient.h"
#include "command.h"
#include "control_int.h"
#include "hostinfo.h"
#include "hostreport.h"
#include "netaddr.h"

/*
 * `set`: values from others (a data plane, an operator) about this host, merged over the collected ones (interface.md
 * 3).
 */

/* A changed value matters only if it is sent to the server: the collected value may have been the same. */
static void
answer_changed(struct cclient *cc, int changed)
{
	if (changed && (changed = hostreport_refresh(cc->ctl->ops.report)) == -1) {
		cclient_error(cc, ERR_INTERNAL, "cannot build Hostinfo: out of room or memory");
		return;
	}
	buf_printf(&cc->out, "{\"ok\":true,\"changed\":%s}\n", changed ? "true" : "false");
	cclient_finish(cc);
}

static void
set_json(struct cclient *cc, int netinfo, const char *text)
{
	char err[300];
	int changed, rv;

	rv = hostreport_set_json(cc->ctl->ops.report, netinfo, text, strlen(text), &changed, err, sizeof(err));
	if (rv == HOSTINFO_NO_MEMORY)
		cclient_error(cc, ERR_INTERNAL, "%s", err);
	else if (rv == HOSTINFO_TOO_LARGE)
		cclient_error(cc, ERR_TOO_LARGE, "%s", err);
	else if (rv == -1)
		cclient_error(cc, ERR_INVALID, "%s", err);
	else
		answer_changed(cc, changed);
}

static void
set_disco(struct cclient *cc, const char *text)
{
	struct pubkey key;

	if (key_parse(KEY_DISCO, text, strlen(text), &key) == -1)
		cclient_error(cc, ERR_INVALID, "expected discokey: and 64 hex digits");
	else
		answer_changed(cc, hostreport_set_disco(cc->ctl->ops.report, &key));
}

static void
set_endpoints(struct cclient *cc, char *text)
{
	struct ipc_endpoint ep[IPC_MAX_ENDPOINTS];
	unsigned n = 0;
	char *word, *save = NULL;
	const char *no;

	memset(ep, 0, sizeof(ep));
	if (strcmp(text, "auto") == 0) {
		answer_changed(cc, hostreport_unset_endpoints(cc->ctl->ops.report));
		return;
	}
	for (word = strtok_r(text, " \t", &save); word != NULL; word = strtok_r(NULL, " \t", &save)) {
		if (n == IPC_MAX_ENDPOINTS) {
			cclient_error(cc, ERR_TOO_LARGE, "at most %d endpoints", IPC_MAX_ENDPOINTS);
			return;
		}
		if (netaddr_endpoint_parse(word, 1, &ep[n]) == -1) {
			cclient_error(cc, ERR_INVALID,
			    "\"%.60s\" is not ip:port[/local|stun|portmapped|stun4localport|explicit]", word);
			return;
		}
		if ((no = netaddr_endpoint_refused(&ep[n], 1)) != NULL) {
			cclient_error(cc, ERR_INVALID, "\"%.60s\" is not an address that peers can reach: %s", word,
			    no);
			return;
		}
		n++;
	}
	answer_changed(cc, hostreport_set_endpoints(cc->ctl->ops.report, ep, n));
}

void
command_set(struct cclient *cc, struct command_line *cl)
{
	char *what = cl->args[0], *rest;

	for (rest = what; *rest != '\0' && *rest != ' ' && *rest != '\t'; rest++)
		;
	if (*rest != '\0')
		*rest++ = '\0';
	while (*rest == ' ' || *rest == '\t')
		rest++;
	if (strcmp(what, "endpoints") == 0)
		set_endpoints(cc, rest); /* none given: an empty list */
	else if (*rest == '\0')
		command_usage(cc, COMMAND_set);
	else if (strcmp(what, "hostinfo") == 0 || strcmp(what, "netinfo") == 0)
		set_json(cc, what[0] == 'n', rest);
	else if (strcmp(what, "disco-key") == 0)
		set_disco(cc, rest);
	else
		command_usage(cc, COMMAND_set);
}
