/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#ifndef CLIENTS_H
#define CLIENTS_H

#include <stddef.h>
#include <stdint.h>

#include "timefmt.h"

/*
 * What the two processes that answer clients of the control socket have in common: the parent, and mapd for the
 * clients that were handed over to it (interface.md 3 and 6).  Each holds these limits for its own clients.
 */
#define CLIENTS_MAX	64
#define CLIENTS_ROOT	8		/* more, for root only */
#define CLIENTS_UID	8		/* of one uid; root has no such limit */
#define CLIENTS_BUSY	"{\"error\":{\"code\":\"busy\",\"message\":\"too many clients\"}}\n"

/* Whether one more client of uid fits, with n clients, same of which have this uid. */
int	 clients_fit(unsigned n, unsigned same, unsigned uid);
/* The other end of fd has closed the connection, not only its sending side (as `printf .. | nc -N` does). */
int	 client_hung_up(int fd);

/* Texts of events (interface.md 6), terminated; all return their length. */
#define EVENT_TEXT_MAX	128		/* of all but event_fields() */
#define EVENT_FIELDS_MAX 512
/* {"v":1,"seq":N,"time":"..", */
size_t	 event_head(char out[EVENT_TEXT_MAX], uint64_t seq, struct wtime when);
size_t	 event_netmap(char out[EVENT_TEXT_MAX], uint64_t seq, size_t peers);		/* "event":"netmap",.. */
size_t	 event_delta(char out[EVENT_TEXT_MAX], uint64_t seq);				/* "event":"delta",.. */
size_t	 event_lagged(char out[EVENT_TEXT_MAX], uint64_t dropped);			/* "event":"lagged",.. */
size_t	 event_fields(char out[EVENT_FIELDS_MAX], uint32_t fields);	/* "fields":[..], bits as in netmap_fields.h */

/*
 * The last line of an answer of several lines (interface.md 3): one that was cut off does not have it.  count: the
 * peers or lines before it; seq: netmapSeq of what was read.  Both end in a line break and return their length.
 */
#define END_MAX		96
size_t	 end_line(char out[END_MAX], uint64_t count, uint64_t seq);	/* {"end":{"count":2,"netmapSeq":17}} */
size_t	 end_text(char out[END_MAX], uint64_t count, uint64_t seq);	/* # end: 2 peers, netmapSeq 17 */
/* A line (without its break) that is one of these: 1, with *count (and *seq, unless NULL); else 0. */
int	 end_line_read(const char *line, size_t n, uint64_t *count, uint64_t *seq);
int	 end_text_read(const char *line, size_t n, uint64_t *count, uint64_t *seq);

#endif
