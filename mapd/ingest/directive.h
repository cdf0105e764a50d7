/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef DIRECTIVE_H
#define DIRECTIVE_H

#include "dict.h"
#include "msgs.h"
#include "timefmt.h"

/* PingRequest, E.10; texts are terminated, a string with a NUL counts as none. */
struct ping_request {
	const char	*url;			/* "" = ignore */
	const char	*types;			/* "", "c2n", "disco,TSMP" */
	const char	*ip;
	int		 url_is_noise, log;
	const uint8_t	*payload;		/* decoded from base64 */
	size_t		 payload_len;
};

/* Members that are not part of the netmap.  Lives until ingest_apply(), ingest_discard() or ingest_begin(). */
struct directives {
	int			 keepalive;
	int			 has_node;	/* required in the first message that is no keep-alive (MAP-03) */
	const struct ping_request *ping;		/* NULL: none */
	const char		*browse;	/* PopBrowserURL, printable and terminated; NULL: none.  May repeat */
	int			 has_control_time;
	struct wtime		 control_time;
	const struct ipc_dial_plan *dial_plan;	/* NULL: absent; n = 0: use DNS (E.11) */
	int			 has_exit;	/* Debug.Exit, DBG-04 */
	int64_t			 exit_code;
	uint32_t		 sleep_ms;	/* Debug.SleepSeconds, clamped to 0..300000 (DBG-01, DBG-03) */
	int			 disable_logtail;
	size_t			 bytes;		/* length of the decoded message */
};

/* The same as they are read: with what the pointers point to. */
struct directive_store {
	struct directives	 pub;
	struct ping_request	 ping;
	struct ipc_dial_plan	 plan;
	char			*browse, *url, *types, *ip;
	uint8_t			*payload;
};
/* name is a NM_ of MapResponse, v its packed value (not null).  1 = it is a directive, 0 = not, or not only. */
int	 directive_member(struct directive_store *s, unsigned name, const uint8_t *v, const struct dict *d);
void	 directive_clear(struct directive_store *s);

#endif
